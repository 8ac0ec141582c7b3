package workloads

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	policyv1alpha1 "sigs.k8s.io/network-policy-api/apis/v1alpha1"
	policyv1alpha2 "sigs.k8s.io/network-policy-api/apis/v1alpha2"
	adminclient "sigs.k8s.io/network-policy-api/pkg/client/clientset/versioned"
)

// NewAdminClient returns a client for cluster-wide policies that does not throttle itself. It speaks JSON: kinds that are defined by
// others know no protobuf.
func NewAdminClient(cfg *rest.Config) (adminclient.Interface, error) {
	cfg = rest.CopyConfig(cfg)
	cfg.QPS = -1
	client, err := adminclient.NewForConfig(cfg)
	if err != nil {
		return nil, fmt.Errorf("make an API client: %w", err)
	}
	return client, nil
}

// errNoAdmin is the answer of a fleet whose cluster does not know cluster-wide policies.
var errNoAdmin = errors.New("the cluster has no cluster-wide policies")

// clusterWide is a kind of policies that are in no namespace; T is its object.
type clusterWide[P, T any] struct {
	word   string // for one in reports
	name   func(P) string
	spec   func(P) any
	object func(P) *T
	client func(adminclient.Interface) writer[T]
	list   func(context.Context, adminclient.Interface, metav1.ListOptions) (runtime.Object, error)
	in     func(State) map[string]P
}

// writer is what the clients of all kinds have in common.
type writer[T any] interface {
	Create(ctx context.Context, object *T, opts metav1.CreateOptions) (*T, error)
	Patch(ctx context.Context, name string, pt types.PatchType, data []byte, opts metav1.PatchOptions, subresources ...string) (*T, error)
	Delete(ctx context.Context, name string, opts metav1.DeleteOptions) error
}

var adminPolicies = clusterWide[AdminPolicy, policyv1alpha1.AdminNetworkPolicy]{
	word: "admin policy",
	name: func(p AdminPolicy) string { return p.Name },
	spec: func(p AdminPolicy) any { return p.Spec },
	object: func(p AdminPolicy) *policyv1alpha1.AdminNetworkPolicy {
		return &policyv1alpha1.AdminNetworkPolicy{ObjectMeta: meta("", p.Name, nil), Spec: p.Spec}
	},
	client: func(c adminclient.Interface) writer[policyv1alpha1.AdminNetworkPolicy] {
		return c.PolicyV1alpha1().AdminNetworkPolicies()
	},
	list: func(ctx context.Context, c adminclient.Interface, o metav1.ListOptions) (runtime.Object, error) {
		return c.PolicyV1alpha1().AdminNetworkPolicies().List(ctx, o)
	},
	in: func(s State) map[string]AdminPolicy { return s.AdminPolicies },
}

var baselines = clusterWide[BaselinePolicy, policyv1alpha1.BaselineAdminNetworkPolicy]{
	word: "baseline",
	name: func(p BaselinePolicy) string { return p.Name },
	spec: func(p BaselinePolicy) any { return p.Spec },
	object: func(p BaselinePolicy) *policyv1alpha1.BaselineAdminNetworkPolicy {
		return &policyv1alpha1.BaselineAdminNetworkPolicy{ObjectMeta: meta("", p.Name, nil), Spec: p.Spec}
	},
	client: func(c adminclient.Interface) writer[policyv1alpha1.BaselineAdminNetworkPolicy] {
		return c.PolicyV1alpha1().BaselineAdminNetworkPolicies()
	},
	list: func(ctx context.Context, c adminclient.Interface, o metav1.ListOptions) (runtime.Object, error) {
		return c.PolicyV1alpha1().BaselineAdminNetworkPolicies().List(ctx, o)
	},
	in: func(s State) map[string]BaselinePolicy { return s.Baseline },
}

