package workloads

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"pgregory.net/rapid"
	policyv1alpha2 "sigs.k8s.io/network-policy-api/apis/v1alpha2"
)

type (
	clusterSpec  = policyv1alpha2.ClusterNetworkPolicySpec
	clusterIn    = policyv1alpha2.ClusterNetworkPolicyIngressRule
	clusterOut   = policyv1alpha2.ClusterNetworkPolicyEgressRule
	clusterProto = policyv1alpha2.ClusterNetworkPolicyProtocol
)

// clusterIngress does the same to whatever comes from the pods of namespaces of that team; of no team: from all.
func clusterIngress(action policyv1alpha2.ClusterNetworkPolicyRuleAction, team string, protocols ...clusterProto) clusterIn {
	r := clusterIn{Action: action, From: []policyv1alpha2.ClusterNetworkPolicyIngressPeer{{Namespaces: everything}}, Protocols: protocols}
	if team != "" {
		r.From[0].Namespaces = is("team", team)
	}
	return r
}

func TestOracleOfClusterPolicies(t *testing.T) {
	number := func(n int32) *policyv1alpha2.Port { return &policyv1alpha2.Port{Number: n} }
	onTCP := clusterProto{TCP: &policyv1alpha2.ClusterNetworkPolicyProtocolTCP{DestinationPort: number(80)}}
	onUDP := clusterProto{UDP: &policyv1alpha2.ClusterNetworkPolicyProtocolUDP{DestinationPort: &policyv1alpha2.Port{Range: &policyv1alpha2.PortRange{Start: 70, End: 80}}}}
	called := clusterProto{DestinationNamedPort: "http"}
	allTCP := clusterProto{TCP: &policyv1alpha2.ClusterNetworkPolicyProtocolTCP{}}
	of := func(tier policyv1alpha2.Tier, priority int32, in ...clusterIn) clusterSpec {
		return clusterSpec{Tier: tier, Priority: priority, Subject: policyv1alpha2.ClusterNetworkPolicySubject{Namespaces: everything}, Ingress: in}
	}
	admin := func(priority int32, in ...clusterIn) clusterSpec { return of("Admin", priority, in...) }
	baseline := func(priority int32, in ...clusterIn) clusterSpec { return of("Baseline", priority, in...) }
	out := func(peer policyv1alpha2.ClusterNetworkPolicyEgressPeer) clusterSpec {
		s := admin(0)
		s.Egress = []clusterOut{{Action: "Deny", To: []policyv1alpha2.ClusterNetworkPolicyEgressPeer{peer}}}
		return s
	}
	deny := ingress(is())
	type specs = []clusterSpec
	for name, c := range map[string]struct {
		cluster  specs // cnp-0, cnp-1 …
		policy   *networkingv1.NetworkPolicySpec
		from, to string
		proto    corev1.Protocol
		port     uint16
		want     bool
		why      string
	}{
		"accepts what a policy denies":         {specs{admin(1, clusterIngress("Accept", "b"))}, &deny, "b/web", "a/web", tcp, 80, true, "Ingress: rule 0 of ClusterNetworkPolicy cnp-0"},
		"denies what no policy denies":         {specs{admin(1, clusterIngress("Deny", "b"))}, nil, "b/web", "a/web", tcp, 80, false, "rule 0 of ClusterNetworkPolicy cnp-0"},
		"passes to the policy":                 {specs{admin(1, clusterIngress("Pass", "b"))}, &deny, "b/web", "a/web", tcp, 80, false, "cnp-0 passes it on; Ingress: isolated by a/policy-0"},
		"passes the rest of its tier":          {specs{admin(1, clusterIngress("Pass", "b")), admin(2, clusterIngress("Deny", "b"))}, nil, "b/web", "a/web", tcp, 80, true, "not isolated"},
		"passes to the other tier":             {specs{admin(1, clusterIngress("Pass", "b")), baseline(0, clusterIngress("Deny", ""))}, nil, "b/web", "a/web", tcp, 80, false, "cnp-0 passes it on; Ingress: rule 0 of ClusterNetworkPolicy cnp-1"},
		"tiers come before priorities":         {specs{baseline(0, clusterIngress("Deny", "")), admin(9, clusterIngress("Accept", ""))}, nil, "b/web", "a/web", tcp, 80, true, "cnp-1"},
		"the lower number first":               {specs{admin(2, clusterIngress("Deny", "b")), admin(1, clusterIngress("Accept", "b"))}, nil, "b/web", "a/web", tcp, 80, true, "cnp-1"},
		"the lower number of the baseline":     {specs{baseline(2, clusterIngress("Deny", "b")), baseline(1, clusterIngress("Accept", "b"))}, nil, "b/web", "a/web", tcp, 80, true, "cnp-1"},
		"a baseline passes on to nothing":      {specs{baseline(1, clusterIngress("Pass", "b")), baseline(2, clusterIngress("Deny", ""))}, nil, "b/web", "a/web", tcp, 80, true, "cnp-0 passes it on; Ingress: not isolated"},
		"the baseline comes last":              {specs{baseline(0, clusterIngress("Deny", ""))}, new(ingress(is(), from())), "b/web", "a/web", tcp, 80, true, "rule 0 of a/policy-0"},
		"a tier that is none":                  {specs{of("Default", 0, clusterIngress("Deny", ""))}, nil, "b/web", "a/web", tcp, 80, true, "not isolated"},
		"of its port":                          {specs{admin(1, clusterIngress("Deny", "", onTCP))}, nil, "b/web", "a/web", tcp, 80, false, ""},
		"not of another port":                  {specs{admin(1, clusterIngress("Deny", "", onTCP))}, nil, "b/web", "a/web", tcp, 81, true, ""},
		"not of another protocol":              {specs{admin(1, clusterIngress("Deny", "", onTCP))}, nil, "b/web", "a/web", udp, 80, true, ""},
		"of the end of its range":              {specs{admin(1, clusterIngress("Deny", "", onTCP, onUDP))}, nil, "b/web", "a/web", udp, 80, false, ""},
		"not beyond it":                        {specs{admin(1, clusterIngress("Deny", "", onTCP, onUDP))}, nil, "b/web", "a/web", udp, 81, true, ""},
		"of all ports of a protocol":           {specs{admin(1, clusterIngress("Deny", "", allTCP))}, nil, "b/web", "a/web", tcp, 9, false, ""},
		"of the port's name":                   {specs{admin(1, clusterIngress("Deny", "", called))}, nil, "a/web", "a/db", tcp, 81, false, ""},
		"of that name alone":                   {specs{admin(1, clusterIngress("Deny", "", called))}, nil, "a/web", "a/db", tcp, 80, true, ""},
		"to a network":                         {specs{out(policyv1alpha2.ClusterNetworkPolicyEgressPeer{Networks: []policyv1alpha2.CIDR{"9.9.0.0/16"}})}, nil, "a/web", "9.9.9.9", tcp, 80, false, "Egress: rule 0"},
		"to a domain name, of which nothing's": {specs{out(policyv1alpha2.ClusterNetworkPolicyEgressPeer{DomainNames: []policyv1alpha2.DomainName{"*.example.org"}})}, nil, "a/web", "9.9.9.9", tcp, 80, true, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := smallWorld()
			for i, spec := range c.cluster {
				name := "cnp-" + string(rune('0'+i))
				s.Put(ClusterPolicy{name, spec})
			}
			if c.policy != nil {
				s.Put(Policy{Key{"a", "policy-0"}, *c.policy})
			}
			got := s.Allows(at(c.from), at(c.to), c.proto, c.port)
			if got.Allowed != c.want || !strings.Contains(got.Why, c.why) || got.Why == "" {
				t.Errorf("got %+v, want %v because %q", got, c.want, c.why)
			}
		})
	}
}

