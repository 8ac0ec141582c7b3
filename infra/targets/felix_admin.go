package targets

import (
	"slices"

	networkingv1 "k8s.io/api/networking/v1"

	"github.com/nodefv/nodefv/workloads"
)

// converted returns a policy's rules as Felix takes them. Of admin policies it knows neither nodes nor names of ports: a rule with a
// node among its peers goes if it allows and else denies everything, and one with a name among its ports is for all ports.
func converted(p *workloads.Ruleset, kind networkingv1.PolicyType) []workloads.Rule {
	if p.Tier == workloads.NetworkTier {
		return p.Rules(kind)
	}
	var all []workloads.Rule
	for _, r := range p.Rules(kind) {
		if slices.ContainsFunc(r.Peers, func(p workloads.Peer) bool { return p.Nodes != nil }) {
			if r.Action == workloads.Allow {
				continue
			}
			r = workloads.Rule{Action: workloads.Deny}
		}
		if slices.ContainsFunc(r.Ports, func(p workloads.Port) bool { return p.Name != "" }) {
			r.Ports = nil
		}
		all = append(all, r)
	}
	return all
}

// holds reports whether Felix gives a policy a place in the pods' chains of that direction: an admin policy without rules has one in
// both.
func holds(p *workloads.Ruleset, kind networkingv1.PolicyType) bool {
	if p.Tier == workloads.NetworkTier {
		return p.Holds(kind)
	}
	in, out := converted(p, networkingv1.PolicyTypeIngress), converted(p, networkingv1.PolicyTypeEgress)
	if len(in)+len(out) == 0 {
		return true
	}
	return kind == networkingv1.PolicyTypeIngress && len(in) > 0 || kind == networkingv1.PolicyTypeEgress && len(out) > 0
}
