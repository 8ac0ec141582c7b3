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
	policyv1alpha1 "sigs.k8s.io/network-policy-api/apis/v1alpha1"

	"github.com/nodefv/nodefv/scenarios/engine"
	"github.com/nodefv/nodefv/workloads"
)

// standingAdmins is how many admin policies are in force while they churn.
const standingAdmins = 6

var _ = register(func(p Params) engine.Scenario {
	topology := p.topology(workloads.Topology{RemoteNodes: 1, Namespaces: 3, PodsPerNamespace: 6, Local: 9})
	topology.DualStack = true
	return engine.Scenario{
		Name:     "admin policy churn",
		Doc:      "Admin policies and a baseline, drawn from the seed, are in force over policies drawn alike; each cycle one admin policy goes, one comes, one changes, and so does the baseline.",
		Labels:   []string{Churn, "policy", "admin"},
		Needs:    []string{"admin-network-policy", "ipv6"},
		Timeout:  brief,
		Topology: topology,
		Steps: []engine.Step{
			{Name: "fill", Do: func(ctx context.Context, w *engine.World) error {
				var policies []workloads.Policy
				for i := range standingAdmins {
					policies = append(policies, drawPolicy(w, i))
				}
				var admins []workloads.AdminPolicy
				for i := range standingAdmins {
					admins = append(admins, drawAdminPolicy(w, i))
				}
				if err := w.Fleet.AddPolicies(ctx, policies); err != nil {
					return err
				}
				if err := w.Fleet.AddBaseline(ctx, drawBaseline(w)); err != nil {
					return err
				}
				return w.Fleet.AddAdminPolicies(ctx, admins)
			}},
			{Name: "churn", Repeat: or(p.Cycles, 10), Do: func(ctx context.Context, w *engine.World) error {
				names := slices.Sorted(maps.Keys(w.Fleet.State().AdminPolicies))
				changed := drawAdminPolicy(w, 0)
				changed.Name = names[1+w.Rand.IntN(len(names)-1)]
				if err := w.Fleet.RemoveAdminPolicies(ctx, names[:1]); err != nil {
					return err
				}
				if err := w.Fleet.ChangeAdminPolicies(ctx, []workloads.AdminPolicy{changed}); err != nil {
					return err
				}
				if err := w.Fleet.ChangeBaseline(ctx, drawBaseline(w)); err != nil {
					return err
				}
				return w.Fleet.AddAdminPolicies(ctx, []workloads.AdminPolicy{drawAdminPolicy(w, standingAdmins+w.Cycle-1)})
			}},
		},
	}
})

// drawAdminPolicy draws the admin policy of that number. No two have the same priority: what that means is left open.
func drawAdminPolicy(w *engine.World, number int) workloads.AdminPolicy {
	p := workloads.AdminPolicy{Name: fmt.Sprintf("admin-%06d", number)}
	taken := map[int32]bool{}
	for _, other := range w.Fleet.State().AdminPolicies {
		taken[other.Spec.Priority] = true
	}
	for p.Spec.Priority = int32(10*number) % 1000; taken[p.Spec.Priority]; p.Spec.Priority++ {
	}
	p.Spec.Subject = drawSubject(w)
	action := func() policyv1alpha1.AdminNetworkPolicyRuleAction {
		return []policyv1alpha1.AdminNetworkPolicyRuleAction{"Allow", "Deny", "Pass"}[w.Rand.IntN(3)]
	}
	for range w.Rand.IntN(4) {
		from := policyv1alpha1.AdminNetworkPolicyIngressPeer(drawSubject(w))
		p.Spec.Ingress = append(p.Spec.Ingress, policyv1alpha1.AdminNetworkPolicyIngressRule{
			Action: action(), From: []policyv1alpha1.AdminNetworkPolicyIngressPeer{from}, Ports: drawAdminPorts(w.Rand),
		})
	}
	for range w.Rand.IntN(4) {
		p.Spec.Egress = append(p.Spec.Egress, policyv1alpha1.AdminNetworkPolicyEgressRule{Action: action(), To: drawAdminPeers(w), Ports: drawAdminPorts(w.Rand)})
	}
	return p
}

