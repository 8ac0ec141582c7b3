package workloads

import (
	corev1 "k8s.io/api/core/v1"
	policyv1alpha1 "sigs.k8s.io/network-policy-api/apis/v1alpha1"
	policyv1alpha2 "sigs.k8s.io/network-policy-api/apis/v1alpha2"
)

// ruleset takes a domain name, of which nothing says the addresses, for a peer that means nothing.
func (p ClusterPolicy) ruleset() *Ruleset {
	r := &Ruleset{Kind: ClusterKind, Tier: Tier(p.Spec.Tier), Priority: p.Spec.Priority, Key: Key{Name: p.Name}, Subject: clusterPods(p.Spec.Subject)}
	for _, rule := range p.Spec.Ingress {
		var peers []Peer
		for _, from := range rule.From {
			peers = append(peers, clusterPods(policyv1alpha2.ClusterNetworkPolicySubject(from)))
		}
		r.in = append(r.in, Rule{clusterAction(rule.Action), peers, clusterPorts(rule.Protocols)})
	}
	for _, rule := range p.Spec.Egress {
		var peers []Peer
		for _, to := range rule.To {
			peers = append(peers, egressPeer(clusterPods(policyv1alpha2.ClusterNetworkPolicySubject{Namespaces: to.Namespaces, Pods: to.Pods}), to.Nodes, to.Networks))
		}
		r.out = append(r.out, Rule{clusterAction(rule.Action), peers, clusterPorts(rule.Protocols)})
	}
	return r.typed()
}

func clusterAction(a policyv1alpha2.ClusterNetworkPolicyRuleAction) Action {
	if a == policyv1alpha2.ClusterNetworkPolicyRuleActionAccept {
		return Allow
	}
	return Action(a)
}

func clusterPods(s policyv1alpha2.ClusterNetworkPolicySubject) Peer {
	return subject(olderSubject(s))
}

func clusterPorts(protocols []policyv1alpha2.ClusterNetworkPolicyProtocol) []Port {
	var all []Port
	for _, p := range protocols {
		if p.DestinationNamedPort != "" {
			all = append(all, Port{Name: p.DestinationNamedPort})
			continue
		}
		protocol, port := clusterPort(p)
		all = append(all, Port{protocol, "", uint16(port.Start), uint16(port.End)})
	}
	return all
}

// clusterPort returns the protocol and its ports; none, from 0 to 0, are all of the protocol.
func clusterPort(p policyv1alpha2.ClusterNetworkPolicyProtocol) (protocol corev1.Protocol, ports policyv1alpha2.PortRange) {
	var port *policyv1alpha2.Port
	switch {
	case p.TCP != nil:
		protocol, port = corev1.ProtocolTCP, p.TCP.DestinationPort
	case p.UDP != nil:
		protocol, port = corev1.ProtocolUDP, p.UDP.DestinationPort
	case p.SCTP != nil:
		protocol, port = corev1.ProtocolSCTP, p.SCTP.DestinationPort
	}
	switch {
	case port == nil:
	case port.Range != nil:
		ports = *port.Range
	default:
		ports = policyv1alpha2.PortRange{Start: port.Number, End: port.Number}
	}
	return protocol, ports
}

// AsAdmin says a policy of the Admin tier in the words of the older API.
func AsAdmin(s policyv1alpha2.ClusterNetworkPolicySpec) policyv1alpha1.AdminNetworkPolicySpec {
	older := policyv1alpha1.AdminNetworkPolicySpec{Priority: s.Priority, Subject: olderSubject(s.Subject)}
	for _, r := range s.Ingress {
		older.Ingress = append(older.Ingress, policyv1alpha1.AdminNetworkPolicyIngressRule{
			Name: r.Name, Action: policyv1alpha1.AdminNetworkPolicyRuleAction(clusterAction(r.Action)), From: olderSources(r.From), Ports: olderPorts(r.Protocols),
		})
	}
	for _, r := range s.Egress {
		rule := policyv1alpha1.AdminNetworkPolicyEgressRule{
			Name: r.Name, Action: policyv1alpha1.AdminNetworkPolicyRuleAction(clusterAction(r.Action)), Ports: olderPorts(r.Protocols),
		}
		for _, p := range r.To {
			pods := olderSubject(policyv1alpha2.ClusterNetworkPolicySubject{Namespaces: p.Namespaces, Pods: p.Pods})
			rule.To = append(rule.To, policyv1alpha1.AdminNetworkPolicyEgressPeer{
				Namespaces: pods.Namespaces, Pods: pods.Pods, Nodes: p.Nodes, Networks: converted[policyv1alpha1.CIDR](p.Networks),
				DomainNames: converted[policyv1alpha1.DomainName](p.DomainNames),
			})
		}
		older.Egress = append(older.Egress, rule)
	}
	return older
}

