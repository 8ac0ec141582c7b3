package workloads

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// Classes returns a function that names the policy-equivalence class of a pod of the state: no policy in force treats two pods of one
// class differently, as source or as destination. They agree in node (local or not), labels, labels of the namespace, named ports,
// families, and in which of the policies' address blocks they are; and in the namespace itself if it has policies, or if a
// policy can tell namespaces by their name.
func (s State) Classes() func(Pod) string {
	governed, byName, blocks := map[string]bool{}, false, map[netip.Prefix]bool{}
	for _, policy := range s.Rulesets() {
		governed[policy.Key.Namespace] = true
		for _, peer := range append(policy.peers(), policy.Subject) {
			byName = byName || asksForName(peer.Namespaces)
			for _, block := range slices.Concat(peer.Networks, peer.Except) {
				blocks[block] = true
			}
		}
	}
	prefixes := slices.Collect(maps.Keys(blocks))
	slices.SortFunc(prefixes, func(a, b netip.Prefix) int { return strings.Compare(a.String(), b.String()) })
	return func(p Pod) string {
		namespace := ""
		if governed[p.Namespace] || byName {
			namespace = p.Namespace
		}
		var addresses []string
		for _, ip := range p.IPs {
			inside := []byte{'4'}
			if ip.Is6() {
				inside[0] = '6'
			}
			for _, prefix := range prefixes {
				inside = fmt.Append(inside, map[bool]int{true: 1}[prefix.Contains(ip)])
			}
			addresses = append(addresses, string(inside))
		}
		return fmt.Sprint(p.Node == s.LocalNode, "|", namespace, "|", labels.Set(s.Namespaces().Named(p.Namespace).Labels), "|", labels.Set(p.Labels), "|", p.Ports, "|", addresses)
	}
}

// peers lists all peers of all rules.
func (r *Ruleset) peers() []Peer {
	var all []Peer
	for _, rule := range slices.Concat(r.in, r.out) {
		all = append(all, rule.Peers...)
	}
	return all
}

func asksForName(selector *metav1.LabelSelector) bool {
	if selector == nil {
		return false
	}
	_, exact := selector.MatchLabels[metadataName]
	return exact || slices.ContainsFunc(selector.MatchExpressions, func(r metav1.LabelSelectorRequirement) bool { return r.Key == metadataName })
}
