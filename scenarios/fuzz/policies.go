package fuzz

import (
	"fmt"
	"net/netip"
	"slices"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/nodefv/nodefv/scenarios/effects"
	"github.com/nodefv/nodefv/workloads"
)

func (g *Generator) addPolicy() Op {
	g.policies++
	namespace := g.namespace()
	return Op{Do: AddPolicy, Namespace: namespace, Name: fmt.Sprintf("policy-%d", g.policies), Spec: g.spec()}
}

func (g *Generator) policy() (namespace, name string) {
	k := one(g, g.model.Policies().Keys())
	return k.Namespace, k.Name
}

func (g *Generator) changePolicy() Op {
	op := Op{Do: ChangePolicy, Spec: g.spec()}
	op.Namespace, op.Name = g.policy()
	if !g.wishes.Known {
		before := g.model.Policies().Get(workloads.Key{Namespace: op.Namespace, Name: op.Name}).Spec
		op.Spec.PodSelector, op.Spec.PolicyTypes = *before.PodSelector.DeepCopy(), slices.Clone(workloads.Directions(before))
		for i := range op.Spec.Ingress {
			rangesAlone(&op.Spec.Ingress[i].Ports)
		}
		for i := range op.Spec.Egress {
			rangesAlone(&op.Spec.Egress[i].Ports)
		}
	}
	return op
}

// rangesAlone leaves one of several ports if there is a range among them.
func rangesAlone(ports *[]networkingv1.NetworkPolicyPort) {
	if slices.ContainsFunc(*ports, func(p networkingv1.NetworkPolicyPort) bool { return p.EndPort != nil }) {
		*ports = (*ports)[:1]
	}
}

func (g *Generator) removePolicy() Op {
	op := Op{Do: RemovePolicy}
	op.Namespace, op.Name = g.policy()
	return op
}

// spec draws a policy of any shape that the API takes: either direction or both, said or left to the API's default, without
// rules, with empty ones, or with up to three.
func (g *Generator) spec() *networkingv1.NetworkPolicySpec {
	spec := &networkingv1.NetworkPolicySpec{PodSelector: *g.selector(podLabels)}
	switch g.rand.IntN(5) {
	case 0:
	case 1, 2:
		spec.PolicyTypes = []networkingv1.PolicyType{networkingv1.PolicyTypeIngress}
	case 3:
		spec.PolicyTypes = []networkingv1.PolicyType{networkingv1.PolicyTypeEgress}
	case 4:
		spec.PolicyTypes = []networkingv1.PolicyType{networkingv1.PolicyTypeIngress, networkingv1.PolicyTypeEgress}
	}
	for range g.few(3) {
		spec.Ingress = append(spec.Ingress, networkingv1.NetworkPolicyIngressRule{From: g.peers(), Ports: g.ports()})
	}
	for range g.few(2) {
		spec.Egress = append(spec.Egress, networkingv1.NetworkPolicyEgressRule{To: g.peers(), Ports: g.ports()})
	}
	// Sometimes there are rules of a direction that is not enforced.
	if slices.Equal(spec.PolicyTypes, []networkingv1.PolicyType{networkingv1.PolicyTypeIngress}) && g.chance(70) {
		spec.Egress = nil
	}
	return spec
}

// few is a number up to most, small ones being likelier.
func (g *Generator) few(most int) int { return min(g.rand.IntN(most+1), g.rand.IntN(most+1)+1) }

// selector draws one with each operator in turn, alone or together; some select nothing and some everything.
func (g *Generator) selector(of vocabulary) *metav1.LabelSelector {
	s := &metav1.LabelSelector{}
	if g.chance(20) {
		return s
	}
	if g.chance(60) {
		word := one(g, of)
		s.MatchLabels = map[string]string{word.key: g.value(word.values)}
	}
	for range g.few(2) {
		word := one(g, of)
		r := metav1.LabelSelectorRequirement{Key: word.key}
		switch g.rand.IntN(4) {
		case 0, 1:
			r.Operator = []metav1.LabelSelectorOperator{metav1.LabelSelectorOpIn, metav1.LabelSelectorOpNotIn}[g.rand.IntN(2)]
			for range 1 + g.rand.IntN(2) {
				if v := g.value(word.values); !slices.Contains(r.Values, v) {
					r.Values = append(r.Values, v)
				}
			}
		case 2:
			r.Operator = metav1.LabelSelectorOpExists
		case 3:
			r.Operator = metav1.LabelSelectorOpDoesNotExist
		}
		s.MatchExpressions = append(s.MatchExpressions, r)
	}
	return s
}

