package workloads

import (
	"context"

	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// NetworkKind is the kind of policies that are in namespaces.
const NetworkKind Kind = "NetworkPolicy"

// policy is an object of a kind of policies.
type policy interface {
	Object
	ruleset() *Ruleset
}

// Policy is a NetworkPolicy.
type Policy struct {
	Key
	Spec networkingv1.NetworkPolicySpec
}

// Part names the policy.
func (p Policy) Part() Part { return NetworkKind.Part(p.Key) }

// Policies are the NetworkPolicies.
func (s State) Policies() Objects[Policy] { return Objects[Policy]{s, NetworkKind} }

var policies = &kind[Policy, networkingv1.NetworkPolicy]{
	name: NetworkKind, word: "policy", group: networkingv1.GroupName, resource: "networkpolicies", namespaced: true,
	object: func(_ *Fleet, p Policy) *networkingv1.NetworkPolicy {
		return &networkingv1.NetworkPolicy{ObjectMeta: meta(p.Key, nil), Spec: p.Spec}
	},
	client: func(c Clients, namespace string) writer[networkingv1.NetworkPolicy] {
		return c.Core.NetworkingV1().NetworkPolicies(namespace)
	},
	list: func(ctx context.Context, c Clients, o metav1.ListOptions) (runtime.Object, error) {
		return c.Core.NetworkingV1().NetworkPolicies("").List(ctx, o)
	},
}

// AddPolicies makes policies.
func (f *Fleet) AddPolicies(ctx context.Context, all []Policy) error {
	return policies.add(ctx, f, all)
}

// ChangePolicies gives policies that exist the rules that they have here.
func (f *Fleet) ChangePolicies(ctx context.Context, all []Policy) error {
	return policies.alter(ctx, f, all)
}

// RemovePolicies removes policies.
func (f *Fleet) RemovePolicies(ctx context.Context, keys []Key) error {
	return policies.drop(ctx, f, keys)
}
