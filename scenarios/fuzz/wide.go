package fuzz

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	policyv1alpha2 "sigs.k8s.io/network-policy-api/apis/v1alpha2"

	"github.com/nodefv/nodefv/workloads"
)

// The sizes about which a generator keeps the cluster-wide policies of each kind.
const (
	mostAdmins  = 4
	mostCluster = 6
)

func (g *Generator) adminChoices() []choice {
	if !g.wishes.Admin {
		return nil
	}
	return []choice{{2 * room(g.model.AdminPolicies().Len(), mostAdmins), g.addAdmin}, {4, g.changeAdmin}, {3, g.removeAdmin}}
}

func (g *Generator) baselineChoices() []choice {
	if !g.wishes.Admin {
		return nil
	}
	return []choice{{2 * room(g.model.Baseline().Len(), 1), g.addBaseline}, {2, g.changeBaseline}, {1, g.removeBaseline}}
}

func (g *Generator) clusterChoices() []choice {
	if !g.wishes.Cluster {
		return nil
	}
	return []choice{{2 * room(g.model.ClusterPolicies().Len(), mostCluster), g.addCluster}, {6, g.changeCluster}, {4, g.removeCluster}}
}

func (g *Generator) addAdmin() Op {
	g.wide++
	return Op{Do: AddAdminPolicy, Name: fmt.Sprintf("admin-%d", g.wide), Wide: g.wideSpec(policyv1alpha2.AdminTier, g.wishes.Known)}
}

func (g *Generator) changeAdmin() Op {
	name := one(g, g.model.AdminPolicies().Keys()).Name
	return g.changeWide(Op{Do: ChangeAdminPolicy, Name: name}, g.wideSpec(policyv1alpha2.AdminTier, g.wishes.Known))
}

func (g *Generator) removeAdmin() Op {
	return Op{Do: RemoveAdminPolicy, Name: one(g, g.model.AdminPolicies().Keys()).Name}
}

func (g *Generator) addBaseline() Op {
	return Op{Do: AddBaseline, Name: workloads.BaselineName, Wide: g.baselineSpec()}
}

func (g *Generator) changeBaseline() Op {
	return g.changeWide(Op{Do: ChangeBaseline, Name: workloads.BaselineName}, g.baselineSpec())
}

func (g *Generator) removeBaseline() Op { return Op{Do: RemoveBaseline, Name: workloads.BaselineName} }

// baselineSpec has no priority, for there is one baseline alone.
func (g *Generator) baselineSpec() *wideSpec {
	s := g.wideSpec(policyv1alpha2.BaselineTier, g.wishes.Known)
	s.Priority = 0
	return s
}

func (g *Generator) addCluster() Op {
	g.wide++
	return Op{Do: AddClusterPolicy, Name: fmt.Sprintf("cluster-%d", g.wide), Wide: g.wideSpec(g.tier(), true)}
}

func (g *Generator) changeCluster() Op {
	name := one(g, g.model.ClusterPolicies().Keys()).Name
	return g.changeWide(Op{Do: ChangeClusterPolicy, Name: name}, g.wideSpec(g.tier(), true))
}

func (g *Generator) removeCluster() Op {
	return Op{Do: RemoveClusterPolicy, Name: one(g, g.model.ClusterPolicies().Keys()).Name}
}

func (g *Generator) tier() policyv1alpha2.Tier {
	return one(g, []policyv1alpha2.Tier{policyv1alpha2.AdminTier, policyv1alpha2.AdminTier, policyv1alpha2.BaselineTier})
}

// changeWide changes a policy's rules, or, of one with rules of one direction alone, its subject, its priority or its tier; if what is known is
// wanted, all at once.
func (g *Generator) changeWide(op Op, drawn *wideSpec) Op {
	op.Wide = drawn
	before, there := g.model.said[op.part()]
	if g.wishes.Known || !there {
		return op
	}
	op.Wide = before.DeepCopy()
	oneWay := len(before.Ingress) == 0 || len(before.Egress) == 0
	switch n := g.rand.IntN(10); {
	case oneWay && n == 0:
		op.Wide.Tier = drawn.Tier
	case oneWay && n == 1:
		op.Wide.Priority = drawn.Priority
	case oneWay && n < 5:
		op.Wide.Subject = drawn.Subject
	default:
		op.Wide.Ingress, op.Wide.Egress = inPlaceOf(before.Ingress, drawn.Ingress), inPlaceOf(before.Egress, drawn.Egress)
		for i := range op.Wide.Ingress {
			oneRange(&op.Wide.Ingress[i].Protocols)
		}
		for i := range op.Wide.Egress {
			oneRange(&op.Wide.Egress[i].Protocols)
		}
	}
	return op
}

// inPlaceOf keeps a policy from having rules of a direction of which it had none, and the other way round.
func inPlaceOf[T any](before, drawn []T) []T {
	if len(before) == 0 || len(drawn) == 0 {
		return slices.Clone(before)
	}
	return drawn
}

// oneRange leaves one of several ports if there is a range among them.
func oneRange(protocols *[]policyv1alpha2.ClusterNetworkPolicyProtocol) {
	if slices.ContainsFunc(*protocols, func(p policyv1alpha2.ClusterNetworkPolicyProtocol) bool {
		port := portOf(p)
		return port != nil && port.Range != nil
	}) {
		*protocols = (*protocols)[:1]
	}
}

