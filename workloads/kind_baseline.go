package workloads

import (
	"context"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	policyv1alpha1 "sigs.k8s.io/network-policy-api/apis/v1alpha1"
)

// BaselineKind is the kind of the older policy of the Baseline tier.
const BaselineKind Kind = "BaselineAdminNetworkPolicy"

// BaselineName is the name of the only BaselineAdminNetworkPolicy that the API accepts.
const BaselineName = "default"

// BaselinePolicy is the BaselineAdminNetworkPolicy.
type BaselinePolicy struct {
	Name string // BaselineName
	Spec policyv1alpha1.BaselineAdminNetworkPolicySpec
}

// Part names the policy.
func (p BaselinePolicy) Part() Part { return BaselineKind.Named(p.Name) }

// Baseline is the BaselineAdminNetworkPolicy: there is one or none.
func (s State) Baseline() Objects[BaselinePolicy] { return Objects[BaselinePolicy]{s, BaselineKind} }

var baselinePolicies = &kind[BaselinePolicy, policyv1alpha1.BaselineAdminNetworkPolicy]{
	name: BaselineKind, word: "baseline", feature: AdminPolicies, group: policyv1alpha1.GroupName, resource: "baselineadminnetworkpolicies",
	object: func(_ *Fleet, p BaselinePolicy) *policyv1alpha1.BaselineAdminNetworkPolicy {
		return &policyv1alpha1.BaselineAdminNetworkPolicy{ObjectMeta: meta(p.Part().Key, nil), Spec: p.Spec}
	},
	client: func(c Clients, _ string) writer[policyv1alpha1.BaselineAdminNetworkPolicy] {
		if c.Admin == nil {
			return nil
		}
		return c.Admin.PolicyV1alpha1().BaselineAdminNetworkPolicies()
	},
	list: func(ctx context.Context, c Clients, o metav1.ListOptions) (runtime.Object, error) {
		return c.Admin.PolicyV1alpha1().BaselineAdminNetworkPolicies().List(ctx, o)
	},
	patch: func(p BaselinePolicy) []edit { return respecifying(p.Spec) },
}

// AddBaseline makes the BaselineAdminNetworkPolicy.
func (f *Fleet) AddBaseline(ctx context.Context, spec policyv1alpha1.BaselineAdminNetworkPolicySpec) error {
	return baselinePolicies.add(ctx, f, []BaselinePolicy{{BaselineName, spec}})
}

// ChangeBaseline gives the BaselineAdminNetworkPolicy, which exists, this subject and these rules.
func (f *Fleet) ChangeBaseline(ctx context.Context, spec policyv1alpha1.BaselineAdminNetworkPolicySpec) error {
	return baselinePolicies.alter(ctx, f, []BaselinePolicy{{BaselineName, spec}})
}

// RemoveBaseline removes the BaselineAdminNetworkPolicy, if there is one.
func (f *Fleet) RemoveBaseline(ctx context.Context) error {
	return baselinePolicies.drop(ctx, f, clusterKeys([]string{BaselineName}))
}
