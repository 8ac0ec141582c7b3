package scenarios

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	policyv1alpha2 "sigs.k8s.io/network-policy-api/apis/v1alpha2"

	"github.com/nodefv/nodefv/scenarios/effects"
	"github.com/nodefv/nodefv/scenarios/engine"
	"github.com/nodefv/nodefv/workloads"
)

// standingAdmins is how many cluster-wide policies are in force, besides the baseline, while they churn.
const standingAdmins = 6

var _ = forEachClusterWide(func(k clusterWide, p Params) engine.Scenario {
	topology := p.topology(workloads.Topology{RemoteNodes: 1, Namespaces: 3, PodsPerNamespace: 6, Local: 9})
	topology.DualStack = true
	return engine.Scenario{
		Name:     k.word + " policy churn",
		Doc:      "The " + k.title + " and a baseline, drawn from the seed, are in force over policies drawn alike; each cycle one of them goes, one comes, one changes, and so does the baseline.",
		Labels:   []engine.Label{Churn},
		Needs:    []workloads.Feature{workloads.IPv6},
		Timeout:  brief,
		Topology: topology,
		Steps: []engine.Step{
			{Name: "fill", Do: func(ctx context.Context, w *engine.World) error {
				var policies []workloads.Policy
				for i := range standingAdmins {
					policies = append(policies, drawPolicy(w, i))
				}
				wide := []workloads.ClusterPolicy{drawBaseline(w)}
				for i := range standingAdmins {
					wide = append(wide, drawWide(w, k, i))
				}
				if err := w.Fleet.AddPolicies(ctx, policies); err != nil {
					return err
				}
				return k.add(ctx, w.Fleet, wide...)
			}},
			{Name: "churn", Repeat: or(p.Cycles, 10), Do: func(ctx context.Context, w *engine.World) error {
				names := wideNames(w.Fleet.State())
				changed := drawWide(w, k, w.Cycle)
				changed.Name = names[1+w.Rand.IntN(len(names)-1)]
				if err := k.remove(ctx, w.Fleet, names[0]); err != nil {
					return err
				}
				if err := k.change(ctx, w.Fleet, changed, drawBaseline(w)); err != nil {
					return err
				}
				return k.add(ctx, w.Fleet, drawWide(w, k, standingAdmins+w.Cycle-1))
			}},
		},
	}
})

// wideNames lists the cluster-wide policies but for the baseline in the order of their names, which is that of their making.
func wideNames(s workloads.State) []string {
	var names []string
	for _, r := range s.Rulesets() {
		if r.Kind != workloads.NetworkKind && r.Key.Name != workloads.BaselineName {
			names = append(names, r.Key.Name)
		}
	}
	slices.Sort(names)
	return names
}

// drawWide draws the cluster-wide policy of that number. No two have the same priority: what that means is left open.
func drawWide(w *engine.World, k clusterWide, number int) workloads.ClusterPolicy {
	p := workloads.ClusterPolicy{Name: fmt.Sprintf("%s-%06d", k.word, number), Spec: wideSpec{Tier: k.tiers[number%len(k.tiers)]}}
	taken := map[int32]bool{}
	for _, other := range w.Fleet.State().Rulesets() {
		taken[other.Priority] = true
	}
	for p.Spec.Priority = int32(1+10*number) % 1000; taken[p.Spec.Priority]; p.Spec.Priority++ {
	}
	drawRules(w, &p.Spec, 4)
	return p
}

// drawBaseline draws the baseline, which comes last in its tier.
func drawBaseline(w *engine.World) workloads.ClusterPolicy {
	p := workloads.ClusterPolicy{Name: workloads.BaselineName, Spec: wideSpec{Tier: policyv1alpha2.BaselineTier, Priority: 1000}}
	drawRules(w, &p.Spec, 3)
	return p
}

// drawRules draws a subject, and fewer rules than most of each direction.
func drawRules(w *engine.World, s *wideSpec, most int) {
	s.Subject = drawSubject(w)
	action := func() wideAction { return []wideAction{"Accept", "Deny", "Pass"}[w.Rand.IntN(3)] }
	for range w.Rand.IntN(most) {
		from := policyv1alpha2.ClusterNetworkPolicyIngressPeer(drawSubject(w))
		s.Ingress = append(s.Ingress, wideIn{Action: action(), From: []policyv1alpha2.ClusterNetworkPolicyIngressPeer{from}, Protocols: drawProtocols(w.Rand)})
	}
	for range w.Rand.IntN(most) {
		s.Egress = append(s.Egress, policyv1alpha2.ClusterNetworkPolicyEgressRule{Action: action(), To: drawWidePeers(w), Protocols: drawProtocols(w.Rand)})
	}
}

