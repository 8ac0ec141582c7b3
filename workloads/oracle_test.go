package workloads

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

const (
	tcp  = corev1.ProtocolTCP
	udp  = corev1.ProtocolUDP
	sctp = corev1.ProtocolSCTP
)

func is(pairs ...string) *metav1.LabelSelector {
	s := &metav1.LabelSelector{MatchLabels: map[string]string{}}
	for i := 0; i < len(pairs); i += 2 {
		s.MatchLabels[pairs[i]] = pairs[i+1]
	}
	return s
}

func where(key string, op metav1.LabelSelectorOperator, values ...string) *metav1.LabelSelector {
	return &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: key, Operator: op, Values: values}}}
}

func on(proto corev1.Protocol, ports ...int32) networkingv1.NetworkPolicyPort {
	p := networkingv1.NetworkPolicyPort{Protocol: &proto}
	if len(ports) > 0 {
		first := intstr.FromInt32(ports[0])
		p.Port = &first
	}
	if len(ports) > 1 {
		p.EndPort = &ports[1]
	}
	return p
}

type peer = networkingv1.NetworkPolicyPeer

func block(cidr string, except ...string) peer {
	return peer{IPBlock: &networkingv1.IPBlock{CIDR: cidr, Except: except}}
}

func ingress(selector *metav1.LabelSelector, rules ...networkingv1.NetworkPolicyIngressRule) networkingv1.NetworkPolicySpec {
	return networkingv1.NetworkPolicySpec{PodSelector: *selector, Ingress: rules}
}

func from(peers ...peer) networkingv1.NetworkPolicyIngressRule {
	return networkingv1.NetworkPolicyIngressRule{From: peers}
}

func through(ports ...networkingv1.NetworkPolicyPort) networkingv1.NetworkPolicyIngressRule {
	return networkingv1.NetworkPolicyIngressRule{Ports: ports}
}

// smallWorld has pods a/web, a/db and b/web; web calls its port 80 http, and db its port 81.
func smallWorld(policies ...networkingv1.NetworkPolicySpec) State {
	s := NewState("here")
	for i, k := range []Key{{"a", "web"}, {"a", "db"}, {"b", "web"}} {
		s.Put(Namespace{Name: k.Namespace, Labels: map[string]string{"team": k.Namespace}})
		s.Put(Pod{
			Key: k, Node: "here", Labels: map[string]string{"app": k.Name}, IPs: []netip.Addr{address(PoolV4, i+1), address(PoolV6, i+1)},
			Ports: []NamedPort{{"http", tcp, uint16(80 + i%2)}},
		})
	}
	for i, spec := range policies {
		k := Key{"a", fmt.Sprintf("policy-%d", i)}
		s.Put(Policy{Key: k, Spec: spec})
	}
	return s
}

func at(s string) Endpoint {
	if node, ok := strings.CutPrefix(s, "node:"); ok {
		return Endpoint{Node: node}
	}
	if namespace, name, ok := strings.Cut(s, "/"); ok {
		return Endpoint{Pod: Key{namespace, name}}
	}
	return Endpoint{Addr: netip.MustParseAddr(s)}
}

