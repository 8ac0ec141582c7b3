package workloads

import (
	"fmt"
	"net/netip"
	"slices"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// metadataName is the label that the API gives every namespace.
const metadataName = "kubernetes.io/metadata.name"

// Endpoint is one side of a connection: a pod of the state, or else an address outside it.
type Endpoint struct {
	Pod  Key
	Addr netip.Addr // of a pod: the one of its addresses that the connection uses; invalid: any
}

// Decision is what the policies in force say of a connection, and which of them said it.
type Decision struct {
	Allowed bool
	Why     string
}

// Allows says whether a new connection may be made, by NetworkPolicy v1: the source's egress and the destination's
// ingress must both allow it.
func (s State) Allows(from, to Endpoint, proto corev1.Protocol, port uint16) Decision {
	return s.allows(from, to, proto, port, func(Pod) bool { return true })
}

// Passes says whether the local node lets a new connection pass: as Allows, but each pod's policies are enforced on its own
// node, so that those of remote pods count for nothing.
func (s State) Passes(from, to Endpoint, proto corev1.Protocol, port uint16) Decision {
	return s.allows(from, to, proto, port, func(p Pod) bool { return p.Node == s.LocalNode })
}

func (s State) allows(from, to Endpoint, proto corev1.Protocol, port uint16, enforced func(Pod) bool) Decision {
	for _, e := range []Endpoint{from, to} {
		if _, ok := s.Pods[e.Pod]; !ok && e.Pod != (Key{}) {
			return Decision{false, fmt.Sprintf("pod %s is not in the state", e.Pod)}
		}
	}
	if from.Pod == to.Pod && from.Pod != (Key{}) {
		return Decision{true, "a pod always reaches itself"}
	}
	service := service{proto, port, s.Pods[to.Pod].Ports}
	out := s.direction(from, to, service, networkingv1.PolicyTypeEgress, enforced)
	if !out.Allowed {
		return out
	}
	in := s.direction(to, from, service, networkingv1.PolicyTypeIngress, enforced)
	if !in.Allowed {
		return in
	}
	return Decision{true, out.Why + "; " + in.Why}
}

// service is what a connection is made to, with the names that its pod gives to ports.
type service struct {
	proto corev1.Protocol
	port  uint16
	named []NamedPort
}

// direction decides for one side: self is the pod whose policies count, peer the other end.
func (s State) direction(self, peer Endpoint, to service, kind networkingv1.PolicyType, enforced func(Pod) bool) Decision {
	pod, ok := s.Pods[self.Pod]
	if !ok {
		return Decision{true, string(kind) + ": no pod"}
	}
	if !enforced(pod) {
		return Decision{true, string(kind) + ": not enforced here"}
	}
	isolating := ""
	for _, key := range sortedKeys(s.Policies) {
		policy := s.Policies[key]
		if key.Namespace != pod.Namespace || !slices.Contains(policyTypes(policy.Spec), kind) || !matches(&policy.Spec.PodSelector, pod.Labels) {
			continue
		}
		isolating = key.String()
		for i, r := range rules(policy.Spec, kind) {
			if s.peersMatch(r.Peers, key.Namespace, peer) && portsMatch(r.Ports, to) {
				return Decision{true, fmt.Sprintf("%s: rule %d of %s", kind, i, key)}
			}
		}
	}
	if isolating != "" {
		return Decision{false, fmt.Sprintf("%s: isolated by %s, no rule allows it", kind, isolating)}
	}
	return Decision{true, string(kind) + ": not isolated"}
}

// policyTypes applies the default of the API: ingress always, egress if there are egress rules.
func policyTypes(spec networkingv1.NetworkPolicySpec) []networkingv1.PolicyType {
	if len(spec.PolicyTypes) > 0 {
		return spec.PolicyTypes
	}
	if len(spec.Egress) > 0 {
		return []networkingv1.PolicyType{networkingv1.PolicyTypeIngress, networkingv1.PolicyTypeEgress}
	}
	return []networkingv1.PolicyType{networkingv1.PolicyTypeIngress}
}

// Rule is a rule of either direction: no peers are all peers, no ports are all ports.
type Rule struct {
	Peers []networkingv1.NetworkPolicyPeer
	Ports []networkingv1.NetworkPolicyPort
}

func rules(spec networkingv1.NetworkPolicySpec, kind networkingv1.PolicyType) []Rule {
	var all []Rule
	if kind == networkingv1.PolicyTypeIngress {
		for _, r := range spec.Ingress {
			all = append(all, Rule{r.From, r.Ports})
		}
		return all
	}
	for _, r := range spec.Egress {
		all = append(all, Rule{r.To, r.Ports})
	}
	return all
}

func (s State) peersMatch(peers []networkingv1.NetworkPolicyPeer, namespace string, e Endpoint) bool {
	return len(peers) == 0 || slices.ContainsFunc(peers, func(p networkingv1.NetworkPolicyPeer) bool { return s.peerMatches(p, namespace, e) })
}

func (s State) peerMatches(p networkingv1.NetworkPolicyPeer, namespace string, e Endpoint) bool {
	pod, isPod := s.Pods[e.Pod]
	if p.IPBlock != nil {
		addrs := []netip.Addr{e.Addr}
		if !e.Addr.IsValid() {
			addrs = pod.IPs
		}
		return slices.ContainsFunc(addrs, func(a netip.Addr) bool { return blockContains(p.IPBlock, a) })
	}
	if !isPod {
		return false
	}
	if p.NamespaceSelector == nil {
		if pod.Namespace != namespace {
			return false
		}
	} else {
		set := labels.Merge(s.Namespaces[pod.Namespace].Labels, labels.Set{metadataName: pod.Namespace})
		if !matches(p.NamespaceSelector, set) {
			return false
		}
	}
	return p.PodSelector == nil || matches(p.PodSelector, pod.Labels)
}

func blockContains(b *networkingv1.IPBlock, addr netip.Addr) bool {
	in := func(cidr string) bool {
		prefix, err := netip.ParsePrefix(cidr)
		return err == nil && addr.IsValid() && prefix.Contains(addr)
	}
	return in(b.CIDR) && !slices.ContainsFunc(b.Except, in)
}

func portsMatch(ports []networkingv1.NetworkPolicyPort, to service) bool {
	return len(ports) == 0 || slices.ContainsFunc(ports, func(p networkingv1.NetworkPolicyPort) bool {
		want := corev1.ProtocolTCP
		if p.Protocol != nil {
			want = *p.Protocol
		}
		if want != to.proto {
			return false
		}
		if p.Port == nil {
			return true
		}
		if p.Port.Type == intstr.String {
			return slices.Contains(to.named, NamedPort{p.Port.StrVal, to.proto, to.port})
		}
		first, last := p.Port.IntVal, p.Port.IntVal
		if p.EndPort != nil {
			last = *p.EndPort
		}
		return int32(to.port) >= first && int32(to.port) <= last
	})
}

func matches(l *metav1.LabelSelector, set map[string]string) bool {
	return selector(l).Matches(labels.Set(set))
}
