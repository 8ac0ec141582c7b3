package workloads

import (
	"net"
	"net/netip"
	"slices"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"
	netutils "k8s.io/utils/net"
)

// Ruleset is a policy of any kind in the words of one: whom it holds for, and its rules. It is never changed once it is made.
type Ruleset struct {
	Kind     Kind
	Tier     Tier
	Priority int32 // within its tier, the lowest number first; 0 of kinds that have none
	Key      Key   // of cluster-wide policies the namespace is empty
	Subject  Peer  // the pods that it holds for
	in, out  []Rule
	types    []networkingv1.PolicyType
}

// String returns the policy's kind and name; of a NetworkPolicy namespace and name alone.
func (r *Ruleset) String() string {
	if r.Kind == NetworkKind {
		return r.Key.String()
	}
	return string(r.Kind) + " " + r.Key.Name
}

// Rules returns the rules of one direction, in order; those of a direction in which the policy does not hold are among them.
func (r *Ruleset) Rules(kind networkingv1.PolicyType) []Rule {
	if kind == networkingv1.PolicyTypeIngress {
		return r.in
	}
	return r.out
}

// Holds reports whether the policy holds in that direction.
func (r *Ruleset) Holds(kind networkingv1.PolicyType) bool { return slices.Contains(r.types, kind) }

// Action is what a rule does with the connections that it matches.
type Action string

// The actions of rules. NetworkPolicies have Allow alone, the BaselineAdminNetworkPolicy has no Pass.
const (
	Allow Action = "Allow"
	Deny  Action = "Deny"
	Pass  Action = "Pass" // to the next tier
)

// Rule is a rule of one direction: it matches what has one of the peers at its other end and is made to one of the ports.
type Rule struct {
	Action Action
	Peers  []Peer // none: whatever is at the other end
	Ports  []Port // none: all
}

// Peer is what a policy can name: pods by their labels and their namespace's, networks, or nodes.
type Peer struct {
	Namespace  string                // of the pods, where Namespaces is nil
	Namespaces *metav1.LabelSelector // of the pods' namespaces
	Pods       *metav1.LabelSelector // of the pods; nil: all
	Networks   []netip.Prefix        // where there are some, they alone count; one that the API would refuse is invalid and holds nothing
	Except     []netip.Prefix        // parts of Networks that do not count
	Block      *networkingv1.IPBlock // Networks and Except as a NetworkPolicy writes them; nil: it is no NetworkPolicy's
	Nodes      *metav1.LabelSelector // where it is not nil, it alone counts

	namespaces, pods, nodes labels.Selector // the same, ready for use
}

// Port is a port, a range of ports, or what pods call so.
type Port struct {
	Protocol    corev1.Protocol // empty, of a name alone: any
	Name        string
	First, Last uint16 // inclusive; 0 and 0, without a name: all of the protocol
}

func podsPeer(namespace string, namespaces, pods *metav1.LabelSelector) Peer {
	p := Peer{Namespace: namespace, Namespaces: namespaces, Pods: pods, namespaces: labels.Everything(), pods: labels.Everything()}
	if namespaces != nil {
		p.Namespace, p.namespaces = "", selector(namespaces)
	}
	if pods != nil {
		p.pods = selector(pods)
	}
	return p
}

// Directions are a policy's types, by the default of the API if it says none: ingress always, egress if there are egress rules.
func Directions(spec networkingv1.NetworkPolicySpec) []networkingv1.PolicyType {
	if len(spec.PolicyTypes) > 0 {
		return spec.PolicyTypes
	}
	types := []networkingv1.PolicyType{networkingv1.PolicyTypeIngress}
	if len(spec.Egress) > 0 {
		types = append(types, networkingv1.PolicyTypeEgress)
	}
	return types
}

// ruleset applies the defaults of the API: of policy types, and of protocols TCP.
func (p Policy) ruleset() *Ruleset {
	r := &Ruleset{Kind: NetworkKind, Tier: NetworkTier, Key: p.Key, Subject: podsPeer(p.Namespace, nil, &p.Spec.PodSelector), types: Directions(p.Spec)}
	for _, rule := range p.Spec.Ingress {
		r.in = append(r.in, networkRule(p.Namespace, rule.From, rule.Ports))
	}
	for _, rule := range p.Spec.Egress {
		r.out = append(r.out, networkRule(p.Namespace, rule.To, rule.Ports))
	}
	return r
}

