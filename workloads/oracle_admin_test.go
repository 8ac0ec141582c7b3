package workloads

import (
	"net/netip"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1alpha1 "sigs.k8s.io/network-policy-api/apis/v1alpha1"
)

type (
	adminSpec = policyv1alpha1.AdminNetworkPolicySpec
	adminIn   = policyv1alpha1.AdminNetworkPolicyIngressRule
	adminOut  = policyv1alpha1.AdminNetworkPolicyEgressRule
	adminPeer = policyv1alpha1.AdminNetworkPolicyEgressPeer
)

var everyPod = policyv1alpha1.AdminNetworkPolicySubject{Namespaces: everything}

// adminIngress does the same to whatever comes from the pods of namespaces of that team; of no team: from all.
func adminIngress(action policyv1alpha1.AdminNetworkPolicyRuleAction, team string, ports ...policyv1alpha1.AdminNetworkPolicyPort) adminIn {
	r := adminIn{Action: action, From: []policyv1alpha1.AdminNetworkPolicyIngressPeer{{Namespaces: everything}}}
	if team != "" {
		r.From[0].Namespaces = is("team", team)
	}
	if ports != nil {
		r.Ports = &ports
	}
	return r
}

func adminEgress(action policyv1alpha1.AdminNetworkPolicyRuleAction, peer adminPeer) adminOut {
	return adminOut{Action: action, To: []adminPeer{peer}}
}

func numbered(proto corev1.Protocol, port int32) policyv1alpha1.AdminNetworkPolicyPort {
	return policyv1alpha1.AdminNetworkPolicyPort{PortNumber: &policyv1alpha1.Port{Protocol: proto, Port: port}}
}

