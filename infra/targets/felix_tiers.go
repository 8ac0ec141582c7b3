package targets

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/nodefv/nodefv/workloads"
	"github.com/nodefv/nodefv/workloads/kernel"
)

// endpointRules renders the chain of an endpoint. Policies next to each other that select alike have a chain of their own.
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
	return append(rules, kernel.Rule{Do: kernel.Jump, Chain: profileTitle(pod.Namespace, w)},
		kernel.Rule{Where: []string{accepted}, Do: kernel.Return}, kernel.Rule{Do: kernel.Drop})
}

// tierRules renders what an endpoint's chain does for one tier. What no policy of the tier of NetworkPolicies let pass is dropped; the
// tiers of admin policies leave it to the next.
func tierRules(tier workloads.Tier, policies []*workloads.Ruleset, w felixWay) []kernel.Rule {
	policies = slices.DeleteFunc(slices.Clone(policies), func(p *workloads.Ruleset) bool { return p.Tier != tier })
	if len(policies) == 0 {
		return nil
	}
	rules := []kernel.Rule{{Do: kernel.SetMark, Mark: kernel.Mark{Clear: felixPassed}}}
	for _, g := range groups(policies) {
		rules = append(rules, kernel.Rule{Where: []string{notPassed}, Do: kernel.Jump, Chain: groupTitle(g, w)},
			kernel.Rule{Where: []string{accepted}, Do: kernel.Return})
	}
	if tier == workloads.NetworkTier {
		rules = append(rules, kernel.Rule{Where: []string{notPassed}, Do: kernel.Drop})
	}
	return rules
}

func groups(policies []*workloads.Ruleset) [][]*workloads.Ruleset {
	var all [][]*workloads.Ruleset
	before := ""
	for i, p := range policies {
		selects := selectorText(p.Subject.Namespaces) + " / " + selectorText(p.Subject.Pods)
		if i == 0 || selects != before {
			all = append(all, nil)
		}
		all[len(all)-1], before = append(all[len(all)-1], p), selects
	}
	return all
}

// selectorText is equal for selectors that Calico writes alike, which is by what Felix groups: the order of expressions and values counts.
func selectorText(l *metav1.LabelSelector) string {
	if l == nil {
		return ""
	}
	var all []string
	for _, k := range slices.Sorted(maps.Keys(l.MatchLabels)) {
		all = append(all, k+" == "+l.MatchLabels[k])
	}
	for _, e := range l.MatchExpressions {
		all = append(all, fmt.Sprint(e.Key, " ", e.Operator, " ", e.Values))
	}
	return strings.Join(all, " && ")
}

// groupTitle names what is jumped to: a policy's chain, or that of a group by the policies that it leads to.
func groupTitle(g []*workloads.Ruleset, w felixWay) string {
	titles := make([]string, 0, len(g))
	for _, p := range g {
		titles = append(titles, policyTitle(p, w))
	}
	return strings.Join(titles, " + ")
}

func policyTitle(p *workloads.Ruleset, w felixWay) string {
	return fmt.Sprintf("policy %s %s", p, w.word)
}
