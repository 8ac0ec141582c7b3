package felix

import (
	"context"
	"fmt"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"

	"github.com/nodefv/nodefv/infra"
	"github.com/nodefv/nodefv/infra/lifecycle"
	"github.com/nodefv/nodefv/infra/targets"
)

// servedBound is how long the API server may take to serve new kinds; it needs about two seconds.
const servedBound = 30 * time.Second

// felixUser is who Felix and Typha are to the API server; it has the rights of its release's role and no others.
const felixUser = "calico-node"

var (
	clusterInformations = schema.GroupVersionResource{Group: "crd.projectcalico.org", Version: "v1", Resource: "clusterinformations"}
	tiers               = schema.GroupVersionResource{Group: "crd.projectcalico.org", Version: "v1", Resource: "tiers"}
)

// Install makes Felix's CRDs, its rights, the local node, and says that the datastore is ready.
func (f felix) Install(ctx context.Context, cp infra.ControlPlane, node infra.NodeInfo) error {
	dyn, err := dynamic.NewForConfig(cp.Config)
	if err != nil {
		return fmt.Errorf("make a client: %w", err)
	}
	client, err := kubernetes.NewForConfig(cp.Config)
	if err != nil {
		return fmt.Errorf("make a client: %w", err)
	}
	brought, err := readManifests(f.Manifests)
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return f.installCRDs(ctx, dyn, brought) })
	group.Go(func() error {
		return infra.BindRole(ctx, client, &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: felixUser}, Rules: brought.Role})
	})
	group.Go(func() error { return targets.InstallNode(ctx, client, node, f.Decorate) })
	return group.Wait()
}

// Seed returns Felix's CRDs as they are stored once the API server has accepted them.
func (f felix) Seed() (map[string][]byte, error) {
	brought, err := readManifests(f.Manifests)
	if err != nil {
		return nil, err
	}
	return brought.Seed()
}

func (f felix) installCRDs(ctx context.Context, dyn dynamic.Interface, brought targets.Manifests) error {
	if len(brought.CRDs) == 0 {
		return fmt.Errorf("no CRDs in %s", strings.Join(f.Manifests, ", "))
	}
	if err := brought.Install(ctx, dyn); err != nil {
		return err
	}
	var group errgroup.Group
	for _, t := range felixTiers {
		group.Go(func() error {
			return create(ctx, dyn, tiers, "Tier", t.name, map[string]any{"order": t.order, "defaultAction": t.otherwise})
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	return create(ctx, dyn, clusterInformations, "ClusterInformation", "default", map[string]any{"datastoreReady": true, "clusterType": "nodefv"})
}

// felixTiers are the tiers that Calico makes when it is installed, those of cluster-wide policies up to v3.31 and from v3.32 on: without them
// Felix takes such policies for ones of an unknown tier, the last of all, which drops what they don't let pass.
var felixTiers = []struct {
	name, otherwise string
	order           int64
}{
	{"adminnetworkpolicy", "Pass", 1_000}, {"default", "Deny", 1_000_000}, {"baselineadminnetworkpolicy", "Pass", 10_000_000},
	{"kube-admin", "Pass", 1_000}, {"kube-baseline", "Pass", 10_000_000},
}

// create makes an object of a kind of Calico's that may not be served yet.
func create(ctx context.Context, dyn dynamic.Interface, kinds schema.GroupVersionResource, kind, name string, spec map[string]any) error {
	object := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": kinds.GroupVersion().String(), "kind": kind, "metadata": map[string]any{"name": name}, "spec": spec,
	}}
	return lifecycle.Wait(ctx, kind+" "+name, servedBound, func(ctx context.Context) error {
		_, err := dyn.Resource(kinds).Create(ctx, object, metav1.CreateOptions{})
		return ignoreExists(err)
	})
}

func ignoreExists(err error) error {
	if apierrors.IsAlreadyExists(err) {
		return nil
	}
	return err
}