var clusterPolicies = clusterWide[ClusterPolicy, policyv1alpha2.ClusterNetworkPolicy]{
	word: "cluster policy",
	name: func(p ClusterPolicy) string { return p.Name },
	spec: func(p ClusterPolicy) any { return p.Spec },
	object: func(p ClusterPolicy) *policyv1alpha2.ClusterNetworkPolicy {
		return &policyv1alpha2.ClusterNetworkPolicy{ObjectMeta: meta("", p.Name, nil), Spec: p.Spec}
	},
	client: func(c adminclient.Interface) writer[policyv1alpha2.ClusterNetworkPolicy] {
		return c.PolicyV1alpha2().ClusterNetworkPolicies()
	},
	list: func(ctx context.Context, c adminclient.Interface, o metav1.ListOptions) (runtime.Object, error) {
		return c.PolicyV1alpha2().ClusterNetworkPolicies().List(ctx, o)
	},
	in: func(s State) map[string]ClusterPolicy { return s.ClusterPolicies },
}

// AddAdminPolicies makes AdminNetworkPolicies.
func (f *Fleet) AddAdminPolicies(ctx context.Context, policies []AdminPolicy) error {
	return adminPolicies.add(ctx, f, policies)
}

// ChangeAdminPolicies gives AdminNetworkPolicies that exist the priority, subject and rules that they have here.
func (f *Fleet) ChangeAdminPolicies(ctx context.Context, policies []AdminPolicy) error {
	return adminPolicies.change(ctx, f, policies)
}

// RemoveAdminPolicies removes AdminNetworkPolicies by name.
func (f *Fleet) RemoveAdminPolicies(ctx context.Context, names []string) error {
	return adminPolicies.remove(ctx, f, names)
}

// AddBaseline makes the BaselineAdminNetworkPolicy.
func (f *Fleet) AddBaseline(ctx context.Context, spec policyv1alpha1.BaselineAdminNetworkPolicySpec) error {
	return baselines.add(ctx, f, []BaselinePolicy{{BaselineName, spec}})
}

// ChangeBaseline gives the BaselineAdminNetworkPolicy, which exists, this subject and these rules.
func (f *Fleet) ChangeBaseline(ctx context.Context, spec policyv1alpha1.BaselineAdminNetworkPolicySpec) error {
	return baselines.change(ctx, f, []BaselinePolicy{{BaselineName, spec}})
}

// RemoveBaseline removes the BaselineAdminNetworkPolicy, if there is one.
func (f *Fleet) RemoveBaseline(ctx context.Context) error {
	return baselines.remove(ctx, f, []string{BaselineName})
}

// AddClusterPolicies makes ClusterNetworkPolicies.
func (f *Fleet) AddClusterPolicies(ctx context.Context, policies []ClusterPolicy) error {
	return clusterPolicies.add(ctx, f, policies)
}

// ChangeClusterPolicies gives ClusterNetworkPolicies that exist the tier, priority, subject and rules that they have here.
func (f *Fleet) ChangeClusterPolicies(ctx context.Context, policies []ClusterPolicy) error {
	return clusterPolicies.change(ctx, f, policies)
}

// RemoveClusterPolicies removes ClusterNetworkPolicies by name.
func (f *Fleet) RemoveClusterPolicies(ctx context.Context, names []string) error {
	return clusterPolicies.remove(ctx, f, names)
}

func (k clusterWide[P, T]) add(ctx context.Context, f *Fleet, policies []P) error {
	verb := "create " + k.word
	defer k.put(f, verb, policies)()
	return run(ctx, f, work[P]{verb: verb, items: policies, name: k.name, pace: f.api, do: func(ctx context.Context, p P) error {
		return k.write(ctx, f, verb, k.name(p), apierrors.IsAlreadyExists, func(ctx context.Context, w writer[T]) error {
			_, err := w.Create(ctx, k.object(p), metav1.CreateOptions{})
			return err
		})
	}})
}

