package workloads

import (
	"net"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	policyv1alpha1 "sigs.k8s.io/network-policy-api/apis/v1alpha1"
)

func (p AdminPolicy) ruleset() *Ruleset {
	r := &Ruleset{Kind: AdminKind, Tier: AdminTier, Priority: p.Spec.Priority, Key: Key{Name: p.Name}, Subject: subject(p.Spec.Subject)}
	for _, rule := range p.Spec.Ingress {
		r.in = append(r.in, Rule{Action(rule.Action), ingressPeers(rule.From), adminPorts(rule.Ports)})
	}
	for _, rule := range p.Spec.Egress {
		var peers []Peer
		for _, to := range rule.To {
			peers = append(peers, egressPeer(subject(policyv1alpha1.AdminNetworkPolicySubject{Namespaces: to.Namespaces, Pods: to.Pods}), to.Nodes, to.Networks))
		}
		r.out = append(r.out, Rule{Action(rule.Action), peers, adminPorts(rule.Ports)})
	}
	return r.typed()
}

func (p BaselinePolicy) ruleset() *Ruleset {
	r := &Ruleset{Kind: BaselineKind, Tier: BaselineTier, Key: Key{Name: p.Name}, Subject: subject(p.Spec.Subject)}
	for _, rule := range p.Spec.Ingress {
		r.in = append(r.in, Rule{Action(rule.Action), ingressPeers(rule.From), adminPorts(rule.Ports)})
	}
	for _, rule := range p.Spec.Egress {
		var peers []Peer
		for _, to := range rule.To {
			peers = append(peers, egressPeer(subject(policyv1alpha1.AdminNetworkPolicySubject{Namespaces: to.Namespaces, Pods: to.Pods}), to.Nodes, to.Networks))
		}
		r.out = append(r.out, Rule{Action(rule.Action), peers, adminPorts(rule.Ports)})
	}
	return r.typed()
}

// typed lets a cluster-wide policy hold in the directions of which it has rules.
func (r *Ruleset) typed() *Ruleset {
	if len(r.in) > 0 {
		r.types = append(r.types, networkingv1.PolicyTypeIngress)
	}
	if len(r.out) > 0 {
		r.types = append(r.types, networkingv1.PolicyTypeEgress)
	}
	return r
}

// subject leaves one of which nothing is set, which the API refuses, as one that means nothing.
func subject(s policyv1alpha1.AdminNetworkPolicySubject) Peer {
	if s.Pods != nil {
		return podsPeer("", &s.Pods.NamespaceSelector, &s.Pods.PodSelector)
	}
	if s.Namespaces != nil {
		return podsPeer("", s.Namespaces, nil)
	}
	return Peer{}
}

func ingressPeers(peers []policyv1alpha1.AdminNetworkPolicyIngressPeer) []Peer {
	var all []Peer
	for _, p := range peers {
		all = append(all, subject(policyv1alpha1.AdminNetworkPolicySubject(p)))
	}
	return all
}

// egressPeer is the peer by its nodes or its networks, where it has them; else the one given.
func egressPeer[S ~string](pods Peer, nodes *metav1.LabelSelector, cidrs []S) Peer {
	switch {
	case nodes != nil:
		return Peer{Nodes: nodes, nodes: selector(nodes)}
	case len(cidrs) > 0:
		return Peer{Networks: networks(net.ParseCIDR, cidrs)}
	}
	return pods
}

func adminPorts(ports *[]policyv1alpha1.AdminNetworkPolicyPort) []Port {
	if ports == nil {
		return nil
	}
	protocol := func(p corev1.Protocol) corev1.Protocol {
		if p == "" {
			return corev1.ProtocolTCP
		}
		return p
	}
	var all []Port
	for _, p := range *ports {
		switch {
		case p.PortNumber != nil:
			all = append(all, Port{protocol(p.PortNumber.Protocol), "", uint16(p.PortNumber.Port), uint16(p.PortNumber.Port)})
		case p.PortRange != nil:
			all = append(all, Port{protocol(p.PortRange.Protocol), "", uint16(p.PortRange.Start), uint16(p.PortRange.End)})
		case p.NamedPort != nil:
			all = append(all, Port{Name: *p.NamedPort})
		}
	}
	return all
}
