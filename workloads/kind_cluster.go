package workloads

import (
	"context"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	policyv1alpha2 "sigs.k8s.io/network-policy-api/apis/v1alpha2"
)

// ClusterKind is the kind of cluster-wide policies of either tier.
const ClusterKind Kind = "ClusterNetworkPolicy"

// ClusterPolicy is a ClusterNetworkPolicy. Of several in one tier with one priority the first by name comes first: the specification
// leaves that open.
type ClusterPolicy struct {
	Name string
	Spec policyv1alpha2.ClusterNetworkPolicySpec
}

// Part names the policy.
func (p ClusterPolicy) Part() Part { return ClusterKind.Named(p.Name) }

// ClusterPolicies are the ClusterNetworkPolicies.
func (s State) ClusterPolicies() Objects[ClusterPolicy] {
	return Objects[ClusterPolicy]{s, ClusterKind}
}

var clusterPolicies = &kind[ClusterPolicy, policyv1alpha2.ClusterNetworkPolicy]{
	name: ClusterKind, word: "cluster policy", feature: ClusterPolicies, group: policyv1alpha2.GroupName, resource: "clusternetworkpolicies",
	object: func(_ *Fleet, p ClusterPolicy) *policyv1alpha2.ClusterNetworkPolicy {
		return &policyv1alpha2.ClusterNetworkPolicy{ObjectMeta: meta(p.Part().Key, nil), Spec: p.Spec}
	},
	client: func(c Clients, _ string) writer[policyv1alpha2.ClusterNetworkPolicy] {
		if c.Admin == nil {
			return nil
		}
		return c.Admin.PolicyV1alpha2().ClusterNetworkPolicies()
	},
	list: func(ctx context.Context, c Clients, o metav1.ListOptions) (runtime.Object, error) {
		return c.Admin.PolicyV1alpha2().ClusterNetworkPolicies().List(ctx, o)
	},
	patch: func(p ClusterPolicy) []edit { return respecifying(p.Spec) },
}

// AddClusterPolicies makes ClusterNetworkPolicies.
func (f *Fleet) AddClusterPolicies(ctx context.Context, all []ClusterPolicy) error {
	return clusterPolicies.add(ctx, f, all)
}

// ChangeClusterPolicies gives ClusterNetworkPolicies that exist the tier, priority, subject and rules that they have here.
func (f *Fleet) ChangeClusterPolicies(ctx context.Context, all []ClusterPolicy) error {
	return clusterPolicies.alter(ctx, f, all)
}

// RemoveClusterPolicies removes ClusterNetworkPolicies by name.
func (f *Fleet) RemoveClusterPolicies(ctx context.Context, names []string) error {
	return clusterPolicies.drop(ctx, f, clusterKeys(names))
}