// AsBaseline says a policy of the Baseline tier in the words of the older API, which has neither priorities nor Pass there: what
// passes is allowed, as what no baseline decides is.
func AsBaseline(s policyv1alpha2.ClusterNetworkPolicySpec) policyv1alpha1.BaselineAdminNetworkPolicySpec {
	older := policyv1alpha1.BaselineAdminNetworkPolicySpec{Subject: olderSubject(s.Subject)}
	action := func(a policyv1alpha2.ClusterNetworkPolicyRuleAction) policyv1alpha1.BaselineAdminNetworkPolicyRuleAction {
		if a == policyv1alpha2.ClusterNetworkPolicyRuleActionDeny {
			return policyv1alpha1.BaselineAdminNetworkPolicyRuleActionDeny
		}
		return policyv1alpha1.BaselineAdminNetworkPolicyRuleActionAllow
	}
	for _, r := range s.Ingress {
		older.Ingress = append(older.Ingress, policyv1alpha1.BaselineAdminNetworkPolicyIngressRule{
			Name: r.Name, Action: action(r.Action), From: olderSources(r.From), Ports: olderPorts(r.Protocols),
		})
	}
	for _, r := range s.Egress {
		rule := policyv1alpha1.BaselineAdminNetworkPolicyEgressRule{Name: r.Name, Action: action(r.Action), Ports: olderPorts(r.Protocols)}
		for _, p := range r.To {
			pods := olderSubject(policyv1alpha2.ClusterNetworkPolicySubject{Namespaces: p.Namespaces, Pods: p.Pods})
			rule.To = append(rule.To, policyv1alpha1.BaselineAdminNetworkPolicyEgressPeer{
				Namespaces: pods.Namespaces, Pods: pods.Pods, Nodes: p.Nodes, Networks: converted[policyv1alpha1.CIDR](p.Networks),
			})
		}
		older.Egress = append(older.Egress, rule)
	}
	return older
}

func olderSubject(s policyv1alpha2.ClusterNetworkPolicySubject) policyv1alpha1.AdminNetworkPolicySubject {
	return policyv1alpha1.AdminNetworkPolicySubject{Namespaces: s.Namespaces, Pods: (*policyv1alpha1.NamespacedPod)(s.Pods)}
}

func olderSources(peers []policyv1alpha2.ClusterNetworkPolicyIngressPeer) []policyv1alpha1.AdminNetworkPolicyIngressPeer {
	var older []policyv1alpha1.AdminNetworkPolicyIngressPeer
	for _, p := range peers {
		older = append(older, policyv1alpha1.AdminNetworkPolicyIngressPeer(olderSubject(policyv1alpha2.ClusterNetworkPolicySubject(p))))
	}
	return older
}

// olderPorts says all ports of a protocol, for which the older API has no word, as a range.
func olderPorts(protocols []policyv1alpha2.ClusterNetworkPolicyProtocol) *[]policyv1alpha1.AdminNetworkPolicyPort {
	if len(protocols) == 0 {
		return nil
	}
	var older []policyv1alpha1.AdminNetworkPolicyPort
	for _, p := range protocols {
		protocol, ports := clusterPort(p)
		switch {
		case p.DestinationNamedPort != "":
			older = append(older, policyv1alpha1.AdminNetworkPolicyPort{NamedPort: new(p.DestinationNamedPort)})
		case ports.Start == 0:
			older = append(older, policyv1alpha1.AdminNetworkPolicyPort{PortRange: &policyv1alpha1.PortRange{Protocol: protocol, Start: 1, End: 65535}})
		case ports.Start == ports.End:
			older = append(older, policyv1alpha1.AdminNetworkPolicyPort{PortNumber: &policyv1alpha1.Port{Protocol: protocol, Port: ports.Start}})
		default:
			older = append(older, policyv1alpha1.AdminNetworkPolicyPort{PortRange: &policyv1alpha1.PortRange{Protocol: protocol, Start: ports.Start, End: ports.End}})
		}
	}
	return &older
}

func converted[To, From ~string](all []From) []To {
	var out []To
	for _, s := range all {
		out = append(out, To(s))
	}
	return out
}