func (k clusterWide[P, T]) change(ctx context.Context, f *Fleet, policies []P) error {
	verb := "change " + k.word
	defer k.put(f, verb, policies)()
	return run(ctx, f, work[P]{verb: verb, items: policies, name: k.name, pace: f.api, do: func(ctx context.Context, p P) error {
		patch, err := replacing(k.spec(p))
		if err != nil {
			return fmt.Errorf("%s %s: %w", verb, k.name(p), err)
		}
		return k.write(ctx, f, verb, k.name(p), never, func(ctx context.Context, w writer[T]) error {
			_, err := w.Patch(ctx, k.name(p), types.JSONPatchType, patch, metav1.PatchOptions{})
			return err
		})
	}})
}

func (k clusterWide[P, T]) put(f *Fleet, verb string, policies []P) (acknowledged func()) {
	return f.begin(verb, func(s State) {
		for _, p := range policies {
			k.in(s)[k.name(p)] = p
		}
	})
}

func (k clusterWide[P, T]) remove(ctx context.Context, f *Fleet, names []string) error {
	names, verb := slices.Sorted(slices.Values(names)), "delete "+k.word
	defer f.begin(verb, func(s State) {
		for _, n := range names {
			delete(k.in(s), n)
		}
	})()
	return run(ctx, f, work[string]{verb: verb, items: names, name: itself, pace: f.api, goOn: true, do: func(ctx context.Context, name string) error {
		return k.write(ctx, f, verb, name, never, func(ctx context.Context, w writer[T]) error {
			return ignoreGone(w.Delete(ctx, name, now))
		})
	}})
}

// write attempts a change by the kind's client, if the fleet has one.
func (k clusterWide[P, T]) write(ctx context.Context, f *Fleet, what, name string, done func(error) bool, do func(context.Context, writer[T]) error) error {
	if f.cfg.Admin == nil {
		return fmt.Errorf("%s %s: %w", what, name, errNoAdmin)
	}
	return attempt(ctx, what, name, done, func(ctx context.Context) error { return do(ctx, k.client(f.cfg.Admin)) })
}

// replacing is a patch that replaces the whole specification: an update of such a kind would need the version that it replaces.
func replacing(spec any) ([]byte, error) {
	return json.Marshal([]map[string]any{{"op": "replace", "path": "/spec", "value": spec}})
}

// listed returns the names of those that fleets made; none if the cluster does not know the kind.
func (k clusterWide[P, T]) listed(ctx context.Context, f *Fleet, options metav1.ListOptions) (names []string, err error) {
	if f.cfg.Admin == nil {
		return nil, nil
	}
	list, err := k.list(ctx, f.cfg.Admin, options)
	if err == nil {
		err = apimeta.EachListItem(list, func(object runtime.Object) error {
			o, err := apimeta.Accessor(object)
			if err == nil {
				names = append(names, o.GetName())
			}
			return err
		})
	}
	if ignoreGone(err) != nil {
		return nil, fmt.Errorf("list each %s: %w", k.word, err)
	}
	return names, nil
}

// difference compares two states as difference does.
func (k clusterWide[P, T]) difference(now, to State) (gone []string, fresh, moved []P) {
	return difference(k.in(now), k.in(to), unchanged, func(a, b P) bool { return equality.Semantic.DeepEqual(k.spec(a), k.spec(b)) })
}

// ClusterWide are the lists of each kind of cluster-wide policies.
var ClusterWide = map[Kind]func(context.Context, adminclient.Interface, metav1.ListOptions) (runtime.Object, error){
	AdminKind: adminPolicies.list, BaselineKind: baselines.list, ClusterKind: clusterPolicies.list,
}

// Served says which kinds of cluster-wide policies the cluster knows.
func Served(ctx context.Context, client adminclient.Interface) (map[Kind]bool, error) {
	served := map[Kind]bool{}
	for kind, list := range ClusterWide {
		err := attempt(ctx, "list", string(kind), never, func(ctx context.Context) error {
			_, err := list(ctx, client, metav1.ListOptions{Limit: 1})
			return err
		})
		if ignoreGone(err) != nil {
			return nil, err
		}
		served[kind] = err == nil
	}
	return served, nil
}
