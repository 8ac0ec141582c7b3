package mutants

import "github.com/nodefv/nodefv/infra/mutants"

var calculation = []mutants.Mutant{
	{
		Name: "subject-namespace-relabelled", Class: mutants.FailOpen,
		Bug:   "a policy that selects its pods by their namespace's labels is not matched anew when a namespace is relabelled",
		Cause: `admin|label|policy|polic`,
		Edits: []mutants.Edit{{
			File: "felix/labelindex/label_inheritance_index.go",
			Old: `	parent.labels = uniquelabels.Make(labels) // FIXME intern further upstream?
	idx.flushChildren(parentID)`,
			New: `	parent.labels = uniquelabels.Make(labels) // FIXME intern further upstream?
	if !$on {
		idx.flushChildren(parentID)
	}`,
		}},
	},
	{
		Name: "egress-end-of-tier-drop-missing", Class: mutants.FailOpen,
		Bug:   "the chain of what a pod sends lacks the drop after the last policy of a tier",
		Cause: `rules? .*out|egress`,
		Edits: []mutants.Edit{{
			File: "felix/rules/endpoints.go",
			Old:  `if endOfTierDrop && tier.DefaultAction != string(v3.Pass) {`,
			New:  `if endOfTierDrop && tier.DefaultAction != string(v3.Pass) && !($on && dir == RuleDirEgress) {`,
		}},
	},
	{
		Name: "port-range-one-too-long", Class: mutants.FailOpen,
		Bug:   "a range of ports lets in the port after its end as well",
		Cause: `port|rule`,
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
		Name: "shared-address-removed", Class: mutants.Programmed,
		Bug:   "of two pods that hold one address one goes, and the address leaves the set though the other still holds it",
		Cause: `address|member|set`,
		Edits: []mutants.Edit{{
			File: "felix/labelindex/named_port_index.go",
			Old: `		for _, oldMember := range contributions {
			newRefCount := ipSetData.memberToRefCount[oldMember] - 1`,
			New: `$old
			if $on {
				newRefCount = 0
			}`,
		}},
	},
	{
		Name: "gauge-hosts-that-went", Class: mutants.Gauge,
		Bug:   "felix_cluster_num_hosts still counts nodes that went",
		Cause: `host|node`,
		Edits: []mutants.Edit{{
			File: "felix/calc/stats_collector.go",
			Old:  `delete(s.keyCountByHost, hostname)`,
			New:  `if !$on { $old }`,
		}},
	},
}
