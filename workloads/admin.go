package workloads

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	policyv1alpha1 "sigs.k8s.io/network-policy-api/apis/v1alpha1"
	adminclient "sigs.k8s.io/network-policy-api/pkg/client/clientset/versioned/typed/apis/v1alpha1"
)

// NewAdminClient returns a client for admin policies that does not throttle itself. It speaks JSON: kinds that are defined by others
// know no protobuf.
func NewAdminClient(cfg *rest.Config) (adminclient.PolicyV1alpha1Interface, error) {
	cfg = rest.CopyConfig(cfg)
	cfg.QPS = -1
	client, err := adminclient.NewForConfig(cfg)
	if err != nil {
		return nil, fmt.Errorf("make an API client: %w", err)
	}
	return client, nil
}

// errNoAdmin is the answer of a fleet whose cluster does not know admin policies.
var errNoAdmin = errors.New("the cluster has no admin policies")

// AddAdminPolicies makes AdminNetworkPolicies.
func (f *Fleet) AddAdminPolicies(ctx context.Context, policies []AdminPolicy) error {
	defer f.putAdminPolicies("create admin policy", policies)()
	return run(ctx, f, work[AdminPolicy]{verb: "create admin policy", items: policies, name: adminName, do: f.createAdmin, pace: f.api})
}

// ChangeAdminPolicies gives AdminNetworkPolicies that exist the priority, subject and rules that they have here.
func (f *Fleet) ChangeAdminPolicies(ctx context.Context, policies []AdminPolicy) error {
	defer f.putAdminPolicies("change admin policy", policies)()
	return run(ctx, f, work[AdminPolicy]{verb: "change admin policy", items: policies, name: adminName, do: f.changeAdmin, pace: f.api})
}

func (f *Fleet) putAdminPolicies(verb string, policies []AdminPolicy) (acknowledged func()) {
	return f.begin(verb, func(s State) {
		for _, p := range policies {
			s.AdminPolicies[p.Name] = p
		}
	})
}

func adminName(p AdminPolicy) string { return p.Name }

// RemoveAdminPolicies removes AdminNetworkPolicies by name.
func (f *Fleet) RemoveAdminPolicies(ctx context.Context, names []string) error {
	names = slices.Sorted(slices.Values(names))
	defer f.begin("delete admin policy", func(s State) {
		for _, n := range names {
			delete(s.AdminPolicies, n)
		}
	})()
	return run(ctx, f, work[string]{verb: "delete admin policy", items: names, name: itself, do: f.deleteAdmin, pace: f.api, goOn: true})
}

// AddBaseline makes the BaselineAdminNetworkPolicy.
func (f *Fleet) AddBaseline(ctx context.Context, spec policyv1alpha1.BaselineAdminNetworkPolicySpec) error {
	p := BaselinePolicy{BaselineName, spec}
	defer f.putBaseline("create baseline", p)()
	return run(ctx, f, work[BaselinePolicy]{verb: "create baseline", items: []BaselinePolicy{p}, name: baselineName, do: f.createBaseline, pace: f.api})
}

// ChangeBaseline gives the BaselineAdminNetworkPolicy, which exists, this subject and these rules.
func (f *Fleet) ChangeBaseline(ctx context.Context, spec policyv1alpha1.BaselineAdminNetworkPolicySpec) error {
	p := BaselinePolicy{BaselineName, spec}
	defer f.putBaseline("change baseline", p)()
	return run(ctx, f, work[BaselinePolicy]{verb: "change baseline", items: []BaselinePolicy{p}, name: baselineName, do: f.changeBaseline, pace: f.api})
}

func (f *Fleet) putBaseline(verb string, p BaselinePolicy) (acknowledged func()) {
	return f.begin(verb, func(s State) { s.Baseline[p.Name] = p })
}

func baselineName(p BaselinePolicy) string { return p.Name }

// RemoveBaseline removes the BaselineAdminNetworkPolicy, if there is one.
func (f *Fleet) RemoveBaseline(ctx context.Context) error {
	return f.removeBaseline(ctx, []string{BaselineName})
}

func (f *Fleet) removeBaseline(ctx context.Context, names []string) error {
	defer f.begin("delete baseline", func(s State) { clear(s.Baseline) })()
	return run(ctx, f, work[string]{verb: "delete baseline", items: names, name: itself, do: f.deleteBaseline, pace: f.api, goOn: true})
}

