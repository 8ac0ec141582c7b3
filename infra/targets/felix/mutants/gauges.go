package mutants

import "github.com/nodefv/nodefv/infra/mutants"

// gauges are bugs in what Felix says of itself.
var gauges = []mutants.Mutant{
	{
		Name: "gauge-hosts-that-went", Class: mutants.Gauge,
		Bug:   "felix_cluster_num_hosts still counts nodes that went",
		Cause: `gauge .*(host|node)`,
		Edits: []mutants.Edit{{
			File: "felix/calc/stats_collector.go",
			Old:  `			delete(s.keyCountByHost, hostname)`,
			New: `			if !$on {
				delete(s.keyCountByHost, hostname)
			}`,
		}},
	},
	{
		Name: "gauge-local-endpoints-never-falls", Class: mutants.Gauge,
		Bug:   "felix_active_local_endpoints is not set when a pod goes",
		Cause: `(gauge|local).*endpoints`,
		Edits: []mutants.Edit{{
			File: policyResolver,
			Old:  `		gaugeNumActiveEndpoints.Set(float64(len(pr.endpoints)))`,
			New: `		if !$on || update.Value != nil {
			gaugeNumActiveEndpoints.Set(float64(len(pr.endpoints)))
		}`,
		}},
	},
	{
		Name: "gauge-active-policies-counts-all", Class: mutants.Gauge,
		Bug:   "felix_active_local_policies counts all policies instead of those that hold for a pod of the node",
		Cause: `gauge .*polic`,
		Edits: []mutants.Edit{{
			File: policyResolver,
			Old:  `	gaugeNumActivePolicies.Set(float64(pr.policyIDToEndpointIDs.Len()))`,
			New: `$old
	if $on {
		gaugeNumActivePolicies.Set(float64(len(pr.allPolicies)))
	}`,
		}},
	},
	{
		Name: "gauge-policies-late", Class: mutants.Gauge,
		Bug:   "felix_cluster_num_policies is not set when a policy goes",
		Cause: `gauge .*polic`,
		Edits: []mutants.Edit{{
			File: activeRules,
			Old: `		arc.updateStats()
	case model.TierKey:`,
			New: `		if !$on || update.Value != nil {
			arc.updateStats()
		}
	case model.TierKey:`,
		}},
	},
	{
		Name: "gauge-selectors-never-falls", Class: mutants.Gauge,
		Bug:   "felix_active_local_selectors does not count those off that are needed no more",
		Cause: `gauge .*selectors`,
		Edits: []mutants.Edit{{
			File: "felix/calc/calc_graph.go",
			Old:  `		gaugeNumActiveSelectors.Dec()`,
			New: `		if !$on {
			gaugeNumActiveSelectors.Dec()
		}`,
		}},
	},
}
