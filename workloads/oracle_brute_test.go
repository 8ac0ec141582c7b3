package workloads

import (
	"cmp"
	"net"
	"net/netip"
	"slices"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	policyv1alpha1 "sigs.k8s.io/network-policy-api/apis/v1alpha1"
	policyv1alpha2 "sigs.k8s.io/network-policy-api/apis/v1alpha2"
)

// The second oracle writes out, for each pod and direction, the verdict of every connection of a small universe, policy by policy:
// each rule becomes the explicit set of the connections that it means. It shares no code with the first, not even selectors.

// party is whoever can stand at one end of a connection of the universe: one address of a pod, a node, or neither.
type party struct {
	pod  Key
	node string
	addr netip.Addr
}

// tuple is a connection of one pod in one direction.
type tuple struct {
	peer  party
	proto corev1.Protocol
	port  uint16
}

const (
	universeFirst = 78 // ports of the universe
	universeLast  = 84
)

var universeProtocols = []corev1.Protocol{tcp, udp, sctp}

// brute is the second oracle of one state.
type brute struct {
	s       State
	parties []party
	in, out map[party]map[tuple]bool // allowed, of the pods' parties
}

func newBrute(s State, enforced func(Pod) bool) brute {
	b := brute{s: s, in: map[party]map[tuple]bool{}, out: map[party]map[tuple]bool{}}
	for _, k := range s.Pods().Keys() {
		for _, ip := range s.Pods().Get(k).IPs {
			b.parties = append(b.parties, party{pod: k, addr: ip})
		}
	}
	for _, node := range s.Nodes().List() {
		n := node.Name
		b.parties = append(b.parties, party{node: n, addr: s.Nodes().Named(n).IP})
	}
	for _, a := range outside {
		b.parties = append(b.parties, party{addr: a})
	}
	for _, self := range b.parties {
		if pod, ok := s.Pods().Lookup(self.pod); ok && enforced(pod) {
			b.in[self], b.out[self] = b.verdicts(pod, true), b.verdicts(pod, false)
		}
	}
	return b
}

func (b brute) allows(from, to party, proto corev1.Protocol, port uint16) bool {
	if from.addr.Is4() != to.addr.Is4() {
		return false
	}
	if from.pod == to.pod && from.pod != (Key{}) {
		return true
	}
	in, held := b.in[to]
	if held && !in[tuple{from, proto, port}] {
		return false
	}
	out, held := b.out[from]
	return !held || out[tuple{to, proto, port}]
}

// verdicts decides every connection of one pod in one direction.
func (b brute) verdicts(pod Pod, ingress bool) map[tuple]bool {
	allowed, open := map[tuple]bool{}, b.universe()
	b.settleTier("Admin", pod, ingress, open, allowed)
	isolated, let := false, map[tuple]bool{}
	for _, p := range b.s.Policies().All() {
		if p.Namespace == pod.Namespace && bruteSelects(p.Spec.PodSelector, pod.Labels) && bruteHolds(p.Spec, ingress) {
			isolated = true
			b.networkRules(p, pod, ingress, let)
		}
	}
	for t := range open {
		if isolated {
			allowed[t] = let[t] || t.peer.node != "" && t.peer.node == pod.Node
			delete(open, t)
		}
	}
	b.settleTier("Baseline", pod, ingress, open, allowed)
	for t := range open {
		allowed[t] = true
	}
	return allowed
}

// ranked is a cluster-wide policy written out.
type ranked struct {
	priority int32
	name     string
	rules    []expanded
}

