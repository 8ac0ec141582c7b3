package workloads

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// Classes returns a function that names the policy-equivalence class of a pod of the state: no policy in force treats two pods of one
// class differently, as source or as destination. They agree in node (local or not), labels, labels of the namespace, named ports,
// families, and in which of the policies' address blocks they are; and in the namespace itself if it has policies, or if a
// policy can tell namespaces by their name.
func (s State) Classes() func(Pod) string {
	governed, blocks, byName := map[string]bool{}, map[string]bool{}, false
	for key, policy := range s.Policies {
		governed[key.Namespace] = true
		for _, kind := range []networkingv1.PolicyType{networkingv1.PolicyTypeIngress, networkingv1.PolicyTypeEgress} {
			for _, rule := range rules(policy.Spec, kind) {
				for _, peer := range rule.Peers {
					byName = byName || asksForName(peer.NamespaceSelector)
					if peer.IPBlock != nil {
						for _, cidr := range append([]string{peer.IPBlock.CIDR}, peer.IPBlock.Except...) {
							blocks[cidr] = true
						}
					}
				}
			}
		}
	}
	var prefixes []netip.Prefix
	for cidr := range blocks {
		if prefix, err := netip.ParsePrefix(cidr); err == nil {
			prefixes = append(prefixes, prefix)
		}
	}
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
		return fmt.Sprint(p.Node == s.LocalNode, "|", namespace, "|", labels.Set(s.Namespaces[p.Namespace].Labels), "|", labels.Set(p.Labels), "|", p.Ports, "|", addresses)
	}
}

func asksForName(selector *metav1.LabelSelector) bool {
	if selector == nil {
		return false
	}
	_, exact := selector.MatchLabels[metadataName]
	return exact || slices.ContainsFunc(selector.MatchExpressions, func(r metav1.LabelSelectorRequirement) bool { return r.Key == metadataName })
}