func TestOracle(t *testing.T) {
	all, egress := is(), []networkingv1.PolicyType{networkingv1.PolicyTypeEgress}
	port80 := intstr.FromInt32(80)
	named := networkingv1.NetworkPolicyPort{Port: new(intstr.FromString("http"))}
	type policies = []networkingv1.NetworkPolicySpec
	for name, c := range map[string]struct {
		policies policies
		from, to string
		proto    corev1.Protocol
		port     uint16
		want     bool
		why      string
	}{
		"no policy":                     {nil, "a/web", "b/web", tcp, 80, true, "Egress: not isolated; Ingress: not isolated"},
		"default deny":                  {policies{ingress(all)}, "b/web", "a/web", tcp, 80, false, "Ingress: isolated by a/policy-0"},
		"deny is of its namespace":      {policies{ingress(all)}, "a/web", "b/web", tcp, 80, true, ""},
		"a pod reaches itself":          {policies{ingress(all)}, "a/web", "a/web", tcp, 80, true, "itself"},
		"unselected":                    {policies{ingress(is("app", "db"))}, "b/web", "a/web", tcp, 80, true, ""},
		"allow all":                     {policies{ingress(all, from())}, "b/web", "a/web", sctp, 80, true, "rule 0 of a/policy-0"},
		"policies add up":               {policies{ingress(all), ingress(all, from(), from())}, "b/web", "a/web", tcp, 80, true, "rule 0 of a/policy-1"},
		"second rule":                   {policies{ingress(all, through(on(udp)), from())}, "b/web", "a/web", tcp, 80, true, "rule 1"},
		"no egress by default":          {policies{ingress(all)}, "a/web", "b/web", tcp, 80, true, "Egress: not isolated"},
		"egress rules bring their type": {policies{{Egress: []networkingv1.NetworkPolicyEgressRule{{To: []peer{{PodSelector: is("app", "db")}}}}}}, "a/web", "b/web", tcp, 80, false, "Egress: isolated"},
		"and ingress as well":           {policies{{Egress: []networkingv1.NetworkPolicyEgressRule{{}}}}, "b/web", "a/web", tcp, 80, false, "Ingress: isolated"},
		"egress alone":                  {policies{{PolicyTypes: egress}}, "b/web", "a/web", tcp, 80, true, ""},
		"egress denied":                 {policies{{PolicyTypes: egress}}, "a/web", "9.9.9.9", tcp, 80, false, "Egress: isolated by a/policy-0"},
		"rules of a type not listed":    {policies{{PolicyTypes: egress, Ingress: []networkingv1.NetworkPolicyIngressRule{through(on(udp))}}}, "b/web", "a/web", tcp, 80, true, ""},

		"pod peer":                     {policies{ingress(all, from(peer{PodSelector: is("app", "db")}))}, "a/db", "a/web", tcp, 80, true, ""},
		"pod peer, other namespace":    {policies{ingress(all, from(peer{PodSelector: is("app", "web")}))}, "b/web", "a/db", tcp, 80, false, ""},
		"namespace peer":               {policies{ingress(all, from(peer{NamespaceSelector: is("team", "b")}))}, "b/web", "a/db", tcp, 80, true, ""},
		"namespace by its name":        {policies{ingress(all, from(peer{NamespaceSelector: is(metadataName, "b")}))}, "b/web", "a/db", tcp, 80, true, ""},
		"both must match":              {policies{ingress(all, from(peer{NamespaceSelector: is("team", "b"), PodSelector: is("app", "db")}))}, "b/web", "a/db", tcp, 80, false, ""},
		"one of two peers":             {policies{ingress(all, from(peer{PodSelector: is("app", "x")}, peer{NamespaceSelector: all}))}, "b/web", "a/db", tcp, 80, true, ""},
		"selectors match no address":   {policies{ingress(all, from(peer{NamespaceSelector: all}))}, "9.9.9.9", "a/db", tcp, 80, false, ""},
		"In":                           {policies{ingress(where("app", metav1.LabelSelectorOpIn, "web", "x"))}, "b/web", "a/web", tcp, 80, false, ""},
		"NotIn":                        {policies{ingress(where("app", metav1.LabelSelectorOpNotIn, "web", "x"))}, "b/web", "a/web", tcp, 80, true, ""},
		"NotIn matches what is absent": {policies{ingress(where("zone", metav1.LabelSelectorOpNotIn, "x"))}, "b/web", "a/web", tcp, 80, false, ""},
		"Exists":                       {policies{ingress(where("app", metav1.LabelSelectorOpExists))}, "b/web", "a/web", tcp, 80, false, ""},
		"DoesNotExist":                 {policies{ingress(where("app", metav1.LabelSelectorOpDoesNotExist))}, "b/web", "a/web", tcp, 80, true, ""},

		"block":               {policies{ingress(all, from(block("9.9.0.0/16")))}, "9.9.9.9", "a/web", tcp, 80, true, ""},
		"outside the block":   {policies{ingress(all, from(block("9.9.0.0/16")))}, "9.8.9.9", "a/web", tcp, 80, false, ""},
		"except":              {policies{ingress(all, from(block("9.9.0.0/16", "9.9.9.0/24")))}, "9.9.9.9", "a/web", tcp, 80, false, ""},
		"beside except":       {policies{ingress(all, from(block("9.9.0.0/16", "9.9.9.0/24")))}, "9.9.8.9", "a/web", tcp, 80, true, ""},
		"block, other family": {policies{ingress(all, from(block("0.0.0.0/0")))}, "2001:db8::1", "a/web", tcp, 80, false, ""},
		"block holds a pod":   {policies{ingress(all, from(block("10.128.0.3/32")))}, "b/web", "a/web", tcp, 80, true, ""},

		"zeros are not octal":      {policies{ingress(all, from(block("010.128.000.0/016")))}, "b/web", "a/web", tcp, 80, true, ""},
		"beyond the zeros":         {policies{ingress(all, from(block("010.128.0.0/16")))}, "8.128.0.3", "a/web", tcp, 80, false, ""},
		"except with zeros":        {policies{ingress(all, from(block("10.0.0.0/8", "010.128.0.0/16")))}, "b/web", "a/web", tcp, 80, false, ""},
		"IPv4 within IPv6":         {policies{ingress(all, from(block("::ffff:10.128.0.0/112")))}, "b/web", "a/web", tcp, 80, true, ""},
		"beside IPv4 within IPv6":  {policies{ingress(all, from(block("::ffff:10.129.0.0/112")))}, "10.128.0.9", "a/web", tcp, 80, false, ""},
		"except IPv4 within IPv6":  {policies{ingress(all, from(block("10.0.0.0/8", "::ffff:10.128.0.0/112")))}, "b/web", "a/web", tcp, 80, false, ""},
		"bits beyond the prefix":   {policies{ingress(all, from(block("10.128.77.1/16")))}, "b/web", "a/web", tcp, 80, true, ""},
		"what is no network":       {policies{ingress(all, from(block("10.128.0.3")))}, "b/web", "a/web", tcp, 80, false, ""},
		"the label of all objects": {policies{ingress(is(managedBy, manager), from(peer{NamespaceSelector: is(managedBy, manager), PodSelector: is(managedBy, manager)}))}, "b/web", "a/web", tcp, 80, true, "rule 0"},
		"it selects":               {policies{ingress(is(managedBy, manager))}, "b/web", "a/web", tcp, 80, false, ""},
		"it is there":              {policies{ingress(where(managedBy, metav1.LabelSelectorOpDoesNotExist))}, "b/web", "a/web", tcp, 80, true, ""},

		"port":                  {policies{ingress(all, through(on(tcp, 80)))}, "b/web", "a/web", tcp, 80, true, ""},
		"other port":            {policies{ingress(all, through(on(tcp, 80)))}, "b/web", "a/web", tcp, 81, false, ""},
		"other protocol":        {policies{ingress(all, through(on(tcp, 80)))}, "b/web", "a/web", udp, 80, false, ""},
		"protocol alone":        {policies{ingress(all, through(on(sctp)))}, "b/web", "a/web", sctp, 9, true, ""},
		"protocol is TCP":       {policies{ingress(all, through(networkingv1.NetworkPolicyPort{Port: &port80}))}, "b/web", "a/web", tcp, 80, true, ""},
		"first of a range":      {policies{ingress(all, through(on(udp, 80, 90)))}, "b/web", "a/web", udp, 80, true, ""},
		"last of a range":       {policies{ingress(all, through(on(udp, 80, 90)))}, "b/web", "a/web", udp, 90, true, ""},
		"after a range":         {policies{ingress(all, through(on(udp, 80, 90)))}, "b/web", "a/web", udp, 91, false, ""},
		"named port":            {policies{ingress(all, through(named))}, "b/web", "a/web", tcp, 80, true, ""},
		"named otherwise":       {policies{ingress(all, through(named))}, "b/web", "a/db", tcp, 80, false, ""},
		"by its own name":       {policies{ingress(all, through(named))}, "b/web", "a/db", tcp, 81, true, ""},
		"name of TCP":           {policies{ingress(all, through(named))}, "b/web", "a/web", udp, 80, false, ""},
		"unknown name":          {policies{ingress(all, through(networkingv1.NetworkPolicyPort{Port: new(intstr.FromString("ftp"))}))}, "b/web", "a/web", tcp, 80, false, ""},
		"egress by the peer's":  {policies{{Egress: []networkingv1.NetworkPolicyEgressRule{{Ports: []networkingv1.NetworkPolicyPort{named}}}, PolicyTypes: egress}}, "a/web", "a/db", tcp, 81, true, ""},
		"not by one's own":      {policies{{Egress: []networkingv1.NetworkPolicyEgressRule{{Ports: []networkingv1.NetworkPolicyPort{named}}}, PolicyTypes: egress}}, "a/web", "a/db", tcp, 80, false, ""},
		"an address has none":   {policies{{Egress: []networkingv1.NetworkPolicyEgressRule{{Ports: []networkingv1.NetworkPolicyPort{named}}}, PolicyTypes: egress}}, "a/web", "9.9.9.9", tcp, 80, false, ""},
		"address to address":    {policies{ingress(all)}, "9.9.9.9", "9.9.9.8", tcp, 80, true, ""},
		"a pod that is unknown": {nil, "a/web", "a/nobody", tcp, 80, false, "a/nobody is not in the state"},
	} {
		t.Run(name, func(t *testing.T) {
			got := smallWorld(c.policies...).Allows(at(c.from), at(c.to), c.proto, c.port)
			if got.Allowed != c.want || !strings.Contains(got.Why, c.why) || got.Why == "" {
				t.Errorf("got %+v, want %v because %q", got, c.want, c.why)
			}
		})
	}
}