// drawSubject draws all namespaces or those of one team, and some or all pods of theirs.
func drawSubject(w *engine.World) wideSubject {
	namespaces := everything()
	if teams := w.Fleet.State().Namespaces().List(); w.Rand.IntN(2) == 0 {
		namespaces = &metav1.LabelSelector{MatchLabels: teams[w.Rand.IntN(len(teams))].Labels}
	}
	if w.Rand.IntN(3) == 0 {
		return wideSubject{Namespaces: namespaces}
	}
	return wideSubject{Pods: &policyv1alpha2.NamespacedPod{NamespaceSelector: *namespaces, PodSelector: drawSelector(w.Rand, w.Fleet.State())}}
}

// drawWidePeers draws pods, or one to four networks around their addresses, of either family.
func drawWidePeers(w *engine.World) []policyv1alpha2.ClusterNetworkPolicyEgressPeer {
	var peers []policyv1alpha2.ClusterNetworkPolicyEgressPeer
	for range 1 + w.Rand.IntN(2) {
		if w.Rand.IntN(2) == 0 {
			s := drawSubject(w)
			peers = append(peers, policyv1alpha2.ClusterNetworkPolicyEgressPeer{Namespaces: s.Namespaces, Pods: s.Pods})
			continue
		}
		networks := map[policyv1alpha2.CIDR]bool{}
		for range 1 + w.Rand.IntN(4) {
			networks[drawNetwork(w)] = true
		}
		peers = append(peers, policyv1alpha2.ClusterNetworkPolicyEgressPeer{Networks: slices.Sorted(maps.Keys(networks))})
	}
	return peers
}

func drawNetwork(w *engine.World) policyv1alpha2.CIDR {
	pods := w.Plan.Ring(w.Fleet.State())
	ips := pods[w.Rand.IntN(len(pods))].IPs
	ip := ips[w.Rand.IntN(len(ips))]
	bits := []int{0, ip.BitLen() - 3, ip.BitLen() - 1, ip.BitLen()}[w.Rand.IntN(4)]
	return policyv1alpha2.CIDR(netip.PrefixFrom(ip, bits).Masked().String())
}

// drawProtocols draws no ports, one range, or up to 25 numbers, so that they may not fit into one rule of the kernel's. A range and
// other ports are never in one rule: where nft is older than what mends it, a change to such a rule ends it, see docs/findings.md.
func drawProtocols(r *rand.Rand) []widePort {
	first := func() int32 { return int32(effects.Ports[r.IntN(len(effects.Ports))]) }
	switch r.IntN(6) {
	case 0, 1:
		return nil
	case 2:
		start := first() - 100
		return []widePort{drawProtocol(r)(&policyv1alpha2.Port{Range: &policyv1alpha2.PortRange{Start: start, End: start + 101}})}
	}
	var ports []widePort
	for range 1 + r.IntN(3) {
		proto, port, count := drawProtocol(r), first(), int32(1)
		if r.IntN(3) == 0 {
			count = 17
		}
		for i := range count {
			ports = append(ports, proto(&policyv1alpha2.Port{Number: port + 2*i}))
		}
	}
	return ports[:min(len(ports), mostProtocols)]
}

// mostProtocols is how many the API takes in a rule of a ClusterNetworkPolicy.
const mostProtocols = 25

func drawProtocol(r *rand.Rand) func(*policyv1alpha2.Port) widePort {
	switch []corev1.Protocol{"TCP", "TCP", "UDP", "SCTP"}[r.IntN(4)] {
	case corev1.ProtocolUDP:
		return func(p *policyv1alpha2.Port) widePort {
			return widePort{UDP: &policyv1alpha2.ClusterNetworkPolicyProtocolUDP{DestinationPort: p}}
		}
	case corev1.ProtocolSCTP:
		return func(p *policyv1alpha2.Port) widePort {
			return widePort{SCTP: &policyv1alpha2.ClusterNetworkPolicyProtocolSCTP{DestinationPort: p}}
		}
	}
	return byTCP
}