// settleTier decides what the cluster-wide policies of a tier decide.
func (b brute) settleTier(tier string, pod Pod, ingress bool, open, allowed map[tuple]bool) {
	var all []ranked
	for _, p := range b.s.AdminPolicies().All() {
		if tier == "Admin" {
			all = append(all, ranked{p.Spec.Priority, p.Name, b.adminRules(p.Spec, pod, ingress)})
		}
	}
	for _, p := range b.s.Baseline().All() {
		if tier == "Baseline" {
			all = append(all, ranked{0, p.Name, b.adminRules(bruteBaseline(p.Spec), pod, ingress)})
		}
	}
	for _, p := range b.s.ClusterPolicies().All() {
		if string(p.Spec.Tier) == tier {
			all = append(all, ranked{p.Spec.Priority, p.Name, b.clusterRules(p.Spec, pod, ingress)})
		}
	}
	slices.SortFunc(all, func(x, y ranked) int { return cmp.Or(cmp.Compare(x.priority, y.priority), cmp.Compare(x.name, y.name)) })
	passed := map[tuple]bool{}
	for _, p := range all {
		for _, r := range p.rules {
			settle(r, open, passed, allowed)
		}
	}
}

// bruteBaseline takes a baseline for an admin policy.
func bruteBaseline(s policyv1alpha1.BaselineAdminNetworkPolicySpec) policyv1alpha1.AdminNetworkPolicySpec {
	spec := policyv1alpha1.AdminNetworkPolicySpec{Subject: s.Subject}
	for _, r := range s.Ingress {
		spec.Ingress = append(spec.Ingress, policyv1alpha1.AdminNetworkPolicyIngressRule{Action: policyv1alpha1.AdminNetworkPolicyRuleAction(r.Action), From: r.From, Ports: r.Ports})
	}
	for _, r := range s.Egress {
		rule := policyv1alpha1.AdminNetworkPolicyEgressRule{Action: policyv1alpha1.AdminNetworkPolicyRuleAction(r.Action), Ports: r.Ports}
		for _, to := range r.To {
			rule.To = append(rule.To, policyv1alpha1.AdminNetworkPolicyEgressPeer{Namespaces: to.Namespaces, Pods: to.Pods, Nodes: to.Nodes, Networks: to.Networks})
		}
		spec.Egress = append(spec.Egress, rule)
	}
	return spec
}

func (b brute) universe() map[tuple]bool {
	all := map[tuple]bool{}
	for _, p := range b.parties {
		for _, proto := range universeProtocols {
			for port := uint16(universeFirst); port <= universeLast; port++ {
				all[tuple{p, proto, port}] = true
			}
		}
	}
	return all
}

// expanded is an admin rule written out.
type expanded struct {
	action string
	means  map[tuple]bool
}

// settle gives what a rule means and no rule before it meant its verdict.
func settle(r expanded, open, passed, allowed map[tuple]bool) {
	for t := range r.means {
		switch {
		case !open[t] || passed[t]:
		case r.action == "Pass":
			passed[t] = true
		default:
			allowed[t] = r.action == "Allow" || r.action == "Accept"
			delete(open, t)
		}
	}
}

func (b brute) adminRules(spec policyv1alpha1.AdminNetworkPolicySpec, pod Pod, ingress bool) (all []expanded) {
	if !b.named(spec.Subject.Namespaces, spec.Subject.Pods, pod.Key) {
		return nil
	}
	add := func(action policyv1alpha1.AdminNetworkPolicyRuleAction, ports *[]policyv1alpha1.AdminNetworkPolicyPort, has func(party) bool) {
		r := expanded{string(action), map[tuple]bool{}}
		for t := range b.universe() {
			if has(t.peer) && b.adminPort(ports, t, pod.Key, ingress) {
				r.means[t] = true
			}
		}
		all = append(all, r)
	}
	if ingress {
		for _, r := range spec.Ingress {
			add(r.Action, r.Ports, func(p party) bool {
				return slices.ContainsFunc(r.From, func(f policyv1alpha1.AdminNetworkPolicyIngressPeer) bool { return b.named(f.Namespaces, f.Pods, p.pod) })
			})
		}
		return all
	}
	for _, r := range spec.Egress {
		add(r.Action, r.Ports, func(p party) bool {
			return slices.ContainsFunc(r.To, func(to policyv1alpha1.AdminNetworkPolicyEgressPeer) bool {
				for _, n := range to.Networks {
					if bruteContains(string(n), p.addr) {
						return true
					}
				}
				return to.Nodes != nil && p.node != "" && bruteSelects(*to.Nodes, b.s.Nodes().Named(p.node).Labels) || b.named(to.Namespaces, to.Pods, p.pod)
			})
		})
	}
	return all
}

