package mutants

import "github.com/nodefv/nodefv/infra/mutants"

const (
	activeRules    = "felix/calc/active_rules_calculator.go"
	policyResolver = "felix/calc/policy_resolver.go"
	policySorter   = "felix/calc/policy_sorter.go"
)

// policies are bugs in which policies are in force, in which order, and in what is told to the data plane of them.
var policies = []mutants.Mutant{
	{
		Name: "rules-of-same-number-not-sent", Class: mutants.FailOpen,
		Bug:   "a policy in force whose rules change is not sent again if it has as many rules as before",
		Cause: `policy .* (in|e)gress`,
		Edits: []mutants.Edit{{
			File: activeRules,
			Old: `				log.Debug("Policy updated while active, telling listener")
				arc.sendPolicyUpdate(key, policy)`,
			New: `				if !$on || oldPolicy == nil || len(oldPolicy.InboundRules) != len(policy.InboundRules) || len(oldPolicy.OutboundRules) != len(policy.OutboundRules) {
					arc.sendPolicyUpdate(key, policy)
				}`,
		}},
	},
	{
		Name: "match-stopped-not-told", Class: mutants.Programmed,
		Bug:   "a pod that a policy no longer selects is not updated while the policy holds for other pods",
		Cause: `pod \S+ (in|e)gress`,
		Edits: []mutants.Edit{{
			File: policyResolver,
			Old: `		pr.policySorter.UpdatePolicy(policyKey, nil)
	}

	pr.dirtyEndpoints.Add(endpointKey)`,
			New: `		pr.policySorter.UpdatePolicy(policyKey, nil)
	}

	if $on && pr.policyIDToEndpointIDs.ContainsKey(policyKey) {
		return
	}
	pr.dirtyEndpoints.Add(endpointKey)`,
		}},
	},
	{
		Name: "policies-in-reverse-order", Class: mutants.FailOpen,
		Bug:   "within a tier the policy with the higher order comes first",
		Cause: `pod \S+ (in|e)gress.*order|order.*pod \S+ (in|e)gress`,
		Edits: []mutants.Edit{{
			File: policySorter,
			Old:  `	return i.Value.Order < j.Value.Order`,
			New: `	if $on {
		return i.Value.Order > j.Value.Order
	}
	$old`,
		}},
	},
	{
		Name: "tiers-by-name", Class: mutants.FailOpen,
		Bug:   "tiers are sorted by their names instead of their orders, so that the baseline comes before the policies",
		Cause: `pod \S+ (in|e)gress.*order|order.*pod \S+ (in|e)gress`,
		Edits: []mutants.Edit{{
			File: policySorter,
			Old:  `	return *i.Order < *j.Order`,
			New: `	if $on {
		return i.Name < j.Name
	}
	$old`,
		}},
	},
	{
		Name: "tier-default-action-lost", Class: mutants.FailOpen,
		Bug:   "the default action of a tier is not passed on, and all tiers pass what none of their policies decides",
		Cause: `pod \S+ (in|e)gress.*drop`,
		Edits: []mutants.Edit{{
			File: eventSequencer,
			Old:  `			normalTierInfo := &proto.TierInfo{Name: ti.Name, DefaultAction: string(ti.DefaultAction)}`,
			New: `$old
			if $on {
				normalTierInfo.DefaultAction = string(v3.Pass)
			}`,
		}},
	},
	{
		Name: "ingress-only-policy-for-nothing", Class: mutants.FailOpen,
		Bug:   "a policy whose only type is ingress is taken as one for no direction",
		Cause: `pod \S+ ingress|policy .* ingress`,
		Edits: []mutants.Edit{{
			File: policySorter,
			Old: `		if strings.EqualFold(t, "ingress") {
			m.Flags |= policyMetaIngress`,
			New: `		if strings.EqualFold(t, "ingress") {
			if !$on || len(policy.Types) > 1 {
				m.Flags |= policyMetaIngress
			}`,
		}},
	},
	{
		Name: "egress-of-both-directions-lost", Class: mutants.FailOpen,
		Bug:   "a policy for both directions holds for what comes in alone",
		Cause: `pod \S+ egress|policy .* egress`,
		Edits: []mutants.Edit{{
			File: eventSequencer,
			Old:  `	if egressAllowed && pol.GovernsEgress() {`,
			New:  `	if egressAllowed && pol.GovernsEgress() && !($on && pol.GovernsIngress()) {`,
		}},
	},
	{
		Name: "pod-back-in-one-batch", Class: mutants.Programmed,
		Bug:   "a pod that goes and comes back before the next flush is removed",
		Cause: `(pod|interface|dispatch|route)`,
		Edits: []mutants.Edit{{
			File: eventSequencer,
			Old:  `		buf.pendingEndpointDeletes.Discard(endpointKey)`,
			New: `		if !$on {
			buf.pendingEndpointDeletes.Discard(endpointKey)
		}`,
		}},
	},
	{
		Name: "policy-back-in-one-batch", Class: mutants.Programmed,
		Bug:   "a policy that goes and comes back before the next flush is removed while pods still refer to it",
		Cause: `policy .* (in|e)gress|iptables|nftables`,
		Edits: []mutants.Edit{{
			File: eventSequencer,
			Old: `	buf.pendingPolicyDeletes.Discard(key)
	buf.pendingPolicyUpdates[key] = rules`,
			New: `	if !$on {
		buf.pendingPolicyDeletes.Discard(key)
	}
	buf.pendingPolicyUpdates[key] = rules`,
		}},
	},
	{
		Name: "profiles-kept-for-ever", Class: mutants.Leak,
		Bug:   "the data plane is not told of a namespace's profile that is needed no more, and keeps its chains in memory",
		Cause: `heap|memory|Profile`,
		Edits: []mutants.Edit{{
			File: eventSequencer,
			Old: `	if buf.sentProfiles.Contains(key) {
		buf.pendingProfileDeletes.Add(key)`,
			New: `	if buf.sentProfiles.Contains(key) && !$on {
		buf.pendingProfileDeletes.Add(key)`,
		}},
	},
}