func (f *Fleet) createAdmin(ctx context.Context, p AdminPolicy) error {
	object := &policyv1alpha1.AdminNetworkPolicy{ObjectMeta: meta("", p.Name, nil), Spec: p.Spec}
	return f.admin(ctx, "create admin policy", p.Name, apierrors.IsAlreadyExists, func(ctx context.Context, c adminclient.PolicyV1alpha1Interface) error {
		_, err := c.AdminNetworkPolicies().Create(ctx, object, metav1.CreateOptions{})
		return err
	})
}

func (f *Fleet) changeAdmin(ctx context.Context, p AdminPolicy) error {
	patch, err := replacing(p.Spec)
	if err != nil {
		return fmt.Errorf("change admin policy %s: %w", p.Name, err)
	}
	return f.admin(ctx, "change admin policy", p.Name, never, func(ctx context.Context, c adminclient.PolicyV1alpha1Interface) error {
		_, err := c.AdminNetworkPolicies().Patch(ctx, p.Name, types.JSONPatchType, patch, metav1.PatchOptions{})
		return err
	})
}

func (f *Fleet) deleteAdmin(ctx context.Context, name string) error {
	return f.admin(ctx, "delete admin policy", name, never, func(ctx context.Context, c adminclient.PolicyV1alpha1Interface) error {
		return ignoreGone(c.AdminNetworkPolicies().Delete(ctx, name, now))
	})
}

func (f *Fleet) createBaseline(ctx context.Context, p BaselinePolicy) error {
	object := &policyv1alpha1.BaselineAdminNetworkPolicy{ObjectMeta: meta("", p.Name, nil), Spec: p.Spec}
	return f.admin(ctx, "create baseline", p.Name, apierrors.IsAlreadyExists, func(ctx context.Context, c adminclient.PolicyV1alpha1Interface) error {
		_, err := c.BaselineAdminNetworkPolicies().Create(ctx, object, metav1.CreateOptions{})
		return err
	})
}

func (f *Fleet) changeBaseline(ctx context.Context, p BaselinePolicy) error {
	patch, err := replacing(p.Spec)
	if err != nil {
		return fmt.Errorf("change baseline %s: %w", p.Name, err)
	}
	return f.admin(ctx, "change baseline", p.Name, never, func(ctx context.Context, c adminclient.PolicyV1alpha1Interface) error {
		_, err := c.BaselineAdminNetworkPolicies().Patch(ctx, p.Name, types.JSONPatchType, patch, metav1.PatchOptions{})
		return err
	})
}

func (f *Fleet) deleteBaseline(ctx context.Context, name string) error {
	return f.admin(ctx, "delete baseline", name, never, func(ctx context.Context, c adminclient.PolicyV1alpha1Interface) error {
		return ignoreGone(c.BaselineAdminNetworkPolicies().Delete(ctx, name, now))
	})
}

// admin attempts a change by the client for admin policies, if the fleet has one.
func (f *Fleet) admin(ctx context.Context, what, name string, done func(error) bool, do func(context.Context, adminclient.PolicyV1alpha1Interface) error) error {
	if f.cfg.Admin == nil {
		return fmt.Errorf("%s %s: %w", what, name, errNoAdmin)
	}
	return attempt(ctx, what, name, done, func(ctx context.Context) error { return do(ctx, f.cfg.Admin) })
}

// replacing is a patch that replaces the whole specification: an update of such a kind would need the version that it replaces.
func replacing(spec any) ([]byte, error) {
	return json.Marshal([]map[string]any{{"op": "replace", "path": "/spec", "value": spec}})
}

// listAdmin adds the admin policies that fleets made, if the cluster knows the kind.
func (f *Fleet) listAdmin(ctx context.Context, options metav1.ListOptions, got *names) error {
	if f.cfg.Admin == nil {
		return nil
	}
	admin, err := f.cfg.Admin.AdminNetworkPolicies().List(ctx, options)
	if err != nil {
		return fmt.Errorf("list admin policies: %w", err)
	}
	for _, p := range admin.Items {
		got.admin = append(got.admin, p.Name)
	}
	baseline, err := f.cfg.Admin.BaselineAdminNetworkPolicies().List(ctx, options)
	if err != nil {
		return fmt.Errorf("list baselines: %w", err)
	}
	for _, p := range baseline.Items {
		got.baseline = append(got.baseline, p.Name)
	}
	return nil
}