// TestOracleByFamily wants an address block to hold for the family that a dual-stack pod's connection uses, and no other.
func TestOracleByFamily(t *testing.T) {
	s := smallWorld(ingress(is(), from(block("0.0.0.0/0"))))
	web := s.Pods().Get(Key{"b", "web"})
	for i, want := range []bool{true, false} {
		if got := s.Allows(Endpoint{Pod: web.Key, Addr: web.IPs[i]}, at("a/db"), tcp, 80); got.Allowed != want {
			t.Errorf("from %s: got %+v", web.IPs[i], got)
		}
	}
}

// TestPassesIsOfOneNode wants each pod's policies to count where the pod is, and nowhere else.
func TestPassesIsOfOneNode(t *testing.T) {
	both := []networkingv1.PolicyType{networkingv1.PolicyTypeIngress, networkingv1.PolicyTypeEgress}
	s := smallWorld(networkingv1.NetworkPolicySpec{PolicyTypes: both})
	for place, want := range map[string]bool{"here": false, "there": true} {
		web := s.Pods().Get(Key{"a", "web"})
		web.Node = place
		s.Put(web)
		for _, flow := range [][2]string{{"a/web", "b/web"}, {"b/web", "a/web"}} {
			if got := s.Passes(at(flow[0]), at(flow[1]), tcp, 80); got.Allowed != want {
				t.Errorf("a/web %s, %v: got %+v", place, flow, got)
			}
			if got := s.Allows(at(flow[0]), at(flow[1]), tcp, 80); got.Allowed {
				t.Errorf("a/web %s, %v is allowed: %+v", place, flow, got)
			}
		}
	}
}
