package workloads

import (
	"net"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1alpha1 "sigs.k8s.io/network-policy-api/apis/v1alpha1"
)

// AdminPolicy is an AdminNetworkPolicy. Of several with one priority the first by name comes first: the specification leaves that
// open.
type AdminPolicy struct {
	Name string
	Spec policyv1alpha1.AdminNetworkPolicySpec
}

// BaselineName is the name of the only BaselineAdminNetworkPolicy that the API accepts.
const BaselineName = "default"

// BaselinePolicy is the BaselineAdminNetworkPolicy.
type BaselinePolicy struct {
	Name string // BaselineName
	Spec policyv1alpha1.BaselineAdminNetworkPolicySpec
}

func adminRuleset(p AdminPolicy) *Ruleset {
	r := &Ruleset{Tier: AdminTier, Key: Key{Name: p.Name}, Subject: subject(p.Spec.Subject), priority: p.Spec.Priority}
	for _, rule := range p.Spec.Ingress {
		r.in = append(r.in, Rule{Action(rule.Action), ingressPeers(rule.From), adminPorts(rule.Ports)})
	}
	for _, rule := range p.Spec.Egress {
		r.out = append(r.out, Rule{Action(rule.Action), egressPeers(rule.To), adminPorts(rule.Ports)})
	}
	return r.typed()
}

func baselineRuleset(p BaselinePolicy) *Ruleset {
	r := &Ruleset{Tier: BaselineTier, Key: Key{Name: p.Name}, Subject: subject(p.Spec.Subject)}
	for _, rule := range p.Spec.Ingress {
		r.in = append(r.in, Rule{Action(rule.Action), ingressPeers(rule.From), adminPorts(rule.Ports)})
	}
	for _, rule := range p.Spec.Egress {
		r.out = append(r.out, Rule{Action(rule.Action), egressPeers(rule.To), adminPorts(rule.Ports)})
	}
	return r.typed()
}

// typed lets an admin policy hold in the directions of which it has rules.
func (r *Ruleset) typed() *Ruleset {
	if len(r.in) > 0 {
		r.types = append(r.types, networkingv1.PolicyTypeIngress)
	}
	if len(r.out) > 0 {
		r.types = append(r.types, networkingv1.PolicyTypeEgress)
	}
	return r
}

func subject(s policyv1alpha1.AdminNetworkPolicySubject) Peer {
	if s.Pods != nil {
		return podsPeer("", &s.Pods.NamespaceSelector, &s.Pods.PodSelector)
	}
	if s.Namespaces != nil {
		return podsPeer("", s.Namespaces, nil)
	}
	return Peer{}
}

// ingressPeers leaves a peer of which nothing is set, which the API refuses, as one that means nothing.
func ingressPeers(peers []policyv1alpha1.AdminNetworkPolicyIngressPeer) []Peer {
	var all []Peer
	for _, p := range peers {
		all = append(all, subject(policyv1alpha1.AdminNetworkPolicySubject(p)))
	}
	return all
}

func egressPeers(peers []policyv1alpha1.AdminNetworkPolicyEgressPeer) []Peer {
	var all []Peer
	for _, p := range peers {
		switch {
		case p.Nodes != nil:
			all = append(all, Peer{Nodes: p.Nodes, nodes: selector(p.Nodes)})
		case len(p.Networks) > 0:
			all = append(all, Peer{Networks: networks(net.ParseCIDR, p.Networks)})
		default:
			all = append(all, subject(policyv1alpha1.AdminNetworkPolicySubject{Namespaces: p.Namespaces, Pods: p.Pods}))
		}
	}
	return all
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
