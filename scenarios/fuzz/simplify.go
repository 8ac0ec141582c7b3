package fuzz

import (
	"encoding/json"
	"maps"
	"slices"

	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	policyv1alpha2 "sigs.k8s.io/network-policy-api/apis/v1alpha2"
)

// size grows with all that batches say, operations first.
func size(batches [][]Op) int {
	n := 0
	for _, b := range batches {
		for _, op := range b {
			n += extent(op)
		}
	}
	return n
}

// extent is the length of an operation's text: strings, numbers and addresses always make JSON.
func extent(op Op) int {
	text, _ := json.Marshal(op)
	return len(text)
}

// drastic are simplifications that take a whole kind of thing from an operation; false: there is none of it.
var drastic = []func(Op) (Op, bool){
	func(op Op) (Op, bool) { had := len(op.Labels) > 0; op.Labels = nil; return op, had },
	func(op Op) (Op, bool) { had := len(op.Ports) > 0; op.Ports = nil; return op, had },
	func(op Op) (Op, bool) { had := op.Forced; op.Forced = false; return op, had },
	func(op Op) (Op, bool) { had := op.Bare; op.Bare = false; return op, had },
	func(op Op) (Op, bool) {
		had := len(op.IPs) > 1
		if had {
			op.IPs = op.IPs[:1]
		}
		return op, had
	},
	inSpec(func(s *networkingv1.NetworkPolicySpec) { s.Ingress, s.Egress = nil, nil }),
	inSpec(func(s *networkingv1.NetworkPolicySpec) { s.Egress = nil }),
	inSpec(func(s *networkingv1.NetworkPolicySpec) { s.Ingress = nil }),
	inSpec(func(s *networkingv1.NetworkPolicySpec) { s.PodSelector = metav1.LabelSelector{} }),
	inSpec(func(s *networkingv1.NetworkPolicySpec) { s.PolicyTypes = nil }),
	inRules(func(_ *[]networkingv1.NetworkPolicyPeer, ports *[]networkingv1.NetworkPolicyPort) { *ports = nil }),
	inRules(func(peers *[]networkingv1.NetworkPolicyPeer, _ *[]networkingv1.NetworkPolicyPort) { *peers = nil }),
	inWide(func(s *wideSpec) { s.Ingress, s.Egress = nil, nil }),
	inWide(func(s *wideSpec) { s.Egress = nil }),
	inWide(func(s *wideSpec) { s.Ingress = nil }),
	inWide(func(s *wideSpec) { s.Subject = allPods }),
	inWide(func(s *wideSpec) {
		for i := range s.Ingress {
			s.Ingress[i].Protocols = nil
		}
		for i := range s.Egress {
			s.Egress[i].Protocols = nil
		}
	}),
	inWide(func(s *wideSpec) {
		for i := range s.Ingress {
			s.Ingress[i].From = []policyv1alpha2.ClusterNetworkPolicyIngressPeer{{Namespaces: allPods.Namespaces}}
		}
		for i := range s.Egress {
			s.Egress[i].To = []policyv1alpha2.ClusterNetworkPolicyEgressPeer{{Namespaces: allPods.Namespaces}}
		}
	}),
}

func inSpec(change func(*networkingv1.NetworkPolicySpec)) func(Op) (Op, bool) {
	return func(op Op) (Op, bool) {
		if op.Spec == nil {
			return op, false
		}
		before := extent(op)
		op.Spec = op.Spec.DeepCopy()
		change(op.Spec)
		return op, extent(op) < before
	}
}

func inRules(change func(*[]networkingv1.NetworkPolicyPeer, *[]networkingv1.NetworkPolicyPort)) func(Op) (Op, bool) {
	return inSpec(func(s *networkingv1.NetworkPolicySpec) {
		for i := range s.Ingress {
			change(&s.Ingress[i].From, &s.Ingress[i].Ports)
		}
		for i := range s.Egress {
			change(&s.Egress[i].To, &s.Egress[i].Ports)
		}
	})
}

