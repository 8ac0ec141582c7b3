package workloads

import (
	"fmt"
	"net/netip"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"pgregory.net/rapid"
	policyv1alpha1 "sigs.k8s.io/network-policy-api/apis/v1alpha1"
	policyv1alpha2 "sigs.k8s.io/network-policy-api/apis/v1alpha2"
)

// outside are addresses of neither pods nor nodes.
var outside = []netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")}

var (
	drawnProtocols = rapid.SampledFrom(universeProtocols)
	drawnPort      = rapid.Int32Range(universeFirst, universeLast)
	drawnName      = rapid.SampledFrom([]string{"one", "two"})
	drawnValue     = rapid.SampledFrom([]string{"0", "1", "2"})
	drawnKey       = rapid.SampledFrom([]string{"x", "y", "z"})
	drawnBlock     = rapid.SampledFrom([]string{"0.0.0.0/0", "::/0", "10.128.0.0/29", "10.128.0.2/31", "10.128.0.3/32", "198.18.0.0/16", "fd00:f00d::/126", "fd00:f00d::5/128", "192.0.2.0/24"})
)

// drawnState draws a state of the small universe.
func drawnState(t *rapid.T) State {
	s := NewState("here")
	for i, name := range []string{"here", "there"} {
		s.Put(Node{Name: name, Local: i == 0, IP: address(poolNode, i+1), Labels: map[string]string{"x": fmt.Sprint(i)}})
	}
	for i := range 2 {
		name := fmt.Sprintf("ns-%d", i)
		s.Put(Namespace{Name: name, Labels: drawnLabels(t)})
	}
	for i := range rapid.IntRange(1, 5).Draw(t, "pods") {
		k := Key{fmt.Sprintf("ns-%d", i%2), fmt.Sprintf("pod-%d", i)}
		s.Put(drawnPod(t, k, i))
	}
	for i := range rapid.IntRange(0, 4).Draw(t, "policies") {
		k := Key{fmt.Sprintf("ns-%d", i%2), fmt.Sprintf("np-%d", i)}
		s.Put(Policy{Key: k, Spec: drawnPolicy(t)})
	}
	for i := range rapid.IntRange(0, 3).Draw(t, "admin policies") {
		name := fmt.Sprintf("anp-%d", i)
		spec := policyv1alpha1.AdminNetworkPolicySpec{Priority: rapid.Int32Range(0, 2).Draw(t, "priority")}
		spec.Subject, spec.Ingress, spec.Egress = drawnAdmin(t)
		s.Put(AdminPolicy{Name: name, Spec: spec})
	}
	if rapid.Bool().Draw(t, "baseline") {
		s.Put(BaselinePolicy{Name: BaselineName, Spec: drawnBaseline(t)})
	}
	for i := range rapid.IntRange(0, 3).Draw(t, "cluster policies") {
		name := fmt.Sprintf("cnp-%d", i)
		s.Put(ClusterPolicy{Name: name, Spec: drawnCluster(t)})
	}
	return s
}

func drawnLabels(t *rapid.T) map[string]string {
	return rapid.MapOfN(drawnKey, drawnValue, 0, 2).Draw(t, "labels")
}

func drawnPod(t *rapid.T, k Key, i int) Pod {
	families := [][]netip.Addr{{address(PoolV4, i+1)}, {address(PoolV6, i+1)}, {address(PoolV4, i+1), address(PoolV6, i+1)}, nil}
	ports := []NamedPort{{"one", tcp, 80}, {"one", tcp, 81}, {"two", udp, 80}, {"two", sctp, 82}}
	return Pod{
		Key: k, Node: rapid.SampledFrom([]string{"here", "there"}).Draw(t, "node"), Labels: drawnLabels(t), IPs: rapid.SampledFrom(families).Draw(t, "addresses"),
		Ports: rapid.SliceOfNDistinct(rapid.SampledFrom(ports), 0, 2, func(p NamedPort) string { return p.Name }).Draw(t, "ports"),
	}
}