// value is one of the vocabulary, or one that nobody has.
func (g *Generator) value(of []string) string {
	if g.chance(8) {
		return "nobody"
	}
	return one(g, of)
}

func (g *Generator) peers() []networkingv1.NetworkPolicyPeer {
	var peers []networkingv1.NetworkPolicyPeer
	for range g.few(3) {
		var p networkingv1.NetworkPolicyPeer
		switch g.rand.IntN(10) {
		case 0, 1, 2:
			p.PodSelector = g.selector(podLabels)
		case 3, 4:
			p.NamespaceSelector = g.amongNamespaces()
		case 5, 6:
			p.PodSelector, p.NamespaceSelector = g.selector(podLabels), g.amongNamespaces()
		default:
			p.IPBlock = g.block()
		}
		peers = append(peers, p)
	}
	return peers
}

// amongNamespaces selects namespaces by their labels, or by the name that the API makes a label.
func (g *Generator) amongNamespaces() *metav1.LabelSelector {
	if name := g.namespace(); name != "" && g.chance(25) {
		return &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{
			Key: corev1.LabelMetadataName, Operator: metav1.LabelSelectorOpIn, Values: []string{name},
		}}}
	}
	return g.selector(namespaceLabels)
}

// block draws everything, or a prefix around addresses that pods have, with exceptions inside.
func (g *Generator) block() *networkingv1.IPBlock {
	v4, v6 := workloads.PodAddresses(1 + g.rand.IntN(max(1, g.addresses)))
	addr := one(g, []netip.Addr{v4, v6})
	bits := addr.BitLen() - []int{0, 1, 2, 3, 4, 8, addr.BitLen()}[g.rand.IntN(7)]
	block := netip.PrefixFrom(addr, bits).Masked()
	b := &networkingv1.IPBlock{CIDR: block.String()}
	for range g.few(2) {
		inner, v6 := workloads.PodAddresses(1 + g.rand.IntN(max(1, g.addresses)))
		if addr.Is6() {
			inner = v6
		}
		except := netip.PrefixFrom(inner, inner.BitLen()-g.rand.IntN(3)).Masked()
		if block.Contains(except.Addr()) && except.Bits() > block.Bits() && !slices.Contains(b.Except, except.String()) {
			b.Except = append(b.Except, except.String())
		}
	}
	return b
}

// ports draws none, a few, or rarely more than one rule of iptables can hold.
func (g *Generator) ports() []networkingv1.NetworkPolicyPort {
	var ports []networkingv1.NetworkPolicyPort
	if g.chance(4) {
		for i := range 10 + g.rand.IntN(10) {
			ports = append(ports, networkingv1.NetworkPolicyPort{Port: new(intstr.FromInt32(int32(effects.Ports[0]) + int32(3*i)))})
		}
		return ports
	}
	for range g.few(3) {
		ports = append(ports, g.port())
	}
	return ports
}

// usualProtocols are those by which most pods name a port.
var usualProtocols = map[string]corev1.Protocol{"dns": corev1.ProtocolUDP, "sig": corev1.ProtocolSCTP}

func (g *Generator) port() networkingv1.NetworkPolicyPort {
	var p networkingv1.NetworkPolicyPort
	if g.chance(70) {
		p.Protocol = new(one(g, []corev1.Protocol{corev1.ProtocolTCP, corev1.ProtocolTCP, corev1.ProtocolTCP, corev1.ProtocolUDP, corev1.ProtocolSCTP}))
	}
	number := int32(one(g, []uint16{effects.Ports[0], effects.Ports[1], 7070, 5353}))
	switch g.rand.IntN(8) {
	case 0: // all of its protocol
	case 1, 2:
		name := one(g, []string{"http", "http", "dns", "dns", "sig", "nobody"})
		if usual, known := usualProtocols[name]; known && g.chance(70) {
			p.Protocol = new(usual)
		}
		p.Port = new(intstr.FromString(name))
	case 3: // of few lengths, since pods listen on the ends for the rest of their lives
		p.Port, p.EndPort = new(intstr.FromInt32(number)), new(number+one(g, []int32{0, 1, 77, 1010, 1999}))
	default:
		p.Port = new(intstr.FromInt32(number))
	}
	return p
}
