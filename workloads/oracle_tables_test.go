package workloads

import (
	"net/netip"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// tableAllows is the second oracle. It shares no code with the first, not even the library's selectors.
func tableAllows(s State, from, to Key, proto corev1.Protocol, port uint16) bool {
	if from == to {
		return true
	}
	isolated := map[string]bool{}
	pass := map[string]bool{}
	for _, policy := range s.Policies {
		hasIngress, hasEgress := len(policy.Spec.PolicyTypes) == 0, len(policy.Spec.PolicyTypes) == 0 && len(policy.Spec.Egress) > 0
		for _, kind := range policy.Spec.PolicyTypes {
			hasIngress = hasIngress || kind == "Ingress"
			hasEgress = hasEgress || kind == "Egress"
		}
		if hasIngress && policy.Namespace == to.Namespace && tableSelects(policy.Spec.PodSelector, s.Pods[to].Labels) {
			isolated["in"] = true
			for _, r := range policy.Spec.Ingress {
				pass["in"] = pass["in"] || tablePeers(s, policy.Namespace, r.From)[from] && tablePorts(r.Ports, s.Pods[to])[proto][port]
			}
		}
		if hasEgress && policy.Namespace == from.Namespace && tableSelects(policy.Spec.PodSelector, s.Pods[from].Labels) {
			isolated["out"] = true
			for _, r := range policy.Spec.Egress {
				pass["out"] = pass["out"] || tablePeers(s, policy.Namespace, r.To)[to] && tablePorts(r.Ports, s.Pods[to])[proto][port]
			}
		}
	}
	return (!isolated["in"] || pass["in"]) && (!isolated["out"] || pass["out"])
}

// tablePeers lists the pods that any of the peers means.
func tablePeers(s State, namespace string, peers []networkingv1.NetworkPolicyPeer) map[Key]bool {
	table := map[Key]bool{}
	for key, pod := range s.Pods {
		if len(peers) == 0 {
			table[key] = true
		}
		labels := map[string]string{"kubernetes.io/metadata.name": key.Namespace}
		for k, v := range s.Namespaces[key.Namespace].Labels {
			labels[k] = v
		}
		for _, p := range peers {
			if p.IPBlock != nil {
				in := netip.MustParsePrefix(p.IPBlock.CIDR).Contains(pod.IPs[0])
				for _, e := range p.IPBlock.Except {
					in = in && !netip.MustParsePrefix(e).Contains(pod.IPs[0])
				}
				table[key] = table[key] || in
				continue
			}
			inNamespace := p.NamespaceSelector == nil && key.Namespace == namespace || p.NamespaceSelector != nil && tableSelects(*p.NamespaceSelector, labels)
			table[key] = table[key] || inNamespace && (p.PodSelector == nil || tableSelects(*p.PodSelector, pod.Labels))
		}
	}
	return table
}

// tablePorts lists all the ports of that pod that the rule means, protocol by protocol.
func tablePorts(ports []networkingv1.NetworkPolicyPort, to Pod) map[corev1.Protocol]map[uint16]bool {
	table := map[corev1.Protocol]map[uint16]bool{"TCP": {}, "UDP": {}}
	for n := uint16(70); n < 100; n++ {
		for _, p := range ports {
			switch {
			case p.Port != nil && p.Port.StrVal != "":
				for _, named := range to.Ports {
					if named.Name == p.Port.StrVal && named.Protocol == *p.Protocol {
						table[named.Protocol][named.Port] = true
					}
				}
			case p.Port == nil, p.EndPort == nil && int32(n) == p.Port.IntVal, p.EndPort != nil && int32(n) >= p.Port.IntVal && int32(n) <= *p.EndPort:
				table[*p.Protocol][n] = true
			}
		}
		if len(ports) == 0 {
			table["TCP"][n], table["UDP"][n] = true, true
		}
	}
	return table
}

func tableSelects(s metav1.LabelSelector, labels map[string]string) bool {
	for k, v := range s.MatchLabels {
		if got, ok := labels[k]; !ok || got != v {
			return false
		}
	}
	for _, e := range s.MatchExpressions {
		got, ok := labels[e.Key]
		listed := false
		for _, v := range e.Values {
			listed = listed || ok && v == got
		}
		holds := map[metav1.LabelSelectorOperator]bool{"In": listed, "NotIn": !listed, "Exists": ok, "DoesNotExist": !ok}
		if !holds[e.Operator] {
			return false
		}
	}
	return true
}
