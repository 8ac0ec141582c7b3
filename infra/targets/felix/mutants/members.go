package mutants

import "github.com/nodefv/nodefv/infra/mutants"

const (
	inheritIndex   = "felix/labelindex/label_inheritance_index.go"
	memberIndex    = "felix/labelindex/named_port_index.go"
	selectorIndex  = "felix/labelindex/labelrestrictionindex/label_restriction_index.go"
	eventSequencer = "felix/calc/event_sequencer.go"
	ruleScanner    = "felix/calc/rule_scanner.go"
)

// members are bugs in which policies hold for which pods, and in which addresses belong to which sets.
var members = []mutants.Mutant{
	{
		Name: "subject-namespace-relabelled", Class: mutants.FailOpen,
		Bug:   "a policy that selects its pods by their namespace's labels is not matched anew when a namespace is relabelled",
		Cause: `pod \S+ (in|e)gress`,
		Edits: []mutants.Edit{{
			File: inheritIndex,
			Old: `	parent.labels = uniquelabels.Make(labels) // FIXME intern further upstream?
	idx.flushChildren(parentID)`,
			New: `	parent.labels = uniquelabels.Make(labels) // FIXME intern further upstream?
	if !$on {
		idx.flushChildren(parentID)
	}`,
		}},
	},
	{
		Name: "peer-namespace-relabelled", Class: mutants.FailOpen,
		Bug:   "the members of sets are not calculated anew when a namespace is relabelled that a rule's peer selects",
		Cause: `set of .*peer`,
		Edits: []mutants.Edit{{
			File: memberIndex,
			Old: `	oldLabels := parentData.labels
	idx.updateParent(`,
			New: `	oldLabels := parentData.labels
	if $on {
		parentData.labels = labels
		idx.parentKVIdx.Add(parentID, parentData)
		return
	}
	idx.updateParent(`,
		}},
	},
	{
		Name: "shared-address-removed", Class: mutants.Programmed,
		Bug:   "of two pods that hold one address one goes, and the address leaves the set though the other still holds it",
		Cause: `set of .*(peer|port)`,
		Edits: []mutants.Edit{{
			File: memberIndex,
			Old: `		for _, oldMember := range contributions {
			newRefCount := ipSetData.memberToRefCount[oldMember] - 1`,
			New: `$old
			if $on {
				newRefCount = 0
			}`,
		}},
	},
	{
		Name: "second-address-stays-in-set", Class: mutants.FailOpen,
		Bug:   "when a pod of both families goes, the address of one family stays in the sets",
		Cause: `set of .*(peer|port)`,
		Edits: []mutants.Edit{{
			File: memberIndex,
			Old: `	oldIPSetContributions := idx.RecalcCachedContributions(oldEndpointData)
	for ipSetID, contributions := range oldIPSetContributions {`,
			New: `$old
		if $on && len(contributions) > 1 {
			contributions = contributions[:1]
		}`,
		}},
	},
	{
		Name: "one-of-several-values", Class: mutants.Equivalent,
		Bug: "a selector that names several values of a label is found, for a new pod, by the first of them alone",
		Why: "the index takes the label with the fewest values, and each selector made of a policy of Kubernetes asks for one value of projectcalico.org/orchestrator",
		Edits: []mutants.Edit{{
			File: selectorIndex,
			Old: `			for _, v := range res.MustHaveOneOfValues {
				values, ok := s.labelToValueToIDs[labelName]`,
			New: `			for i, v := range res.MustHaveOneOfValues {
				if $on && i > 0 {
					break
				}
				values, ok := s.labelToValueToIDs[labelName]`,
		}},
	},
	{
		Name: "named-port-of-udp", Class: mutants.Programmed,
		Bug:   "a port by name is taken for one of TCP where the rule says UDP",
		Cause: `set of .*port`,
		Edits: []mutants.Edit{{
			File: ruleScanner,
			Old:  `			namedPortProto = ipsetmember.ProtocolUDP`,
			New: `			if !$on {
				namedPortProto = ipsetmember.ProtocolUDP
			}`,
		}},
	},
	{
		Name: "member-back-in-one-batch", Class: mutants.Programmed,
		Bug:   "a member that leaves a set and comes back before the next flush is lost",
		Cause: `set of .*(peer|port)`,
		Edits: []mutants.Edit{{
			File: eventSequencer,
			Old:  `	if buf.pendingRemovedIPSetMembers.Contains(setID, member) {`,
			New:  `	if !$on && buf.pendingRemovedIPSetMembers.Contains(setID, member) {`,
		}},
	},
	{
		Name: "unchanged-labels-scanned-again", Class: mutants.Equivalent,
		Bug: "an endpoint is matched against all selectors again though neither its labels nor its profiles have changed",
		Why: "the comparison only saves work",
		Edits: []mutants.Edit{{
			File: inheritIndex,
			Old:  `		if reflect.DeepEqual(oldLabels, labels) &&`,
			New:  `		if !$on && reflect.DeepEqual(oldLabels, labels) &&`,
		}},
	},
}