func networkRule(namespace string, peers []networkingv1.NetworkPolicyPeer, ports []networkingv1.NetworkPolicyPort) Rule {
	r := Rule{Action: Allow}
	for _, p := range peers {
		if p.IPBlock == nil {
			r.Peers = append(r.Peers, podsPeer(namespace, p.NamespaceSelector, p.PodSelector))
			continue
		}
		parse := netutils.ParseCIDRSloppy // as API servers do: of 1.36 and later, they no longer accept all that it reads
		r.Peers = append(r.Peers, Peer{Networks: networks(parse, []string{p.IPBlock.CIDR}), Except: networks(parse, p.IPBlock.Except), Block: p.IPBlock})
	}
	for _, p := range ports {
		port := Port{Protocol: corev1.ProtocolTCP}
		if p.Protocol != nil {
			port.Protocol = *p.Protocol
		}
		switch {
		case p.Port == nil:
		case p.Port.Type == intstr.String:
			port.Name = p.Port.StrVal
		default:
			port.First = uint16(p.Port.IntVal)
			port.Last = port.First
			if p.EndPort != nil {
				port.Last = uint16(*p.EndPort)
			}
		}
		r.Ports = append(r.Ports, port)
	}
	return r
}

// networks reads all by one of net.ParseCIDR and netutils.ParseCIDRSloppy. What they refuse is the zero prefix, which holds nothing; bits beyond
// the prefix don't count, and an IPv4 network written as a part of IPv6's is that of IPv4.
func networks[S ~string](parse func(string) (net.IP, *net.IPNet, error), cidrs []S) []netip.Prefix {
	var all []netip.Prefix
	for _, c := range cidrs {
		_, network, err := parse(string(c))
		if err != nil {
			all = append(all, netip.Prefix{})
			continue
		}
		addr, _ := netip.AddrFromSlice(network.IP)
		bits, _ := network.Mask.Size()
		if addr.Is4In6() {
			bits -= 96
		}
		all = append(all, netip.PrefixFrom(addr.Unmap(), bits))
	}
	return all
}

// selector treats one that the API would refuse as one that selects nothing.
func selector(l *metav1.LabelSelector) labels.Selector {
	s, err := metav1.LabelSelectorAsSelector(l)
	if err != nil {
		return labels.Nothing()
	}
	return s
}

// has reports whether the peer means that end of a connection.
func (p Peer) has(x *Index, e end) bool {
	switch {
	case len(p.Networks) > 0:
		in := func(n netip.Prefix) bool { return n.Contains(e.addr) }
		return slices.ContainsFunc(p.Networks, in) && !slices.ContainsFunc(p.Except, in)
	case p.nodes != nil:
		return e.node != "" && p.nodes.Matches(x.nodeLabels(e.node))
	}
	return e.isPod && p.hasPod(x, e.pod)
}

func (p Peer) hasPod(x *Index, pod Pod) bool {
	return p.hasNamespace(x, pod.Namespace) && p.hasPodLabels(pod)
}

func (p Peer) hasPodLabels(pod Pod) bool { return p.pods != nil && p.pods.Matches(marked(pod.Labels)) }

func (p Peer) hasNamespace(x *Index, name string) bool { return p.hasLabels(name, x.namespace(name)) }

func (p Peer) hasLabels(name string, of labels.Labels) bool {
	if p.Namespaces == nil && p.Namespace != "" {
		return name == p.Namespace
	}
	return p.namespaces != nil && p.namespaces.Matches(of)
}

// marked are an object's labels as the API has them: with the one by which a fleet marks what it makes (see owned).
type marked map[string]string

// Has reports whether there is such a label.
func (l marked) Has(key string) bool {
	_, ok := l.Lookup(key)
	return ok
}

// Get returns a label's value.
func (l marked) Get(key string) string {
	value, _ := l.Lookup(key)
	return value
}

// Lookup returns a label's value, and whether there is one.
func (l marked) Lookup(key string) (string, bool) {
	value, ok := l[key]
	if !ok && key == managedBy {
		return manager, true
	}
	return value, ok
}

// service is what a connection is made to, with the names that its pod gives to ports.
type service struct {
	proto corev1.Protocol
	port  uint16
	named []NamedPort
}

func (p Port) has(to service) bool {
	if p.Protocol != "" && p.Protocol != to.proto {
		return false
	}
	if p.Name != "" {
		return slices.Contains(to.named, NamedPort{p.Name, to.proto, to.port})
	}
	return p.First == 0 && p.Last == 0 && p.Protocol != "" || p.First <= to.port && to.port <= p.Last && p.Last != 0
}

func (r Rule) matches(x *Index, e end, to service) bool {
	return (len(r.Peers) == 0 || slices.ContainsFunc(r.Peers, func(p Peer) bool { return p.has(x, e) })) &&
		(len(r.Ports) == 0 || slices.ContainsFunc(r.Ports, func(p Port) bool { return p.has(to) }))
}
