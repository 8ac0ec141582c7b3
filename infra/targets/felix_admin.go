package targets

import (
	"net"
	"net/netip"
	"slices"

	networkingv1 "k8s.io/api/networking/v1"

	"github.com/nodefv/nodefv/workloads"
)

// lost reports whether Felix has no policy where the API has this one: an admin policy of which it can't read one rule, because of a
// node among its peers, a malformed network or a range that ends before it begins. See docs/findings.md.
func lost(p *workloads.Ruleset) bool {
	if p.Tier == workloads.NetworkTier {
		return false
	}
	return slices.ContainsFunc(slices.Concat(p.Rules(networkingv1.PolicyTypeIngress), p.Rules(networkingv1.PolicyTypeEgress)), func(r workloads.Rule) bool {
		return slices.ContainsFunc(r.Ports, func(p workloads.Port) bool { return p.First > p.Last }) || slices.ContainsFunc(r.Peers, func(p workloads.Peer) bool {
			return p.Nodes != nil || slices.ContainsFunc(p.Networks, func(n netip.Prefix) bool { return !n.IsValid() })
		})
	})
}

// converted returns a policy's rules as Felix takes them: in admin policies it does not know names of ports, and takes a rule with
// one for all ports; in others it does not know numbers that begin with zeros. See docs/findings.md.
func converted(p *workloads.Ruleset, kind networkingv1.PolicyType) []workloads.Rule {
	all := slices.Clone(p.Rules(kind))
	if p.Tier == workloads.NetworkTier {
		for i := range all {
			all[i].Peers = slices.Clone(all[i].Peers)
			for j, peer := range all[i].Peers {
				all[i].Peers[j] = widened(peer)
			}
		}
		return all
	}
	for i, r := range all {
		if slices.ContainsFunc(r.Ports, func(p workloads.Port) bool { return p.Name != "" }) {
			all[i].Ports = nil
		}
	}
	return all
}

// widened is a peer as Felix takes it: a network that it can't read is everything, and what it can't read of the exceptions ends them.
func widened(p workloads.Peer) workloads.Peer {
	if p.Block == nil {
		return p
	}
	unread := func(cidr string) bool {
		_, _, err := net.ParseCIDR(cidr)
		return err != nil
	}
	if unread(p.Block.CIDR) {
		return workloads.Peer{}
	}
	if i := slices.IndexFunc(p.Block.Except, unread); i >= 0 {
		p.Except = p.Except[:i]
	}
	return p
}

// holds reports whether Felix gives a policy a place in the pods' chains of that direction: an admin policy without rules has one in
// both.
func holds(p *workloads.Ruleset, kind networkingv1.PolicyType) bool {
	bare := len(p.Rules(networkingv1.PolicyTypeIngress))+len(p.Rules(networkingv1.PolicyTypeEgress)) == 0
	return !lost(p) && (p.Holds(kind) || bare && p.Tier != workloads.NetworkTier)
}