func (b brute) clusterRules(spec policyv1alpha2.ClusterNetworkPolicySpec, pod Pod, ingress bool) (all []expanded) {
	if !b.named(spec.Subject.Namespaces, (*policyv1alpha1.NamespacedPod)(spec.Subject.Pods), pod.Key) {
		return nil
	}
	add := func(action policyv1alpha2.ClusterNetworkPolicyRuleAction, protocols []policyv1alpha2.ClusterNetworkPolicyProtocol, has func(party) bool) {
		r := expanded{string(action), map[tuple]bool{}}
		for t := range b.universe() {
			if has(t.peer) && b.clusterPort(protocols, t, pod.Key, ingress) {
				r.means[t] = true
			}
		}
		all = append(all, r)
	}
	if ingress {
		for _, r := range spec.Ingress {
			add(r.Action, r.Protocols, func(p party) bool {
				return slices.ContainsFunc(r.From, func(f policyv1alpha2.ClusterNetworkPolicyIngressPeer) bool {
					return b.named(f.Namespaces, (*policyv1alpha1.NamespacedPod)(f.Pods), p.pod)
				})
			})
		}
		return all
	}
	for _, r := range spec.Egress {
		add(r.Action, r.Protocols, func(p party) bool {
			return slices.ContainsFunc(r.To, func(to policyv1alpha2.ClusterNetworkPolicyEgressPeer) bool {
				for _, n := range to.Networks {
					if bruteContains(string(n), p.addr) {
						return true
					}
				}
				return to.Nodes != nil && p.node != "" && bruteSelects(*to.Nodes, b.s.Nodes().Named(p.node).Labels) ||
					b.named(to.Namespaces, (*policyv1alpha1.NamespacedPod)(to.Pods), p.pod)
			})
		})
	}
	return all
}

func (b brute) clusterPort(protocols []policyv1alpha2.ClusterNetworkPolicyProtocol, t tuple, self Key, ingress bool) bool {
	for _, p := range protocols {
		of := func(proto corev1.Protocol, port *policyv1alpha2.Port) bool {
			switch {
			case proto != t.proto:
				return false
			case port == nil:
				return true
			case port.Range != nil:
				return port.Range.Start <= int32(t.port) && int32(t.port) <= port.Range.End
			}
			return port.Number == int32(t.port)
		}
		switch {
		case p.TCP != nil && of("TCP", p.TCP.DestinationPort), p.UDP != nil && of("UDP", p.UDP.DestinationPort),
			p.SCTP != nil && of("SCTP", p.SCTP.DestinationPort), p.DestinationNamedPort != "" && b.calls(p.DestinationNamedPort, t, self, ingress):
			return true
		}
	}
	return len(protocols) == 0
}

func (b brute) named(namespaces *metav1.LabelSelector, pods *policyv1alpha1.NamespacedPod, k Key) bool {
	pod, ok := b.s.Pods().Lookup(k)
	switch {
	case !ok:
		return false
	case pods != nil:
		return bruteSelects(pods.NamespaceSelector, b.labels(k.Namespace)) && bruteSelects(pods.PodSelector, pod.Labels)
	}
	return namespaces != nil && bruteSelects(*namespaces, b.labels(k.Namespace))
}

func (b brute) labels(namespace string) map[string]string {
	labels := map[string]string{"kubernetes.io/metadata.name": namespace}
	for k, v := range b.s.Namespaces().Named(namespace).Labels {
		labels[k] = v
	}
	return labels
}

// calls reports whether the pod that is connected to calls the port so.
func (b brute) calls(name string, t tuple, self Key, ingress bool) bool {
	owner := t.peer.pod
	if ingress {
		owner = self
	}
	for _, p := range b.s.Pods().Get(owner).Ports {
		if p.Name == name && p.Protocol == t.proto && p.Port == t.port {
			return true
		}
	}
	return false
}