func TestOracleOfAdminPolicies(t *testing.T) {
	deny := ingress(is())
	baseline := []adminIn{adminIngress("Deny", "")}
	called := policyv1alpha1.AdminNetworkPolicyPort{NamedPort: new("http")}
	named := func(priority int32, in ...adminIn) adminSpec {
		return adminSpec{Priority: priority, Subject: everyPod, Ingress: in}
	}
	out := func(rules ...adminOut) adminSpec { return adminSpec{Subject: everyPod, Egress: rules} }
	type admins = []adminSpec
	for name, c := range map[string]struct {
		admin    admins // anp-0, anp-1 …
		policy   *networkingv1.NetworkPolicySpec
		baseline []adminIn
		from, to string
		port     uint16
		want     bool
		why      string
	}{
		"allows what a policy denies":   {admins{named(1, adminIngress("Allow", "b"))}, &deny, nil, "b/web", "a/web", 80, true, "Ingress: rule 0 of AdminNetworkPolicy anp-0"},
		"denies what no policy denies":  {admins{named(1, adminIngress("Deny", "b"))}, nil, nil, "b/web", "a/web", 80, false, "Ingress: rule 0 of AdminNetworkPolicy anp-0"},
		"passes to the policy":          {admins{named(1, adminIngress("Pass", "b"))}, &deny, nil, "b/web", "a/web", 80, false, "anp-0 passes it on; Ingress: isolated by a/policy-0"},
		"passes all admin policies":     {admins{named(1, adminIngress("Pass", "b")), named(2, adminIngress("Deny", "b"))}, nil, nil, "b/web", "a/web", 80, true, "not isolated"},
		"passes to the baseline":        {admins{named(1, adminIngress("Pass", "b"))}, nil, baseline, "b/web", "a/web", 80, false, "anp-0 passes it on; Ingress: rule 0 of BaselineAdminNetworkPolicy default"},
		"the lower number first":        {admins{named(2, adminIngress("Deny", "b")), named(1, adminIngress("Allow", "b"))}, nil, nil, "b/web", "a/web", 80, true, "anp-1"},
		"the earlier rule first":        {admins{named(1, adminIngress("Deny", "b"), adminIngress("Allow", ""))}, nil, nil, "b/web", "a/web", 80, false, "rule 0"},
		"the rule of its peer":          {admins{named(1, adminIngress("Deny", "b"), adminIngress("Allow", ""))}, &deny, nil, "a/db", "a/web", 80, true, "rule 1"},
		"no match goes on":              {admins{named(1, adminIngress("Allow", "b", numbered(udp, 80)))}, &deny, nil, "b/web", "a/web", 80, false, "isolated"},
		"of its port":                   {admins{named(1, adminIngress("Deny", "b", numbered("", 80)))}, nil, nil, "b/web", "a/web", 80, false, ""},
		"not of another port":           {admins{named(1, adminIngress("Deny", "b", numbered("", 80)))}, nil, nil, "b/web", "a/web", 81, true, ""},
		"of the port's name":            {admins{named(1, adminIngress("Deny", "a", called))}, nil, nil, "a/web", "a/db", 81, false, ""},
		"of that name alone":            {admins{named(1, adminIngress("Deny", "a", called))}, nil, nil, "a/web", "a/db", 80, true, ""},
		"without rules":                 {admins{{Subject: everyPod}}, nil, nil, "b/web", "a/web", 80, true, "not isolated"},
		"of another subject":            {admins{{Subject: policyv1alpha1.AdminNetworkPolicySubject{Namespaces: is("team", "b")}, Ingress: baseline}}, nil, nil, "b/web", "a/web", 80, true, ""},
		"without a subject":             {admins{{Ingress: baseline}}, nil, nil, "b/web", "a/web", 80, true, ""},
		"not from outside":              {admins{named(1, adminIngress("Deny", ""))}, nil, nil, "9.9.9.9", "a/web", 80, true, ""},
		"not from a node":               {admins{named(1, adminIngress("Deny", ""))}, nil, nil, "node:there", "a/web", 80, true, ""},
		"to networks":                   {admins{out(adminEgress("Deny", adminPeer{Networks: []policyv1alpha1.CIDR{"1.0.0.0/8", "9.9.0.0/16"}}))}, nil, nil, "a/web", "9.9.9.9", 80, false, "Egress: rule 0"},
		"to networks of pods":           {admins{out(adminEgress("Deny", adminPeer{Networks: []policyv1alpha1.CIDR{"0.0.0.0/0"}}))}, nil, nil, "a/web", "b/web", 80, false, ""},
		"to nodes":                      {admins{out(adminEgress("Deny", adminPeer{Nodes: is("kind", "edge")}))}, nil, nil, "a/web", "node:there", 80, false, ""},
		"to other nodes":                {admins{out(adminEgress("Deny", adminPeer{Nodes: is("kind", "edge")}))}, nil, nil, "a/web", "node:here", 80, true, ""},
		"nodes are not pods":            {admins{out(adminEgress("Deny", adminPeer{Nodes: is()}))}, nil, nil, "a/web", "b/web", 80, true, ""},
		"nodes are not addresses":       {admins{out(adminEgress("Deny", adminPeer{Nodes: is()}))}, nil, nil, "a/web", "9.9.9.9", 80, true, ""},
		"the baseline denies":           {nil, nil, baseline, "b/web", "a/web", 80, false, "BaselineAdminNetworkPolicy default"},
		"the baseline comes last":       {nil, new(ingress(is(), from())), baseline, "b/web", "a/web", 80, true, "rule 0 of a/policy-0"},
		"the baseline of the unheld":    {nil, &deny, baseline, "a/web", "b/web", 80, false, "Baseline"},
		"the baseline is passed by all": {nil, nil, []adminIn{adminIngress("Allow", "b"), adminIngress("Deny", "")}, "b/web", "a/web", 80, true, "rule 0 of Baseline"},
		"a pod reaches itself":          {admins{named(1, adminIngress("Deny", ""))}, nil, nil, "a/web", "a/web", 80, true, "itself"},
	} {
		t.Run(name, func(t *testing.T) {
			s := smallWorld()
			s.Put(Node{Name: "here", Local: true, IP: netip.MustParseAddr("198.18.0.1")})
			s.Put(Node{Name: "there", IP: netip.MustParseAddr("198.18.0.2"), Labels: map[string]string{"kind": "edge"}})
			for i, spec := range c.admin {
				name := "anp-" + string(rune('0'+i))
				s.Put(AdminPolicy{name, spec})
			}
			if c.policy != nil {
				s.Put(Policy{Key{"a", "policy-0"}, *c.policy})
			}
			if c.baseline != nil {
				spec := policyv1alpha1.BaselineAdminNetworkPolicySpec{Subject: everyPod}
				for _, r := range c.baseline {
					spec.Ingress = append(spec.Ingress, policyv1alpha1.BaselineAdminNetworkPolicyIngressRule{
						Action: policyv1alpha1.BaselineAdminNetworkPolicyRuleAction(r.Action), From: r.From, Ports: r.Ports,
					})
				}
				s.Put(BaselinePolicy{BaselineName, spec})
			}
			got := s.Allows(at(c.from), at(c.to), tcp, c.port)
			if got.Allowed != c.want || !strings.Contains(got.Why, c.why) || got.Why == "" {
				t.Errorf("got %+v, want %v because %q", got, c.want, c.why)
			}
		})
	}
}

