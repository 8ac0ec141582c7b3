package workloads

import (
	"net/netip"
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

func TestAllows(t *testing.T) {
	pod := func(ns, name, role, ip string) Pod {
		return Pod{Key: Key{ns, name}, Labels: map[string]string{"role": role}, IPs: []netip.Addr{netip.MustParseAddr(ip)}}
	}
	web, db, far := pod("a", "web", "web", "10.128.0.1"), pod("a", "db", "db", "10.128.0.2"), pod("b", "web", "web", "10.128.0.3")
	selects := func(role string) metav1.LabelSelector {
		return metav1.LabelSelector{MatchLabels: map[string]string{"role": role}}
	}
	ingress := func(rules ...networkingv1.NetworkPolicyIngressRule) networkingv1.NetworkPolicySpec {
		return networkingv1.NetworkPolicySpec{PodSelector: selects("db"), Ingress: rules}
	}
	from := func(p networkingv1.NetworkPolicyPeer) networkingv1.NetworkPolicyIngressRule {
		return networkingv1.NetworkPolicyIngressRule{From: []networkingv1.NetworkPolicyPeer{p}}
	}
	webs, port, last, udp := selects("web"), intstr.FromInt32(8000), int32(8999), corev1.ProtocolUDP
	for name, c := range map[string]struct {
		spec     networkingv1.NetworkPolicySpec
		from, to Pod
		want     bool
	}{
		"same namespace, pod selector":       {ingress(from(networkingv1.NetworkPolicyPeer{PodSelector: &webs})), web, db, true},
		"other namespace, pod selector":      {ingress(from(networkingv1.NetworkPolicyPeer{PodSelector: &webs})), far, db, false},
		"other namespace by its name":        {ingress(from(networkingv1.NetworkPolicyPeer{NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{metadataName: "b"}}})), far, db, true},
		"no rule: deny":                      {ingress(), web, db, false},
		"empty rule: allow":                  {ingress(networkingv1.NetworkPolicyIngressRule{}), far, db, true},
		"not selected":                       {ingress(), db, web, true},
		"range holds the port":               {ingress(networkingv1.NetworkPolicyIngressRule{Ports: []networkingv1.NetworkPolicyPort{{Port: &port, EndPort: &last}}}), web, db, true},
		"another protocol":                   {ingress(networkingv1.NetworkPolicyIngressRule{Ports: []networkingv1.NetworkPolicyPort{{Protocol: &udp, Port: &port, EndPort: &last}}}), web, db, false},
		"block with the address excepted":    {ingress(from(networkingv1.NetworkPolicyPeer{IPBlock: &networkingv1.IPBlock{CIDR: "10.128.0.0/24", Except: []string{"10.128.0.3/32"}}})), far, db, false},
		"block":                              {ingress(from(networkingv1.NetworkPolicyPeer{IPBlock: &networkingv1.IPBlock{CIDR: "10.128.0.0/24"}})), far, db, true},
		"egress only does not close ingress": {networkingv1.NetworkPolicySpec{PodSelector: selects("db"), PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeEgress}}, web, db, true},
		"egress closed":                      {networkingv1.NetworkPolicySpec{PodSelector: selects("db"), PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeEgress}}, db, web, false},
	} {
		t.Run(name, func(t *testing.T) {
			s := NewState("local")
			s.Namespaces["a"], s.Namespaces["b"] = Namespace{Name: "a"}, Namespace{Name: "b"}
			for _, p := range []Pod{web, db, far} {
				s.Pods[p.Key] = p
			}
			s.Policies[Key{"a", "p"}] = Policy{Key: Key{"a", "p"}, Spec: c.spec}
			got := s.Allows(Endpoint{Pod: c.from.Key}, Endpoint{Pod: c.to.Key}, corev1.ProtocolTCP, 8080)
			if got.Allowed != c.want {
				t.Errorf("allowed %v because %q, want %v", got.Allowed, got.Why, c.want)
			}
		})
	}
}
