package mutants

import "github.com/nodefv/nodefv/infra/mutants"

const (
	conversion     = "libcalico-go/lib/backend/k8s/conversion/conversion.go"
	podConversion  = "libcalico-go/lib/backend/k8s/conversion/workload_endpoint_default.go"
	ruleConversion = "libcalico-go/lib/backend/syncersv1/updateprocessors/rules.go"
)

// conversions are bugs in what becomes of the objects of Kubernetes on their way into Felix.
var conversions = []mutants.Mutant{
	{
		Name: "only-first-exception", Class: mutants.FailOpen,
		Bug:   "of the exceptions of an address block all but the first are ignored",
		Cause: `policy .* (in|e)gress.*(from|to|not) `,
		Edits: []mutants.Edit{{
			File: conversion,
			Old:  `			notNets = append(notNets, ipNet.String())`,
			New: `			if !$on || len(notNets) == 0 {
				notNets = append(notNets, ipNet.String())
			}`,
		}},
	},
	{
		Name: "end-port-ignored", Class: mutants.Programmed,
		Bug:   "of a range of ports only the first is let in",
		Cause: `policy .* (in|e)gress.*port`,
		Edits: []mutants.Edit{{
			File: conversion,
			Old:  `		if port.EndPort != nil {`,
			New:  `		if port.EndPort != nil && !$on {`,
		}},
	},
	{
		Name: "ports-two-apart-joined", Class: mutants.FailOpen,
		Bug:   "two ports with one between them become a range, and that one is let in as well",
		Cause: `policy .* (in|e)gress.*port`,
		Edits: []mutants.Edit{{
			File: conversion,
			Old:  `			if nextPort > lastPortInRange+1 {`,
			New:  `			if nextPort > lastPortInRange+1 && !($on && nextPort == lastPortInRange+2) {`,
		}},
	},
	{
		Name: "all-namespaces-means-own", Class: mutants.Programmed,
		Bug:   "an empty namespace selector selects the policy's own namespace instead of all",
		Cause: `set of .*peer|policy .*from|policy .*to `,
		Edits: []mutants.Edit{{
			File: conversion,
			Old:  `		return "all()"`,
			New: `		if $on {
			return ""
		}
		return "all()"`,
		}},
	},
	{
		Name: "not-in-needs-the-label", Class: mutants.Programmed,
		Bug:   "the operator NotIn does not select what lacks the label",
		Cause: `set of .*peer|pod \S+ (in|e)gress`,
		Edits: []mutants.Edit{{
			File: conversion,
			Old:  `			selectors = append(selectors, fmt.Sprintf("%s not in { '%s' }", e.Key, valueList))`,
			New: `			if $on {
				selectors = append(selectors, fmt.Sprintf("has(%s)", e.Key))
			}
			$old`,
		}},
	},
	{
		Name: "pods-of-other-namespaces-lost", Class: mutants.FailOpen,
		Bug:   "a peer that selects namespaces and pods selects such pods of the policy's own namespace instead",
		Cause: `set of .*peer|policy .*from|policy .*to `,
		Edits: []mutants.Edit{{
			File: conversion,
			Old:  `	nsSelector = k8sSelectorToCalico(peer.NamespaceSelector, SelectorNamespace)`,
			New: `	if !$on || peer.PodSelector == nil {
		nsSelector = k8sSelectorToCalico(peer.NamespaceSelector, SelectorNamespace)
	}`,
		}},
	},
	{
		Name: "admin-only-first-network", Class: mutants.FailOpen,
		Bug:   "of the networks that an admin policy's rule names only the first counts",
		Cause: `policy (Baseline)?AdminNetworkPolicy .* egress`,
		Edits: []mutants.Edit{{
			File: conversion,
			Old:  `					nets = append(nets, ipNet.String())`,
			New: `					if !$on || len(nets) == 0 {
						nets = append(nets, ipNet.String())
					}`,
		}},
	},
	{
		Name: "admin-range-one-too-short", Class: mutants.FailOpen,
		Bug:   "a range of ports that an admin policy denies lacks its last port",
		Cause: `policy (Baseline)?AdminNetworkPolicy .*port`,
		Edits: []mutants.Edit{{
			File: conversion,
			Old:  `	p, err := numorstring.PortFromRange(uint16(port.Start), uint16(port.End))`,
			New: `	end := port.End
	if $on && end > port.Start {
		end--
	}
	p, err := numorstring.PortFromRange(uint16(port.Start), uint16(end))`,
		}},
	},
	{
		Name: "admin-egress-of-both-lost", Class: mutants.FailOpen,
		Bug:   "of an admin policy with rules for both directions those for what is sent are ignored",
		Cause: `AdminNetworkPolicy .* egress|pod \S+ egress`,
		Edits: []mutants.Edit{{
			File: conversion,
			Old:  `	if len(egressRules) != 0 {`,
			New:  `	if len(egressRules) != 0 && !($on && len(ingressRules) != 0) {`,
		}},
	},
	{
		Name: "pass-means-allow", Class: mutants.FailOpen,
		Bug:   "what an admin policy passes on to the policies is let through",
		Cause: `policy AdminNetworkPolicy .* (in|e)gress`,
		Edits: []mutants.Edit{{
			File: ruleConversion,
			Old:  `		return "next-tier"`,
			New: `		if $on {
			return "allow"
		}
		return "next-tier"`,
		}},
	},
	{
		Name: "finished-pod-keeps-address", Class: mutants.FailOpen,
		Bug:   "a pod that has finished, and whose address may be another's by now, keeps it",
		Cause: `set of .*peer|route`,
		Edits: []mutants.Edit{{
			File: podConversion,
			Old:  `	if IsFinished(pod) {`,
			New:  `	if !$on && IsFinished(pod) {`,
		}},
	},
	{
		Name: "policy-without-types", Class: mutants.Equivalent,
		Bug: "a NetworkPolicy that names no types holds for no direction instead of for what comes in",
		Why: "the API server fills the types in before it stores a policy",
		Edits: []mutants.Edit{{
			File: conversion,
			Old: `	if len(policyTypes) == 0 {
		policyTypes = append(policyTypes, apiv3.PolicyTypeIngress)`,
			New: `	if len(policyTypes) == 0 && !$on {
		policyTypes = append(policyTypes, apiv3.PolicyTypeIngress)`,
		}},
	},
}
