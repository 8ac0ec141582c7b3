package workloads

import (
	"context"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	policyv1alpha1 "sigs.k8s.io/network-policy-api/apis/v1alpha1"
)

// AdminKind is the kind of the older policies of the Admin tier.
const AdminKind Kind = "AdminNetworkPolicy"

// AdminPolicy is an AdminNetworkPolicy. Of several with one priority the first by name comes first: the specification leaves that
// open.
type AdminPolicy struct {
	Name string
	Spec policyv1alpha1.AdminNetworkPolicySpec
}

// Part names the policy.
func (p AdminPolicy) Part() Part { return AdminKind.Named(p.Name) }

// AdminPolicies are the AdminNetworkPolicies.
func (s State) AdminPolicies() Objects[AdminPolicy] { return Objects[AdminPolicy]{s, AdminKind} }

var adminPolicies = &kind[AdminPolicy, policyv1alpha1.AdminNetworkPolicy]{
	name: AdminKind, word: "admin policy", feature: AdminPolicies, group: policyv1alpha1.GroupName, resource: "adminnetworkpolicies",
	object: func(_ *Fleet, p AdminPolicy) *policyv1alpha1.AdminNetworkPolicy {
		return &policyv1alpha1.AdminNetworkPolicy{ObjectMeta: meta(p.Part().Key, nil), Spec: p.Spec}
	},
	client: func(c Clients, _ string) writer[policyv1alpha1.AdminNetworkPolicy] {
		if c.Admin == nil {
			return nil
		}
		return c.Admin.PolicyV1alpha1().AdminNetworkPolicies()
	},
	list: func(ctx context.Context, c Clients, o metav1.ListOptions) (runtime.Object, error) {
		return c.Admin.PolicyV1alpha1().AdminNetworkPolicies().List(ctx, o)
	},
	patch: func(p AdminPolicy) []edit { return respecifying(p.Spec) },
}

// AddAdminPolicies makes AdminNetworkPolicies.
func (f *Fleet) AddAdminPolicies(ctx context.Context, all []AdminPolicy) error {
	return adminPolicies.add(ctx, f, all)
}

// ChangeAdminPolicies gives AdminNetworkPolicies that exist the priority, subject and rules that they have here.
func (f *Fleet) ChangeAdminPolicies(ctx context.Context, all []AdminPolicy) error {
	return adminPolicies.alter(ctx, f, all)
}

// RemoveAdminPolicies removes AdminNetworkPolicies by name.
func (f *Fleet) RemoveAdminPolicies(ctx context.Context, names []string) error {
	return adminPolicies.drop(ctx, f, clusterKeys(names))
}
