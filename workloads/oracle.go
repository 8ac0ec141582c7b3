package workloads

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// metadataName is the label that the API gives every namespace.
const metadataName = "kubernetes.io/metadata.name"

var everything = &metav1.LabelSelector{}

// Tier is what policies of one rank belong to.
type Tier string

// The tiers.
const (
	AdminTier    Tier = "Admin"
	NetworkTier  Tier = "NetworkPolicy"
	BaselineTier Tier = "Baseline"
)

// Tiers are the tiers in the order in which they are asked: what none of one tier decides, the next one may.
var Tiers = []Tier{AdminTier, NetworkTier, BaselineTier}

// Endpoint is one side of a connection: a pod of the state, one of its nodes itself, or else an address outside.
type Endpoint struct {
	Pod  Key
	Node string     // of a node itself
	Addr netip.Addr // of a pod or node: the address that the connection uses; invalid: its first one of a family that both sides have
}

// String returns the pod's, the node's name, or the address.
func (e Endpoint) String() string {
	switch {
	case e.Pod != Key{}:
		return e.Pod.String()
	case e.Node != "":
		return "node " + e.Node
	}
	return e.Addr.String()
}

// Decision is what the policies in force say of a connection.
type Decision struct {
	Allowed bool
	Why     string // the policies and rules that made it, of both directions if it is allowed; rules are counted from 0
}

// Allows says whether a new connection may be made, by the specifications of NetworkPolicy v1, AdminNetworkPolicy and
// BaselineAdminNetworkPolicy v1alpha1, and ClusterNetworkPolicy v1alpha2: the source's egress and the destination's ingress must both allow it. A pod that has no
// address neither reaches nor is reached; whether a pod is ready does not count. A pod and its own node reach each other whatever
// the NetworkPolicies say. For more than one question about a state, ask an Index.
func (s State) Allows(from, to Endpoint, proto corev1.Protocol, port uint16) Decision {
	return NewIndex(s).Allows(from, to, proto, port)
}

// Passes says whether the local node lets a new connection pass: as Allows, but each pod's policies are enforced on its own
// node, so that those of remote pods count for nothing.
func (s State) Passes(from, to Endpoint, proto corev1.Protocol, port uint16) Decision {
	return NewIndex(s).Passes(from, to, proto, port)
}

// Allows is as that of State.
func (x *Index) Allows(from, to Endpoint, proto corev1.Protocol, port uint16) Decision {
	return x.decide(from, to, proto, port, func(Pod) bool { return true })
}

// Passes is as that of State.
func (x *Index) Passes(from, to Endpoint, proto corev1.Protocol, port uint16) Decision {
	return x.decide(from, to, proto, port, x.local)
}

// end is one side of a connection, looked up.
type end struct {
	pod   Pod
	isPod bool
	node  string // of a node itself
	addr  netip.Addr
}

func (x *Index) decide(from, to Endpoint, proto corev1.Protocol, port uint16, enforced func(Pod) bool) Decision {
	source, target, obstacle := x.ends(from, to)
	if obstacle != "" {
		return Decision{false, obstacle}
	}
	if source.isPod && target.isPod && from.Pod == to.Pod {
		return Decision{true, "a pod always reaches itself"}
	}
	service := service{proto, port, target.pod.Ports}
	out := x.direction(source, target, service, networkingv1.PolicyTypeEgress, enforced)
	if !out.Allowed {
		return out
	}
	in := x.direction(target, source, service, networkingv1.PolicyTypeIngress, enforced)
	if !in.Allowed {
		return in
	}
	return Decision{true, out.Why + "; " + in.Why}
}

// ends looks up both sides and their addresses, and says what keeps them apart whatever the policies.
func (x *Index) ends(from, to Endpoint) (source, target end, obstacle string) {
	var addrs [2][]netip.Addr
	ends := [2]end{}
	for i, e := range []Endpoint{from, to} {
		if ends[i], addrs[i], obstacle = x.end(e); obstacle != "" {
			return source, target, obstacle
		}
	}
	for _, a := range addrs[0] {
		for _, b := range addrs[1] {
			if a.Is4() == b.Is4() {
				ends[0].addr, ends[1].addr = a, b
				return ends[0], ends[1], ""
			}
		}
	}
	return source, target, fmt.Sprintf("%s and %s have no address of one family", from, to)
}

// end looks up one side and the addresses that it may use.
func (x *Index) end(e Endpoint) (found end, addrs []netip.Addr, obstacle string) {
	switch pod, node := x.pod(e.Pod), x.nodes.Named(e.Node); {
	case e.Pod != Key{} && pod.Key == Key{}:
		return found, nil, fmt.Sprintf("pod %s is not in the state", e.Pod)
	case e.Pod != Key{} && len(pod.IPs) == 0:
		return found, nil, fmt.Sprintf("pod %s has no address", e.Pod)
	case e.Pod != Key{} && e.Addr.IsValid() && !slices.Contains(pod.IPs, e.Addr):
		return found, nil, fmt.Sprintf("pod %s has not the address %s", e.Pod, e.Addr)
	case e.Pod != Key{}:
		found.pod, found.isPod, addrs = pod, true, pod.IPs
	case e.Node != "" && node.Name == "":
		return found, nil, fmt.Sprintf("node %s is not in the state", e.Node)
	case e.Node != "":
		found.node, addrs = e.Node, []netip.Addr{node.IP}
	}
	if e.Addr.IsValid() {
		addrs = []netip.Addr{e.Addr}
	}
	if addrs = slices.DeleteFunc(slices.Clone(addrs), func(a netip.Addr) bool { return !a.IsValid() }); len(addrs) == 0 {
		return found, nil, fmt.Sprintf("%s has no address", e)
	}
	return found, addrs, ""
}

// direction decides for one side: self is the one whose policies count, if it is a pod.
func (x *Index) direction(self, peer end, to service, kind networkingv1.PolicyType, enforced func(Pod) bool) Decision {
	if !self.isPod {
		return Decision{true, string(kind) + ": no pod"}
	}
	if !enforced(self.pod) {
		return Decision{true, string(kind) + ": not enforced here"}
	}
	applying, before := x.Applying(self.pod, kind), ""
	for _, tier := range Tiers {
		policies := slices.DeleteFunc(slices.Clone(applying), func(p *Ruleset) bool { return p.Tier != tier })
		if tier == NetworkTier && len(policies) > 0 && peer.node != "" && peer.node == self.pod.Node {
			return Decision{true, fmt.Sprintf("%s%s: rules of %s are not between a pod and its own node", before, kind, titles(policies))}
		}
		switch action, why := x.ask(policies, peer, to, kind); {
		case action == Pass:
			before = why + " passes it on; "
		case action != "":
			return Decision{action == Allow, before + why}
		case tier == NetworkTier && len(policies) > 0:
			return Decision{false, fmt.Sprintf("%s%s: isolated by %s, no rule allows it", before, kind, titles(policies))}
		}
	}
	return Decision{true, before + string(kind) + ": not isolated"}
}

// ask returns the action of the first rule that matches, and which rule that is; none if none does.
func (x *Index) ask(policies []*Ruleset, peer end, to service, kind networkingv1.PolicyType) (action Action, why string) {
	for _, p := range policies {
		for i, r := range p.Rules(kind) {
			if r.matches(x, peer, to) {
				return r.Action, fmt.Sprintf("%s: rule %d of %s", kind, i, p)
			}
		}
	}
	return "", ""
}

func titles(policies []*Ruleset) string {
	all := make([]string, 0, len(policies))
	for _, p := range policies {
		all = append(all, p.String())
	}
	return strings.Join(all, " and ")
}