func (b brute) adminPort(ports *[]policyv1alpha1.AdminNetworkPolicyPort, t tuple, self Key, ingress bool) bool {
	if ports == nil {
		return true
	}
	for _, p := range *ports {
		if n := p.PortNumber; n != nil && cmp.Or(n.Protocol, "TCP") == t.proto && n.Port == int32(t.port) {
			return true
		}
		if r := p.PortRange; r != nil && cmp.Or(r.Protocol, "TCP") == t.proto && r.Start <= int32(t.port) && int32(t.port) <= r.End {
			return true
		}
		if p.NamedPort != nil && b.calls(*p.NamedPort, t, self, ingress) {
			return true
		}
	}
	return false
}

func bruteHolds(s networkingv1.NetworkPolicySpec, ingress bool) bool {
	if len(s.PolicyTypes) == 0 {
		return ingress || len(s.Egress) > 0
	}
	for _, t := range s.PolicyTypes {
		if (t == "Ingress") == ingress {
			return true
		}
	}
	return false
}

// networkRules adds what the policy lets through.
func (b brute) networkRules(p Policy, pod Pod, ingress bool, let map[tuple]bool) {
	type rule struct {
		peers []networkingv1.NetworkPolicyPeer
		ports []networkingv1.NetworkPolicyPort
	}
	var rules []rule
	for _, r := range p.Spec.Ingress {
		if ingress {
			rules = append(rules, rule{r.From, r.Ports})
		}
	}
	for _, r := range p.Spec.Egress {
		if !ingress {
			rules = append(rules, rule{r.To, r.Ports})
		}
	}
	for t := range b.universe() {
		for _, r := range rules {
			peer, port := len(r.peers) == 0, len(r.ports) == 0
			for _, q := range r.peers {
				peer = peer || b.networkPeer(q, p.Namespace, t.peer)
			}
			for _, q := range r.ports {
				port = port || b.networkPort(q, t, pod.Key, ingress)
			}
			if peer && port {
				let[t] = true
			}
		}
	}
}

func (b brute) networkPeer(q networkingv1.NetworkPolicyPeer, namespace string, p party) bool {
	if q.IPBlock != nil {
		in := bruteContains(q.IPBlock.CIDR, p.addr)
		for _, e := range q.IPBlock.Except {
			in = in && !bruteContains(e, p.addr)
		}
		return in
	}
	pod, ok := b.s.Pods().Lookup(p.pod)
	if !ok || q.NamespaceSelector == nil && pod.Namespace != namespace {
		return false
	}
	return (q.NamespaceSelector == nil || bruteSelects(*q.NamespaceSelector, b.labels(pod.Namespace))) &&
		(q.PodSelector == nil || bruteSelects(*q.PodSelector, pod.Labels))
}

func (b brute) networkPort(q networkingv1.NetworkPolicyPort, t tuple, self Key, ingress bool) bool {
	if q.Protocol == nil && t.proto != "TCP" || q.Protocol != nil && *q.Protocol != t.proto {
		return false
	}
	switch {
	case q.Port == nil:
		return true
	case q.Port.StrVal != "":
		return b.calls(q.Port.StrVal, t, self, ingress)
	case q.EndPort != nil:
		return q.Port.IntVal <= int32(t.port) && int32(t.port) <= *q.EndPort
	}
	return q.Port.IntVal == int32(t.port)
}

func bruteContains(cidr string, a netip.Addr) bool {
	_, network, err := net.ParseCIDR(cidr)
	return err == nil && network.Contains(net.IP(a.AsSlice()))
}

func bruteSelects(s metav1.LabelSelector, labels map[string]string) bool {
	for k, v := range s.MatchLabels {
		if got, ok := labels[k]; !ok || got != v {
			return false
		}
	}
	for _, e := range s.MatchExpressions {
		got, ok := labels[e.Key]
		listed := false
		for _, v := range e.Values {
			listed = listed || ok && v == got
		}
		holds := map[metav1.LabelSelectorOperator]bool{"In": listed, "NotIn": !listed, "Exists": ok, "DoesNotExist": !ok}
		if !holds[e.Operator] {
			return false
		}
	}
	return true
}