func drawnSelector(t *rapid.T) *metav1.LabelSelector {
	key, value := drawnKey.Draw(t, "key"), drawnValue.Draw(t, "value")
	switch rapid.SampledFrom([]string{"all", "is", "in", "not in", "exists", "does not", "name", "two"}).Draw(t, "selector") {
	case "is":
		return is(key, value)
	case "in":
		return where(key, metav1.LabelSelectorOpIn, value, "1")
	case "not in":
		return where(key, metav1.LabelSelectorOpNotIn, value)
	case "exists":
		return where(key, metav1.LabelSelectorOpExists)
	case "does not":
		return where(key, metav1.LabelSelectorOpDoesNotExist)
	case "name":
		return is(metadataName, "ns-"+value)
	case "two":
		s := where("y", metav1.LabelSelectorOpDoesNotExist)
		s.MatchLabels = map[string]string{key: value}
		return s
	}
	return is()
}

func drawnPolicy(t *rapid.T) networkingv1.NetworkPolicySpec {
	spec := networkingv1.NetworkPolicySpec{PodSelector: *drawnSelector(t)}
	for range rapid.IntRange(0, 2).Draw(t, "ingress rules") {
		spec.Ingress = append(spec.Ingress, networkingv1.NetworkPolicyIngressRule{From: drawnPeers(t), Ports: drawnPorts(t)})
	}
	for range rapid.IntRange(0, 2).Draw(t, "egress rules") {
		spec.Egress = append(spec.Egress, networkingv1.NetworkPolicyEgressRule{To: drawnPeers(t), Ports: drawnPorts(t)})
	}
	types := []networkingv1.PolicyType{networkingv1.PolicyTypeIngress, networkingv1.PolicyTypeEgress}
	spec.PolicyTypes = rapid.SampledFrom([][]networkingv1.PolicyType{nil, types[:1], types[1:], types}).Draw(t, "types")
	return spec
}

func drawnPeers(t *rapid.T) (peers []peer) {
	for range rapid.IntRange(0, 2).Draw(t, "peers") {
		switch rapid.SampledFrom([]string{"pods", "namespaces", "both", "block"}).Draw(t, "peer") {
		case "pods":
			peers = append(peers, peer{PodSelector: drawnSelector(t)})
		case "namespaces":
			peers = append(peers, peer{NamespaceSelector: drawnSelector(t)})
		case "both":
			peers = append(peers, peer{NamespaceSelector: drawnSelector(t), PodSelector: drawnSelector(t)})
		case "block":
			peers = append(peers, block(drawnBlock.Draw(t, "block"), rapid.SliceOfN(drawnBlock, 0, 1).Draw(t, "except")...))
		}
	}
	return peers
}

func drawnPorts(t *rapid.T) (ports []networkingv1.NetworkPolicyPort) {
	for range rapid.IntRange(0, 2).Draw(t, "ports of a rule") {
		proto, first := drawnProtocols.Draw(t, "protocol"), drawnPort.Draw(t, "port")
		switch rapid.SampledFrom([]string{"protocol", "number", "range", "name", "default"}).Draw(t, "kind of port") {
		case "protocol":
			ports = append(ports, on(proto))
		case "number":
			ports = append(ports, on(proto, first))
		case "range":
			ports = append(ports, on(proto, first, first+2))
		case "name":
			p := on(proto)
			p.Port = new(intstr.FromString(drawnName.Draw(t, "name")))
			ports = append(ports, p)
		case "default":
			ports = append(ports, networkingv1.NetworkPolicyPort{Port: new(intstr.FromInt32(first))})
		}
	}
	return ports
}

func drawnSubject(t *rapid.T) policyv1alpha1.AdminNetworkPolicySubject {
	if rapid.Bool().Draw(t, "by namespaces") {
		return policyv1alpha1.AdminNetworkPolicySubject{Namespaces: drawnSelector(t)}
	}
	return policyv1alpha1.AdminNetworkPolicySubject{Pods: &policyv1alpha1.NamespacedPod{NamespaceSelector: *drawnSelector(t), PodSelector: *drawnSelector(t)}}
}