// Simplifications returns operations that say less than this one, each by itself, the greatest steps first: fewer labels, rules,
// peers, ports, exceptions, addresses. Each is shorter as JSON.
func Simplifications(op Op) []Op {
	var all []Op
	for _, simplify := range drastic {
		if simpler, ok := simplify(op); ok {
			all = append(all, simpler)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(op.Labels)) {
		simpler := op
		simpler.Labels = maps.Clone(op.Labels)
		delete(simpler.Labels, key)
		all = append(all, simpler)
	}
	for i := range op.IPs {
		if len(op.IPs) > 1 {
			all = append(all, with(op, func(o *Op) { o.IPs = without(op.IPs, i) }))
		}
	}
	for i := range op.Ports {
		all = append(all, with(op, func(o *Op) { o.Ports = without(op.Ports, i) }))
	}
	if op.Spec != nil {
		all = append(all, simplerSpecs(op)...)
	}
	if op.Wide != nil {
		all = append(all, simplerWide(op)...)
	}
	return slices.DeleteFunc(all, func(o Op) bool { return extent(o) >= extent(op) })
}

func with(op Op, change func(*Op)) Op {
	change(&op)
	return op
}

func without[T any](all []T, i int) []T { return slices.Concat(all[:i], all[i+1:]) }

// simplerSpecs takes single things from a policy.
func simplerSpecs(op Op) (all []Op) {
	add := func(change func(*networkingv1.NetworkPolicySpec)) {
		simpler, _ := inSpec(change)(op)
		all = append(all, simpler)
	}
	for i := range op.Spec.Ingress {
		add(func(s *networkingv1.NetworkPolicySpec) { s.Ingress = without(s.Ingress, i) })
	}
	for i := range op.Spec.Egress {
		add(func(s *networkingv1.NetworkPolicySpec) { s.Egress = without(s.Egress, i) })
	}
	for i, r := range op.Spec.Ingress {
		rule := func(s *networkingv1.NetworkPolicySpec) (*[]networkingv1.NetworkPolicyPeer, *[]networkingv1.NetworkPolicyPort) {
			return &s.Ingress[i].From, &s.Ingress[i].Ports
		}
		simplerRule(add, rule, r.From, r.Ports)
	}
	for i, r := range op.Spec.Egress {
		rule := func(s *networkingv1.NetworkPolicySpec) (*[]networkingv1.NetworkPolicyPeer, *[]networkingv1.NetworkPolicyPort) {
			return &s.Egress[i].To, &s.Egress[i].Ports
		}
		simplerRule(add, rule, r.To, r.Ports)
	}
	simplerSelector(add, func(s *networkingv1.NetworkPolicySpec) *metav1.LabelSelector { return &s.PodSelector }, &op.Spec.PodSelector)
	return all
}

// simplerRule takes single things from a rule, which is found in a copy of the policy by rule.
func simplerRule(add func(func(*networkingv1.NetworkPolicySpec)), rule func(*networkingv1.NetworkPolicySpec) (*[]networkingv1.NetworkPolicyPeer, *[]networkingv1.NetworkPolicyPort),
	peers []networkingv1.NetworkPolicyPeer, ports []networkingv1.NetworkPolicyPort) {
	for i := range peers {
		add(func(s *networkingv1.NetworkPolicySpec) { p, _ := rule(s); *p = without(*p, i) })
	}
	for i := range ports {
		add(func(s *networkingv1.NetworkPolicySpec) { _, p := rule(s); *p = without(*p, i) })
	}
	for i, peer := range peers {
		at := func(s *networkingv1.NetworkPolicySpec) *networkingv1.NetworkPolicyPeer {
			p, _ := rule(s)
			return &(*p)[i]
		}
		if peer.PodSelector != nil && peer.NamespaceSelector != nil {
			add(func(s *networkingv1.NetworkPolicySpec) { at(s).PodSelector = nil })
			add(func(s *networkingv1.NetworkPolicySpec) { at(s).NamespaceSelector = nil })
		}
		simplerSelector(add, func(s *networkingv1.NetworkPolicySpec) *metav1.LabelSelector { return at(s).PodSelector }, peer.PodSelector)
		simplerSelector(add, func(s *networkingv1.NetworkPolicySpec) *metav1.LabelSelector { return at(s).NamespaceSelector }, peer.NamespaceSelector)
		if peer.IPBlock != nil {
			for j := range peer.IPBlock.Except {
				add(func(s *networkingv1.NetworkPolicySpec) { at(s).IPBlock.Except = without(at(s).IPBlock.Except, j) })
			}
		}
	}
	for i := range ports {
		at := func(s *networkingv1.NetworkPolicySpec) *networkingv1.NetworkPolicyPort {
			_, p := rule(s)
			return &(*p)[i]
		}
		add(func(s *networkingv1.NetworkPolicySpec) { at(s).EndPort = nil })
		add(func(s *networkingv1.NetworkPolicySpec) { at(s).Protocol = nil })
	}
}

// simplerSelector takes single things from a selector, which is found in a copy of a policy by at.
func simplerSelector[S any](add func(func(*S)), at func(*S) *metav1.LabelSelector, is *metav1.LabelSelector) {
	if is == nil {
		return
	}
	if len(is.MatchLabels)+len(is.MatchExpressions) > 0 {
		add(func(s *S) { *at(s) = metav1.LabelSelector{} })
	}
	for _, key := range slices.Sorted(maps.Keys(is.MatchLabels)) {
		add(func(s *S) { delete(at(s).MatchLabels, key) })
	}
	for i, r := range is.MatchExpressions {
		add(func(s *S) { at(s).MatchExpressions = without(at(s).MatchExpressions, i) })
		for j := range r.Values {
			if len(r.Values) > 1 {
				add(func(s *S) { at(s).MatchExpressions[i].Values = without(r.Values, j) })
			}
		}
	}
}