// TestOracleOfEnds wants what is not a matter of policies to be told apart from what is.
func TestOracleOfEnds(t *testing.T) {
	both := []networkingv1.PolicyType{networkingv1.PolicyTypeIngress, networkingv1.PolicyTypeEgress}
	s := smallWorld(networkingv1.NetworkPolicySpec{PolicyTypes: both})
	s.Put(Node{Name: "here", Local: true, IP: netip.MustParseAddr("198.18.0.1")})
	s.Put(Node{Name: "there", IP: netip.MustParseAddr("198.18.0.2")})
	for name, change := range map[string]func(*Pod){
		"none": func(p *Pod) { p.IPs = nil }, "four": func(p *Pod) { p.IPs = p.IPs[:1] }, "six": func(p *Pod) { p.IPs = p.IPs[1:] },
	} {
		p := s.Pods().Get(Key{"b", "web"})
		p.Name = name
		change(&p)
		s.Put(p)
	}
	for name, c := range map[string]struct {
		from, to Endpoint
		want     bool
		why      string
	}{
		"its own node reaches a pod":       {at("node:here"), at("a/web"), true, "rules of a/policy-0 are not between a pod and its own node"},
		"a pod reaches its own node":       {at("a/web"), at("node:here"), true, "own node"},
		"another node does not":            {at("node:there"), at("a/web"), false, "isolated by a/policy-0"},
		"nor is it reached":                {at("a/web"), at("node:there"), false, "isolated by a/policy-0"},
		"a node unknown":                   {at("node:nowhere"), at("a/web"), false, "not in the state"},
		"a pod without address":            {at("b/web"), at("b/none"), false, "pod b/none has no address"},
		"it does not reach itself":         {at("b/none"), at("b/none"), false, "has no address"},
		"without a family in common":       {at("b/four"), at("b/six"), false, "no address of one family"},
		"an address of the other family":   {at("b/four"), at("2001:db8::1"), false, "no address of one family"},
		"an address that is not the pod's": {Endpoint{Pod: Key{"b", "web"}, Addr: netip.MustParseAddr("10.128.0.99")}, at("b/four"), false, "has not the address 10.128.0.99"},
		"nothing at all":                   {Endpoint{}, at("b/web"), false, "has no address"},
		"a family in common":               {at("b/web"), at("b/six"), true, "not isolated"},
	} {
		if got := s.Allows(c.from, c.to, tcp, 80); got.Allowed != c.want || !strings.Contains(got.Why, c.why) {
			t.Errorf("%s: got %+v, want %v because %q", name, got, c.want, c.why)
		}
	}
}
