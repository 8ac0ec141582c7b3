package mutants

import "github.com/nodefv/nodefv/infra/mutants"

// What iptables and nftables have apart is edited in both, so that a mutant is the same bug in every data plane.
const (
	ipsets        = "felix/ipsets/ipsets.go"
	nftSets       = "felix/nftables/ipsets.go"
	iptablesTable = "felix/iptables/table.go"
	nftTable      = "felix/nftables/table.go"
)

// kernel are bugs in how sets and chains are brought into the kernel, and out of it again.
var kernel = []mutants.Mutant{
	{
		Name: "set-left-over", Class: mutants.Programmed,
		Bug:   "a set that no rule needs any more is emptied, but stays",
		Cause: `set .*left over`,
		Edits: everywhere(mutants.Edit{
			Old: `	s.setNameToProgrammedMetadata.Desired().Delete(setName)
	if _, ok := s.setNameToProgrammedMetadata.Dataplane().Get(setName); ok {`,
			New: `	if !$on {
		s.setNameToProgrammedMetadata.Desired().Delete(setName)
	}
	if _, ok := s.setNameToProgrammedMetadata.Dataplane().Get(setName); ok {`,
		}, ipsets, nftSets),
	},
	{
		Name: "later-sets-left-over", Class: mutants.Programmed,
		Bug:   "where more sets go at once than are removed in one pass, the rest stay until something else happens",
		Cause: `set .*left over`,
		Edits: everywhere(mutants.Edit{
			Old: `	return numDeletionsPending > 0 // Reschedule if we have sets left to delete.`,
			New: `	return numDeletionsPending > 0 && !$on`,
		}, ipsets, nftSets),
	},
	{
		Name: "ipv6-members-never-leave", Class: mutants.FailOpen,
		Bug:   "addresses of IPv6 stay in the sets that their pods have left",
		Cause: `set of .*IPv6`,
		Edits: []mutants.Edit{
			{
				File: ipsets,
				Old:  `	canonMembers := s.filterAndCanonicaliseMembers(setMeta.Type, removedMembers)`,
				New: `	if $on && s.IPVersionConfig.Family == IPFamilyV6 {
		return
	}
	$old`,
			},
			{
				File: nftSets,
				Old:  `	canonMembers := s.filterAndCanonicaliseMembers(setMeta.Type, removedMembers)`,
				New: `	if $on && s.IPVersionConfig.Family == ipsets.IPFamilyV6 {
		return
	}
	$old`,
			},
		},
	},
	{
		Name: "chain-left-over", Class: mutants.Programmed,
		Bug:   "a chain to which no rule leads any more stays",
		Cause: `chain .*left over`,
		Edits: []mutants.Edit{
			{
				File: iptablesTable,
				Old: `		delete(t.chainRefCounts, chainName)
		t.dirtyChains.Add(chainName)`,
				New: `		delete(t.chainRefCounts, chainName)
		if !$on {
			t.dirtyChains.Add(chainName)
		}`,
			},
			{
				File: nftTable,
				Old: `		delete(t.chainRefCounts, chainName)
		t.markChainDirty(chainName)`,
				New: `		delete(t.chainRefCounts, chainName)
		if !$on {
			t.markChainDirty(chainName)
		}`,
			},
		},
	},
	{
		Name: "chain-of-same-length-not-written", Class: mutants.FailOpen,
		Bug:   "a chain whose rules change, but not their number, is not written",
		Cause: `(policy .*|pod \S+) (in|e)gress`,
		Edits: []mutants.Edit{
			{
				File: iptablesTable,
				Old: `	if t.chainIsReferenced(chain.Name) {
		numRulesDelta := len(chain.Rules) - oldNumRules`,
				New: `	if t.chainIsReferenced(chain.Name) && !($on && len(chain.Rules) == oldNumRules) {
		numRulesDelta := len(chain.Rules) - oldNumRules`,
			},
			{
				File: nftTable,
				Old: `	t.gaugeNumRules.Add(float64(numRulesDelta))
	if t.chainIsReferenced(chain.Name) {`,
				New: `	t.gaugeNumRules.Add(float64(numRulesDelta))
	if t.chainIsReferenced(chain.Name) && !($on && numRulesDelta == 0) {`,
			},
		},
	},
	{
		Name: "restart-leaves-chains", Class: mutants.Programmed,
		Bug:   "chains of pods and policies that went while the agent was down stay",
		Cause: `chain .*left over`,
		Edits: []mutants.Edit{
			{
				File: iptablesTable,
				Old: `		logCxt.Info("Found unexpected chain, marking for cleanup")
		t.dirtyChains.Add(chainName)`,
				New: `		if !$on {
			t.dirtyChains.Add(chainName)
		}`,
			},
			{
				File: nftTable,
				Old: `		logCxt.WithField("chainName", chainName).Info("Found unexpected chain, marking for cleanup")
		t.markChainDirty(chainName)`,
				New: `		_ = logCxt
		if !$on {
			t.markChainDirty(chainName)
		}`,
			},
		},
	},
	{
		Name: "restart-leaves-sets", Class: mutants.Programmed,
		Bug:   "sets of policies that went while the agent was down stay",
		Cause: `set .*left over`,
		Edits: []mutants.Edit{
			{
				File: ipsets,
				Old:  `				s.setNameToProgrammedMetadata.Dataplane().Set(ipSetName, meta)`,
				New: `				if _, ours := s.setNameToAllMetadata[ipSetName]; ours || !$on {
					s.setNameToProgrammedMetadata.Dataplane().Set(ipSetName, meta)
				}`,
			},
			{
				File: nftSets,
				Old:  `			s.setNameToProgrammedMetadata.Dataplane().Set(setName, ipsets.IPSetMetadata{})`,
				New: `			if !$on {
				s.setNameToProgrammedMetadata.Dataplane().Set(setName, ipsets.IPSetMetadata{})
			}`,
			},
		},
	},
	{
		Name: "restart-leaves-members", Class: mutants.FailOpen,
		Bug:   "addresses of pods that went while the agent was down stay in the sets",
		Cause: `set of .*(peer|port)`,
		Edits: []mutants.Edit{
			{
				File: ipsets,
				Old:  `						f(canonMember)`,
				New: `						if $on && !memberTracker.Desired().Contains(canonMember) {
							continue
						}
						f(canonMember)`,
			},
			{
				File: nftSets,
				Old:  `				f(item)`,
				New: `				if $on && !memberTracker.Desired().Contains(item) {
					return nil
				}
				f(item)`,
			},
		},
	},
	{
		Name: "gauge-rules-never-fall", Class: mutants.Gauge,
		Bug:   "the gauge of rules does not count those off that went with their chain",
		Cause: `gauge .*rules`,
		Edits: []mutants.Edit{
			{
				File: iptablesTable,
				Old:  `			t.gaugeNumRules.Sub(float64(len(t.chainNameToChain[chainName].Rules)))`,
				New: `			if !$on {
				t.gaugeNumRules.Sub(float64(len(t.chainNameToChain[chainName].Rules)))
			}`,
			},
			{
				File: nftTable,
				Old:  `		t.gaugeNumRules.Sub(float64(len(oldChain.Rules)))`,
				New: `		if !$on {
			t.gaugeNumRules.Sub(float64(len(oldChain.Rules)))
		}`,
			},
		},
	},
}

// everywhere makes one edit in several files.
func everywhere(e mutants.Edit, files ...string) []mutants.Edit {
	var all []mutants.Edit
	for _, file := range files {
		e.File = file
		all = append(all, e)
	}
	return all
}
