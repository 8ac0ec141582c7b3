package felix

import (
	"fmt"
	"slices"

	networkingv1 "k8s.io/api/networking/v1"

	"github.com/nodefv/nodefv/workloads"
	"github.com/nodefv/nodefv/workloads/kernel"
)

// endpointRules renders the chain of an endpoint. Whether Felix gives policies that select alike a chain of their own makes no difference.
func endpointRules(pod workloads.Pod, policies []*workloads.Ruleset, w felixWay) []kernel.Rule {
	rules := []kernel.Rule{
		{Where: []string{"ct established,related"}, Do: kernel.Accept},
		{Where: []string{"ct invalid"}, Do: kernel.Drop},
		{Do: kernel.SetMark, Mark: kernel.Mark{Clear: felixAccepted | felixPassed}},
	}
	if w.kind == networkingv1.PolicyTypeEgress {
		rules = append(rules, kernel.Rule{Where: []string{"proto udp", "to port 4789"}, Do: kernel.Drop},
			kernel.Rule{Where: []string{"proto ipencap"}, Do: kernel.Drop})
	}
	for _, tier := range workloads.Tiers {
		rules = append(rules, tierRules(tier, policies, w)...)
	}
	return append(rules, kernel.Rule{Do: kernel.Jump, Chain: profileTitle(pod.Namespace, w)}, acceptedReturn, kernel.Rule{Do: kernel.Drop})
}

// tierRules renders what an endpoint's chain does for one tier. What no policy of the tier of NetworkPolicies let pass is dropped; the
// tiers of admin policies leave it to the next.
func tierRules(tier workloads.Tier, policies []*workloads.Ruleset, w felixWay) []kernel.Rule {
	policies = slices.DeleteFunc(slices.Clone(policies), func(p *workloads.Ruleset) bool { return p.Tier != tier })
	if len(policies) == 0 {
		return nil
	}
	rules := []kernel.Rule{{Do: kernel.SetMark, Mark: kernel.Mark{Clear: felixPassed}}}
	for _, p := range policies {
		rules = append(rules, asking(policyTitle(p, w)), acceptedReturn)
	}
	if tier == workloads.NetworkTier {
		rules = append(rules, kernel.Rule{Where: []string{notPassed}, Do: kernel.Drop})
	}
	return rules
}

// asking leads to a policy, unless one before it has passed the packet on to the next tier.
func asking(policy string) kernel.Rule {
	return kernel.Rule{Where: []string{notPassed}, Do: kernel.Jump, Chain: policy}
}

// acceptedReturn follows each of them.
var acceptedReturn = kernel.Rule{Where: []string{accepted}, Do: kernel.Return}

func policyTitle(p *workloads.Ruleset, w felixWay) string {
	return fmt.Sprintf("policy %s %s", p, w.word)
}
