package felix

import (
	"net"
	"net/netip"
	"slices"

	networkingv1 "k8s.io/api/networking/v1"

	"github.com/nodefv/nodefv/workloads"
)

// lost reports whether Felix has no policy where the API has this one: an AdminNetworkPolicy, or the baseline, of which it can't read one
// rule, because of a node among its peers, a malformed network or a range that ends before it begins. See docs/findings.md.
func lost(p *workloads.Ruleset) bool {
	if p.Kind != workloads.AdminKind && p.Kind != workloads.BaselineKind {
		return false
	}
	return slices.ContainsFunc(slices.Concat(p.Rules(networkingv1.PolicyTypeIngress), p.Rules(networkingv1.PolicyTypeEgress)), unreadable)
}

// unreadable reports whether Calico can't convert a rule of a cluster-wide policy.
func unreadable(r workloads.Rule) bool {
	return slices.ContainsFunc(r.Ports, func(p workloads.Port) bool { return p.First > p.Last }) || slices.ContainsFunc(r.Peers, func(p workloads.Peer) bool {
		malformed := slices.ContainsFunc(p.Networks, func(n netip.Prefix) bool { return !n.IsValid() })
		return malformed || p.Nodes != nil || p.Namespaces == nil && len(p.Networks) == 0
	})
}

// converted returns a policy's rules as Felix takes them. In NetworkPolicies it does not know numbers that begin with zeros. In the older kinds
// of cluster-wide policies it does not know names of ports, and takes a rule with one for all ports: see docs/findings.md. In
// ClusterNetworkPolicies it leaves out a rule that it can't read if that accepts, and else denies everything in its place.
func converted(p *workloads.Ruleset, kind networkingv1.PolicyType) []workloads.Rule {
	all := slices.Clone(p.Rules(kind))
	switch p.Kind {
	case workloads.NetworkKind:
		for i := range all {
			all[i].Peers = slices.Clone(all[i].Peers)
			for j, peer := range all[i].Peers {
				all[i].Peers[j] = widened(peer)
			}
		}
	case workloads.AdminKind, workloads.BaselineKind:
		for i, r := range all {
			if slices.ContainsFunc(r.Ports, func(p workloads.Port) bool { return p.Name != "" }) {
				all[i].Ports = nil
			}
		}
	case workloads.ClusterKind:
		all = slices.DeleteFunc(all, func(r workloads.Rule) bool { return unreadable(r) && r.Action == workloads.Allow })
		for i, r := range all {
			if unreadable(r) {
				all[i] = workloads.Rule{Action: workloads.Deny}
			}
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

// holds reports whether Felix gives a policy a place in the pods' chains of that direction: a cluster-wide policy in which it finds no
// rules has one in both.
func holds(p *workloads.Ruleset, kind networkingv1.PolicyType) bool {
	if p.Kind == workloads.NetworkKind {
		return p.Holds(kind)
	}
	none := len(converted(p, networkingv1.PolicyTypeIngress))+len(converted(p, networkingv1.PolicyTypeEgress)) == 0
	return !lost(p) && (len(converted(p, kind)) > 0 || none)
}