func drawBaseline(w *engine.World) policyv1alpha1.BaselineAdminNetworkPolicySpec {
	spec := policyv1alpha1.BaselineAdminNetworkPolicySpec{Subject: drawSubject(w)}
	action := func() policyv1alpha1.BaselineAdminNetworkPolicyRuleAction {
		return []policyv1alpha1.BaselineAdminNetworkPolicyRuleAction{"Allow", "Deny"}[w.Rand.IntN(2)]
	}
	for range w.Rand.IntN(3) {
		from := policyv1alpha1.AdminNetworkPolicyIngressPeer(drawSubject(w))
		spec.Ingress = append(spec.Ingress, policyv1alpha1.BaselineAdminNetworkPolicyIngressRule{
			Action: action(), From: []policyv1alpha1.AdminNetworkPolicyIngressPeer{from}, Ports: drawAdminPorts(w.Rand),
		})
	}
	for range w.Rand.IntN(3) {
		spec.Egress = append(spec.Egress, policyv1alpha1.BaselineAdminNetworkPolicyEgressRule{Action: action(), To: drawAdminPeers(w), Ports: drawAdminPorts(w.Rand)})
	}
	return spec
}

// drawSubject draws all namespaces or those of one team, and some or all pods of theirs.
func drawSubject(w *engine.World) policyv1alpha1.AdminNetworkPolicySubject {
	namespaces := everything()
	if teams := sortedNamespaces(w.Fleet.State()); w.Rand.IntN(2) == 0 {
		namespaces = &metav1.LabelSelector{MatchLabels: teams[w.Rand.IntN(len(teams))].Labels}
	}
	if w.Rand.IntN(3) == 0 {
		return policyv1alpha1.AdminNetworkPolicySubject{Namespaces: namespaces}
	}
	return policyv1alpha1.AdminNetworkPolicySubject{Pods: &policyv1alpha1.NamespacedPod{NamespaceSelector: *namespaces, PodSelector: drawSelector(w.Rand, w.Fleet.State())}}
}

// drawAdminPeers draws pods, or one to four networks around their addresses, of either family.
func drawAdminPeers(w *engine.World) []policyv1alpha1.AdminNetworkPolicyEgressPeer {
	var peers []policyv1alpha1.AdminNetworkPolicyEgressPeer
	for range 1 + w.Rand.IntN(2) {
		if w.Rand.IntN(2) == 0 {
			s := drawSubject(w)
			peers = append(peers, policyv1alpha1.AdminNetworkPolicyEgressPeer{Namespaces: s.Namespaces, Pods: s.Pods})
			continue
		}
		networks := map[policyv1alpha1.CIDR]bool{}
		for range 1 + w.Rand.IntN(4) {
			networks[drawNetwork(w)] = true
		}
		peers = append(peers, policyv1alpha1.AdminNetworkPolicyEgressPeer{Networks: slices.Sorted(maps.Keys(networks))})
	}
	return peers
}

func drawNetwork(w *engine.World) policyv1alpha1.CIDR {
	pods := w.Plan.Ring(w.Fleet.State())
	ips := pods[w.Rand.IntN(len(pods))].IPs
	ip := ips[w.Rand.IntN(len(ips))]
	bits := []int{0, ip.BitLen() - 3, ip.BitLen() - 1, ip.BitLen()}[w.Rand.IntN(4)]
	return policyv1alpha1.CIDR(netip.PrefixFrom(ip, bits).Masked().String())
}

// drawAdminPorts draws no ports, one range, or up to 51 numbers, so that they may not fit into one rule of the kernel's. A range and
// other ports are never in one rule: where nft is older than what mends it, a change to such a rule ends it, see docs/findings.md.
func drawAdminPorts(r *rand.Rand) *[]policyv1alpha1.AdminNetworkPolicyPort {
	proto := func() corev1.Protocol { return []corev1.Protocol{"TCP", "TCP", "UDP", "SCTP"}[r.IntN(4)] }
	first := func() int32 { return int32(engine.Ports[r.IntN(len(engine.Ports))]) }
	switch r.IntN(6) {
	case 0, 1:
		return nil
	case 2:
		start := first() - 100
		return &[]policyv1alpha1.AdminNetworkPolicyPort{{PortRange: &policyv1alpha1.PortRange{Protocol: proto(), Start: start, End: start + 101}}}
	}
	var ports []policyv1alpha1.AdminNetworkPolicyPort
	for range 1 + r.IntN(3) {
		proto, port, count := proto(), first(), int32(1)
		if r.IntN(3) == 0 {
			count = 17
		}
		for i := range count {
			ports = append(ports, policyv1alpha1.AdminNetworkPolicyPort{PortNumber: &policyv1alpha1.Port{Protocol: proto, Port: port + 2*i}})
		}
	}
	return &ports
}
