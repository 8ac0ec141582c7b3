package workloads

import (
	"slices"

	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// Index answers many questions about one state quickly: who is selected by what. It is safe for concurrent use.
type Index struct {
	state      State
	namespaces map[string]labels.Set // with the label that the API adds
	pods       map[string][]Pod      // by namespace, in order of name
	policies   map[string][]indexedPolicy
}

type indexedPolicy struct {
	Policy
	selects labels.Selector
}

// NewIndex reads a state once.
func NewIndex(s State) *Index {
	x := &Index{state: s, namespaces: map[string]labels.Set{}, pods: map[string][]Pod{}, policies: map[string][]indexedPolicy{}}
	for _, k := range sortedKeys(s.Pods) {
		x.pods[k.Namespace] = append(x.pods[k.Namespace], s.Pods[k])
	}
	for namespace := range x.pods {
		x.namespaces[namespace] = labels.Merge(s.Namespaces[namespace].Labels, labels.Set{metadataName: namespace})
	}
	for _, k := range sortedKeys(s.Policies) {
		p := s.Policies[k]
		x.policies[k.Namespace] = append(x.policies[k.Namespace], indexedPolicy{p, selector(&p.Spec.PodSelector)})
	}
	return x
}

// Applying returns the policies that hold for a pod in one direction, in order of name.
func (x *Index) Applying(pod Pod, kind networkingv1.PolicyType) []Policy {
	var all []Policy
	for _, p := range x.policies[pod.Namespace] {
		if p.selects.Matches(labels.Set(pod.Labels)) && slices.Contains(policyTypes(p.Spec), kind) {
			all = append(all, p.Policy)
		}
	}
	return all
}

// Selected returns the pods that a peer of a policy in that namespace means, whether they have addresses or not; of an ipBlock
// none.
func (x *Index) Selected(namespace string, p networkingv1.NetworkPolicyPeer) []Pod {
	if p.IPBlock != nil {
		return nil
	}
	among := labels.SelectorFromSet(labels.Set{metadataName: namespace})
	if p.NamespaceSelector != nil {
		among = selector(p.NamespaceSelector)
	}
	which := labels.Everything()
	if p.PodSelector != nil {
		which = selector(p.PodSelector)
	}
	var all []Pod
	for name, set := range x.namespaces {
		if !among.Matches(set) {
			continue
		}
		for _, pod := range x.pods[name] {
			if which.Matches(labels.Set(pod.Labels)) {
				all = append(all, pod)
			}
		}
	}
	return all
}

// Rules returns the rules of one direction, in order.
func (p Policy) Rules(kind networkingv1.PolicyType) []Rule { return rules(p.Spec, kind) }

// selector treats one that the API would refuse as one that selects nothing.
func selector(l *metav1.LabelSelector) labels.Selector {
	s, err := metav1.LabelSelectorAsSelector(l)
	if err != nil {
		return labels.Nothing()
	}
	return s
}