func drawnAdmin(t *rapid.T) (s policyv1alpha1.AdminNetworkPolicySubject, in []policyv1alpha1.AdminNetworkPolicyIngressRule, out []policyv1alpha1.AdminNetworkPolicyEgressRule) {
	action := rapid.SampledFrom([]policyv1alpha1.AdminNetworkPolicyRuleAction{"Allow", "Deny", "Pass"})
	for range rapid.IntRange(0, 2).Draw(t, "ingress rules") {
		in = append(in, policyv1alpha1.AdminNetworkPolicyIngressRule{Action: action.Draw(t, "action"), From: drawnIngressPeers(t), Ports: drawnAdminPorts(t)})
	}
	for range rapid.IntRange(0, 2).Draw(t, "egress rules") {
		out = append(out, policyv1alpha1.AdminNetworkPolicyEgressRule{Action: action.Draw(t, "action"), To: drawnEgressPeers(t), Ports: drawnAdminPorts(t)})
	}
	return drawnSubject(t), in, out
}

func drawnBaseline(t *rapid.T) policyv1alpha1.BaselineAdminNetworkPolicySpec {
	action := rapid.SampledFrom([]policyv1alpha1.BaselineAdminNetworkPolicyRuleAction{"Allow", "Deny"})
	spec := policyv1alpha1.BaselineAdminNetworkPolicySpec{Subject: drawnSubject(t)}
	for range rapid.IntRange(0, 2).Draw(t, "ingress rules") {
		spec.Ingress = append(spec.Ingress, policyv1alpha1.BaselineAdminNetworkPolicyIngressRule{Action: action.Draw(t, "action"), From: drawnIngressPeers(t), Ports: drawnAdminPorts(t)})
	}
	for range rapid.IntRange(0, 2).Draw(t, "egress rules") {
		rule := policyv1alpha1.BaselineAdminNetworkPolicyEgressRule{Action: action.Draw(t, "action"), Ports: drawnAdminPorts(t)}
		for _, p := range drawnEgressPeers(t) {
			rule.To = append(rule.To, policyv1alpha1.BaselineAdminNetworkPolicyEgressPeer{Namespaces: p.Namespaces, Pods: p.Pods, Nodes: p.Nodes, Networks: p.Networks})
		}
		spec.Egress = append(spec.Egress, rule)
	}
	return spec
}

func drawnCluster(t *rapid.T) policyv1alpha2.ClusterNetworkPolicySpec {
	action := rapid.SampledFrom([]policyv1alpha2.ClusterNetworkPolicyRuleAction{"Accept", "Deny", "Pass"})
	spec := policyv1alpha2.ClusterNetworkPolicySpec{
		Tier:     rapid.SampledFrom([]policyv1alpha2.Tier{"Admin", "Baseline"}).Draw(t, "tier"),
		Priority: rapid.Int32Range(0, 2).Draw(t, "priority"), Subject: drawnClusterPods(t),
	}
	for range rapid.IntRange(0, 2).Draw(t, "ingress rules") {
		rule := policyv1alpha2.ClusterNetworkPolicyIngressRule{Action: action.Draw(t, "action"), Protocols: drawnProtocolPorts(t)}
		for range rapid.IntRange(1, 2).Draw(t, "peers") {
			rule.From = append(rule.From, policyv1alpha2.ClusterNetworkPolicyIngressPeer(drawnClusterPods(t)))
		}
		spec.Ingress = append(spec.Ingress, rule)
	}
	for range rapid.IntRange(0, 2).Draw(t, "egress rules") {
		rule := policyv1alpha2.ClusterNetworkPolicyEgressRule{Action: action.Draw(t, "action"), Protocols: drawnProtocolPorts(t)}
		for _, p := range drawnEgressPeers(t) {
			to := policyv1alpha2.ClusterNetworkPolicyEgressPeer{Namespaces: p.Namespaces, Pods: (*policyv1alpha2.NamespacedPod)(p.Pods), Nodes: p.Nodes}
			for _, n := range p.Networks {
				to.Networks = append(to.Networks, policyv1alpha2.CIDR(n))
			}
			rule.To = append(rule.To, to)
		}
		spec.Egress = append(spec.Egress, rule)
	}
	return spec
}

