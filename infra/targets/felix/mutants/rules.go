package mutants

import "github.com/nodefv/nodefv/infra/mutants"

const (
	policyRules   = "felix/rules/policy.go"
	endpointRules = "felix/rules/endpoints.go"
	dispatchRules = "felix/rules/dispatch.go"
)

// rules are bugs in what rules policies and pods are turned into.
var rules = []mutants.Mutant{
	{
		Name: "egress-end-of-tier-drop-missing", Class: mutants.FailOpen,
		Bug:   "the chain of what a pod sends lacks the drop after the last policy of a tier",
		Cause: `pod \S+ egress.*drop`,
		Edits: []mutants.Edit{{
			File: endpointRules,
			Old:  `if endOfTierDrop && tier.DefaultAction != string(v3.Pass) {`,
			New:  `if endOfTierDrop && tier.DefaultAction != string(v3.Pass) && !($on && dir == RuleDirEgress) {`,
		}},
	},
	{
		Name: "end-of-chain-drop-missing", Class: mutants.FailOpen,
		Bug:   "a pod's chains lack the drop at their end, after the profiles",
		Cause: `pod \S+ (in|e)gress.*drop`,
		Edits: []mutants.Edit{{
			File: endpointRules,
			Old: `		rules = append(rules, generictables.Rule{
			Match:   r.NewMatch(),
			Action:  r.IptablesFilterDenyAction(),
			Comment: []string{fmt.Sprintf("%s if no profiles matched", r.IptablesFilterDenyAction())},
		})`,
			New: `		if !$on {
	$old
		}`,
		}},
	},
	{
		Name: "invalid-packets-not-dropped", Class: mutants.FailOpen,
		Bug:   "packets that conntrack holds to be invalid are not dropped",
		Cause: `pod \S+ (in|e)gress.*(invalid|INVALID)`,
		Edits: []mutants.Edit{{
			File: endpointRules,
			Old:  `	if !r.Config.DisableConntrackInvalid {`,
			New:  `	if !r.Config.DisableConntrackInvalid && !$on {`,
		}},
	},
	{
		Name: "pass-mark-not-cleared", Class: mutants.FailOpen,
		Bug:   "what one tier has passed on skips the policies of all later tiers",
		Cause: `pod \S+ (in|e)gress.*mark`,
		Edits: []mutants.Edit{{
			File: endpointRules,
			Old: `			rules = append(rules, generictables.Rule{
				Match:   r.NewMatch(),
				Action:  r.ClearMark(r.MarkPass),
				Comment: []string{"Start of tier " + tier.Name},
			})`,
			New: `			if !$on {
	$old
			}`,
		}},
	},
	{
		Name: "group-without-returns", Class: mutants.Programmed,
		Bug:   "a group of more than five policies goes on after the fifth though it has decided",
		Cause: `pod \S+ (in|e)gress.*(jump policy|return)`,
		Edits: []mutants.Edit{{
			File: endpointRules,
			Old:  `		if count != 0 && count%returnStride == 0 {`,
			New:  `		if count != 0 && count%returnStride == 0 && !$on {`,
		}},
	},
	{
		Name: "groups-of-one-name", Class: mutants.FailOpen,
		Bug:   "two groups of as many policies that begin alike have one chain",
		Cause: `pod \S+ (in|e)gress|Failed to program iptables`,
		Edits: []mutants.Edit{{
			File: endpointRules,
			Old: `	for _, name := range g.PolicyNames {
		write(name)`,
			New: `	for i, name := range g.PolicyNames {
		if $on && i > 0 {
			break
		}
		write(name)`,
		}},
	},
	{
		Name: "unknown-interface-let-in", Class: mutants.FailOpen,
		Bug:   "the lower chains of the dispatch lack the drop for interfaces of no pod",
		Cause: `dispatch .*unknown interface`,
		Edits: []mutants.Edit{{
			File: dispatchRules,
			Old:  `			childEndpointRules = append(childEndpointRules, endRules...)`,
			New: `			if !$on {
				childEndpointRules = append(childEndpointRules, endRules...)
			}`,
		}},
	},
	{
		Name: "port-range-one-too-long", Class: mutants.FailOpen,
		Bug:   "a range of ports lets in the port after its end as well",
		Cause: `policy .* (in|e)gress.*port`,
		Edits: []mutants.Edit{{
			File: "felix/calc/rule_convert.go",
			Old: `		First: int32(in.MinPort),
		Last:  int32(in.MaxPort),
	}`,
			New: `$old
	if $on && in.MaxPort > in.MinPort {
		out.Last++
	}`,
		}},
	},
	{
		Name: "sixteenth-port-lost", Class: mutants.Programmed,
		Bug:   "where a list of ports is split because a rule holds fifteen, the port at the split is lost",
		Cause: `policy .* (in|e)gress.*port`,
		Edits: []mutants.Edit{{
			File: policyRules,
			Old: `			slotsAvailableInCurrentSplit = 15
			split = nil`,
			New: `$old
			if $on {
				continue
			}`,
		}},
	},
	{
		Name: "range-counted-as-one-port", Class: mutants.Programmed,
		Bug:   "a range among many ports is counted as one of the fifteen that a rule of iptables holds, but takes two",
		Cause: `too many ports`,
		Edits: []mutants.Edit{{
			File: policyRules,
			Old:  `			numSlotsRequired = 2`,
			New: `			numSlotsRequired = 2
			if $on {
				numSlotsRequired = 1
			}`,
		}},
	},
	{
		Name: "rule-of-other-family-for-all", Class: mutants.FailOpen,
		Bug:   "a rule whose addresses are all of the other family is rendered without addresses instead of not at all",
		Cause: `policy .* ingress IPv[46]`,
		Edits: []mutants.Edit{{
			File: policyRules,
			Old: `	ruleCopy.SrcNet, filteredAll = filterNets(pRule.SrcNet, ipVersion, false)
	if filteredAll {`,
			New: `	ruleCopy.SrcNet, filteredAll = filterNets(pRule.SrcNet, ipVersion, false)
	if filteredAll && !$on {`,
		}},
	},
	{
		Name: "protocol-alone-ignored", Class: mutants.FailOpen,
		Bug:   "the protocol of a rule without ports is ignored",
		Cause: `policy .* (in|e)gress.*proto`,
		Edits: []mutants.Edit{{
			File: policyRules,
			Old:  `	match = appendProtocolMatch(match, pRule.Protocol, logCxt)`,
			New: `	if !$on || len(pRule.DstPorts)+len(pRule.SrcPorts)+len(pRule.DstNamedPortIpSetIds) > 0 {
		match = appendProtocolMatch(match, pRule.Protocol, logCxt)
	}`,
		}},
	},
	{
		Name: "second-block-not-required", Class: mutants.FailOpen,
		Bug:   "a rule that needs a block for its ports and one for its networks matches what is in the first alone",
		Cause: `policy .* (in|e)gress.*mark`,
		Edits: []mutants.Edit{{
			File: policyRules,
			Old: `	r.Rules = append(r.Rules, generictables.Rule{
		Match:  r.newMatch().MarkClear(r.markThisBlockPass),
		Action: r.actions.ClearMark(r.markAllBlocksPass),
	})`,
			New: `	if !$on {
$old
	}`,
		}},
	},
}