func portOf(p policyv1alpha2.ClusterNetworkPolicyProtocol) *policyv1alpha2.Port {
	switch {
	case p.TCP != nil:
		return p.TCP.DestinationPort
	case p.UDP != nil:
		return p.UDP.DestinationPort
	case p.SCTP != nil:
		return p.SCTP.DestinationPort
	}
	return nil
}

// wideSpec draws a cluster-wide policy with a priority that no other has, for what that means is left open. Names of ports are left out
// where they are known not to be understood.
func (g *Generator) wideSpec(tier policyv1alpha2.Tier, names bool) *wideSpec {
	s := &wideSpec{Tier: tier, Subject: g.wideSubject()}
	taken := map[int32]bool{}
	for _, r := range g.model.Rulesets() {
		taken[r.Priority] = true
	}
	for s.Priority = g.rand.Int32N(1001); taken[s.Priority]; s.Priority = g.rand.Int32N(1001) {
	}
	action := func() policyv1alpha2.ClusterNetworkPolicyRuleAction {
		return one(g, []policyv1alpha2.ClusterNetworkPolicyRuleAction{"Accept", "Deny", "Pass"})
	}
	if g.chance(70) {
		for range 1 + g.few(2) {
			r := policyv1alpha2.ClusterNetworkPolicyIngressRule{Action: action(), Protocols: g.protocols(names)}
			for range 1 + g.rand.IntN(2) {
				r.From = append(r.From, policyv1alpha2.ClusterNetworkPolicyIngressPeer(g.wideSubject()))
			}
			s.Ingress = append(s.Ingress, r)
		}
	}
	if g.chance(50) {
		for range 1 + g.few(2) {
			s.Egress = append(s.Egress, g.wideEgress(action(), names))
		}
	}
	return s
}

// wideSubject draws namespaces, or some pods of theirs.
func (g *Generator) wideSubject() wideSubject {
	if g.chance(40) {
		return wideSubject{Namespaces: g.amongNamespaces()}
	}
	return wideSubject{Pods: &policyv1alpha2.NamespacedPod{NamespaceSelector: *g.amongNamespaces(), PodSelector: *g.selector(podLabels)}}
}

// wideEgress draws peers of each kind; the API refuses names of ports beside networks.
func (g *Generator) wideEgress(action policyv1alpha2.ClusterNetworkPolicyRuleAction, names bool) policyv1alpha2.ClusterNetworkPolicyEgressRule {
	r := policyv1alpha2.ClusterNetworkPolicyEgressRule{Action: action}
	for range 1 + g.rand.IntN(2) {
		var p policyv1alpha2.ClusterNetworkPolicyEgressPeer
		if g.chance(60) {
			s := g.wideSubject()
			p.Namespaces, p.Pods = s.Namespaces, s.Pods
		} else {
			names = false
			for range 1 + g.rand.IntN(3) {
				if n := policyv1alpha2.CIDR(g.block().CIDR); !slices.Contains(p.Networks, n) {
					p.Networks = append(p.Networks, n)
				}
			}
		}
		r.To = append(r.To, p)
	}
	r.Protocols = g.protocols(names)
	return r
}

// protocols draws what ports draws, as far as cluster-wide policies can say it.
func (g *Generator) protocols(names bool) []policyv1alpha2.ClusterNetworkPolicyProtocol {
	var all []policyv1alpha2.ClusterNetworkPolicyProtocol
	for _, p := range g.ports() {
		var port *policyv1alpha2.Port
		switch {
		case p.Port == nil: // all of a protocol, for which there is no word
			port = &policyv1alpha2.Port{Range: &policyv1alpha2.PortRange{Start: 1, End: 65535}}
		case p.Port.StrVal != "":
			if names {
				all = append(all, policyv1alpha2.ClusterNetworkPolicyProtocol{DestinationNamedPort: p.Port.StrVal})
			}
			continue
		case p.EndPort != nil && *p.EndPort > p.Port.IntVal:
			port = &policyv1alpha2.Port{Range: &policyv1alpha2.PortRange{Start: p.Port.IntVal, End: *p.EndPort}}
		default:
			port = &policyv1alpha2.Port{Number: p.Port.IntVal}
		}
		by := corev1.ProtocolTCP
		if p.Protocol != nil {
			by = *p.Protocol
		}
		switch by {
		case corev1.ProtocolTCP:
			all = append(all, policyv1alpha2.ClusterNetworkPolicyProtocol{TCP: &policyv1alpha2.ClusterNetworkPolicyProtocolTCP{DestinationPort: port}})
		case corev1.ProtocolUDP:
			all = append(all, policyv1alpha2.ClusterNetworkPolicyProtocol{UDP: &policyv1alpha2.ClusterNetworkPolicyProtocolUDP{DestinationPort: port}})
		case corev1.ProtocolSCTP:
			all = append(all, policyv1alpha2.ClusterNetworkPolicyProtocol{SCTP: &policyv1alpha2.ClusterNetworkPolicyProtocolSCTP{DestinationPort: port}})
		}
	}
	return all
}
