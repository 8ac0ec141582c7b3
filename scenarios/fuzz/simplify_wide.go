package fuzz

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	policyv1alpha2 "sigs.k8s.io/network-policy-api/apis/v1alpha2"
)

type (
	wideSpec    = policyv1alpha2.ClusterNetworkPolicySpec
	wideSubject = policyv1alpha2.ClusterNetworkPolicySubject
)

// allPods is the simplest subject and the simplest peer.
var allPods = wideSubject{Namespaces: &metav1.LabelSelector{}}

func inWide(change func(*wideSpec)) func(Op) (Op, bool) {
	return func(op Op) (Op, bool) {
		if op.Wide == nil {
			return op, false
		}
		before := extent(op)
		op.Wide = op.Wide.DeepCopy()
		change(op.Wide)
		return op, extent(op) < before
	}
}

// simplerWide takes single things from a cluster-wide policy. The last peer of a rule stays, for the API wants one.
func simplerWide(op Op) (all []Op) {
	add := func(change func(*wideSpec)) {
		simpler, _ := inWide(change)(op)
		all = append(all, simpler)
	}
	for i, r := range op.Wide.Ingress {
		add(func(s *wideSpec) { s.Ingress = without(s.Ingress, i) })
		for j, p := range r.From {
			if len(r.From) > 1 {
				add(func(s *wideSpec) { s.Ingress[i].From = without(s.Ingress[i].From, j) })
			}
			simplerPods(add, func(s *wideSpec) wideSubject { return wideSubject(s.Ingress[i].From[j]) }, wideSubject(p))
		}
		for j := range r.Protocols {
			add(func(s *wideSpec) { s.Ingress[i].Protocols = without(s.Ingress[i].Protocols, j) })
		}
	}
	for i, r := range op.Wide.Egress {
		add(func(s *wideSpec) { s.Egress = without(s.Egress, i) })
		for j, p := range r.To {
			if len(r.To) > 1 {
				add(func(s *wideSpec) { s.Egress[i].To = without(s.Egress[i].To, j) })
			}
			at := func(s *wideSpec) *policyv1alpha2.ClusterNetworkPolicyEgressPeer { return &s.Egress[i].To[j] }
			simplerPods(add, func(s *wideSpec) wideSubject { return wideSubject{Namespaces: at(s).Namespaces, Pods: at(s).Pods} },
				wideSubject{Namespaces: p.Namespaces, Pods: p.Pods})
			for n := range p.Networks {
				if len(p.Networks) > 1 {
					add(func(s *wideSpec) { at(s).Networks = without(at(s).Networks, n) })
				}
			}
		}
		for j := range r.Protocols {
			add(func(s *wideSpec) { s.Egress[i].Protocols = without(s.Egress[i].Protocols, j) })
		}
	}
	simplerPods(add, func(s *wideSpec) wideSubject { return s.Subject }, op.Wide.Subject)
	return all
}

// simplerPods takes single things from the selectors of a subject or a peer, which are found in a copy of the policy by at.
func simplerPods(add func(func(*wideSpec)), at func(*wideSpec) wideSubject, is wideSubject) {
	simplerSelector(add, func(s *wideSpec) *metav1.LabelSelector { return at(s).Namespaces }, is.Namespaces)
	if is.Pods != nil {
		simplerSelector(add, func(s *wideSpec) *metav1.LabelSelector { return &at(s).Pods.NamespaceSelector }, &is.Pods.NamespaceSelector)
		simplerSelector(add, func(s *wideSpec) *metav1.LabelSelector { return &at(s).Pods.PodSelector }, &is.Pods.PodSelector)
	}
}
