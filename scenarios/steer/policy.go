package steer

import (
	"context"
	"fmt"

	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/nodefv/nodefv/workloads"
)

func (s *Session) addPolicy(ctx context.Context, p Policy) error {
	namespace, err := s.namespace(p.Namespace)
	if err != nil {
		return err
	}
	policy := workloads.Policy{Key: workloads.Key{Namespace: namespace, Name: p.Name}, Spec: p.spec()}
	if s.world.Fleet.State().Policies().Has(policy.Key) {
		return s.world.Fleet.ChangePolicies(ctx, []workloads.Policy{policy})
	}
	return s.world.Fleet.AddPolicies(ctx, []workloads.Policy{policy})
}

// removePolicy removes the policy of a short name, namespace/name.
func (s *Session) removePolicy(ctx context.Context, name string) error {
	for _, k := range s.world.Fleet.State().Policies().Keys() {
		if Short(k) == name {
			return s.world.Fleet.RemovePolicies(ctx, []workloads.Key{k})
		}
	}
	return fmt.Errorf("there is no policy %q", name)
}

// spec is the policy as the API has it.
func (p Policy) spec() networkingv1.NetworkPolicySpec {
	role := func(r string) *metav1.LabelSelector {
		return &metav1.LabelSelector{MatchLabels: map[string]string{"role": r}}
	}
	spec := networkingv1.NetworkPolicySpec{PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeIngress}}
	if p.Role != "" {
		spec.PodSelector = *role(p.Role)
	}
	switch p.Let {
	case Nobody:
	case Neighbours:
		spec.Ingress = []networkingv1.NetworkPolicyIngressRule{{From: []networkingv1.NetworkPolicyPeer{{PodSelector: &metav1.LabelSelector{}}}}}
	default:
		peer := networkingv1.NetworkPolicyPeer{NamespaceSelector: &metav1.LabelSelector{}, PodSelector: role(p.Let)}
		spec.Ingress = []networkingv1.NetworkPolicyIngressRule{{From: []networkingv1.NetworkPolicyPeer{peer}}}
	}
	return spec
}