// TestOlderWordsMeanTheSame says the cluster policies of a state in the words of the older kinds. That one baseline takes the place of
// several, and priorities that several have, are left out.
func TestOlderWordsMeanTheSame(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawnState(t)
		s.Clear(AdminKind)
		s.Clear(BaselineKind)
		older := s
		older.Clear(ClusterKind)
		for _, name := range []string{"cnp-0", "cnp-1", "cnp-2"} {
			p, ok := s.ClusterPolicies().Lookup(Key{Name: name})
			switch {
			case ok && p.Spec.Tier == policyv1alpha2.AdminTier:
				older.Put(AdminPolicy{name, AsAdmin(p.Spec)})
			case ok && older.Baseline().Len() == 0:
				older.Put(BaselinePolicy{BaselineName, AsBaseline(p.Spec)})
			default:
				s.Remove(ClusterKind.Named(name))
			}
		}
		x, y := NewIndex(s), NewIndex(older)
		eachFlow(s, func(from, to Endpoint, proto corev1.Protocol, port uint16) {
			if a, b := x.Allows(from, to, proto, port), y.Allows(from, to, proto, port); a.Allowed != b.Allowed {
				t.Fatalf("%s %s to %s %s, %s %d: %+v, in older words %+v", from, from.Addr, to, to.Addr, proto, port, a, b)
			}
		})
	})
}