func drawnClusterPods(t *rapid.T) policyv1alpha2.ClusterNetworkPolicySubject {
	s := drawnSubject(t)
	return policyv1alpha2.ClusterNetworkPolicySubject{Namespaces: s.Namespaces, Pods: (*policyv1alpha2.NamespacedPod)(s.Pods)}
}

func drawnProtocolPorts(t *rapid.T) (all []policyv1alpha2.ClusterNetworkPolicyProtocol) {
	for range rapid.IntRange(0, 2).Draw(t, "ports of a rule") {
		first := drawnPort.Draw(t, "port")
		port := rapid.SampledFrom([]*policyv1alpha2.Port{nil, {Number: first}, {Range: &policyv1alpha2.PortRange{Start: first, End: first + 2}}}).Draw(t, "kind of port")
		var p policyv1alpha2.ClusterNetworkPolicyProtocol
		switch rapid.SampledFrom([]string{"TCP", "UDP", "SCTP", "name"}).Draw(t, "protocol or name") {
		case "TCP":
			p.TCP = &policyv1alpha2.ClusterNetworkPolicyProtocolTCP{DestinationPort: port}
		case "UDP":
			p.UDP = &policyv1alpha2.ClusterNetworkPolicyProtocolUDP{DestinationPort: port}
		case "SCTP":
			p.SCTP = &policyv1alpha2.ClusterNetworkPolicyProtocolSCTP{DestinationPort: port}
		case "name":
			p.DestinationNamedPort = drawnName.Draw(t, "name")
		}
		all = append(all, p)
	}
	return all
}

func drawnIngressPeers(t *rapid.T) (peers []policyv1alpha1.AdminNetworkPolicyIngressPeer) {
	for range rapid.IntRange(1, 2).Draw(t, "peers") {
		peers = append(peers, policyv1alpha1.AdminNetworkPolicyIngressPeer(drawnSubject(t)))
	}
	return peers
}

func drawnEgressPeers(t *rapid.T) (peers []policyv1alpha1.AdminNetworkPolicyEgressPeer) {
	for range rapid.IntRange(1, 2).Draw(t, "peers") {
		var p policyv1alpha1.AdminNetworkPolicyEgressPeer
		switch rapid.SampledFrom([]string{"pods", "nodes", "networks"}).Draw(t, "peer") {
		case "pods":
			s := drawnSubject(t)
			p.Namespaces, p.Pods = s.Namespaces, s.Pods
		case "nodes":
			p.Nodes = drawnSelector(t)
		case "networks":
			for _, b := range rapid.SliceOfN(drawnBlock, 1, 2).Draw(t, "networks") {
				p.Networks = append(p.Networks, policyv1alpha1.CIDR(b))
			}
		}
		peers = append(peers, p)
	}
	return peers
}

func drawnAdminPorts(t *rapid.T) *[]policyv1alpha1.AdminNetworkPolicyPort {
	var ports []policyv1alpha1.AdminNetworkPolicyPort
	for range rapid.IntRange(0, 2).Draw(t, "ports of a rule") {
		proto, first := rapid.OneOf(drawnProtocols, rapid.Just(corev1.Protocol(""))).Draw(t, "protocol"), drawnPort.Draw(t, "port")
		switch rapid.SampledFrom([]string{"number", "range", "name"}).Draw(t, "kind of port") {
		case "number":
			ports = append(ports, policyv1alpha1.AdminNetworkPolicyPort{PortNumber: &policyv1alpha1.Port{Protocol: proto, Port: first}})
		case "range":
			ports = append(ports, policyv1alpha1.AdminNetworkPolicyPort{PortRange: &policyv1alpha1.PortRange{Protocol: proto, Start: first, End: first + 2}})
		case "name":
			ports = append(ports, policyv1alpha1.AdminNetworkPolicyPort{NamedPort: new(drawnName.Draw(t, "name"))})
		}
	}
	if ports == nil {
		return nil
	}
	return &ports
}
