package effects

import (
	"fmt"
	"maps"
	"net/netip"
	"reflect"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	policyv1alpha2 "sigs.k8s.io/network-policy-api/apis/v1alpha2"

	"github.com/nodefv/nodefv/workloads"
)

// crowd has twenty pods, of which the last is remote and the first, labelled so, calls a port dns by UDP.
func crowd() workloads.State {
	s := workloads.NewState("here")
	s.Put(workloads.Namespace{Name: "a"})
	for i := range 20 {
		v4, _ := workloads.PodAddresses(i + 1)
		p := workloads.Pod{Key: workloads.Key{Namespace: "a", Name: fmt.Sprintf("pod-%02d", i)}, Node: "here", IPs: []netip.Addr{v4}}
		if i == 0 {
			p.Labels, p.Ports = map[string]string{"is": "first"}, []workloads.NamedPort{{Name: "dns", Protocol: corev1.ProtocolUDP, Port: 5353}, {Name: "sig", Protocol: corev1.ProtocolSCTP, Port: 3868}}
		}
		if i == 19 {
			p.Node = "there"
		}
		s.Put(p)
	}
	return s
}

// hears is a policy of the first pod that lets it hear all on those ports.
func hears(s *workloads.State, name string, ports ...networkingv1.NetworkPolicyPort) {
	k := workloads.Key{Namespace: "a", Name: name}
	s.Put(workloads.Policy{Key: k, Spec: networkingv1.NetworkPolicySpec{
		PodSelector: metav1.LabelSelector{MatchLabels: map[string]string{"is": "first"}}, Ingress: []networkingv1.NetworkPolicyIngressRule{{Ports: ports}},
	}})
}

func named(name string) networkingv1.NetworkPolicyPort {
	return networkingv1.NetworkPolicyPort{Port: new(intstr.FromString(name))}
}

func number(protocol corev1.Protocol, first int32, last ...int32) networkingv1.NetworkPolicyPort {
	p := networkingv1.NetworkPolicyPort{Protocol: &protocol, Port: new(intstr.FromInt32(first))}
	if len(last) > 0 {
		p.EndPort = &last[0]
	}
	return p
}

func triedWays(flows []Flow) map[string]int {
	ways := map[string]int{}
	for _, f := range flows {
		ways[f.way()]++
	}
	return ways
}

func TestPortsThatPoliciesNameAreTried(t *testing.T) {
	plain := triedWays(sampleFlows(crowd()))
	if len(plain) != len(Ports)*len(Protocols) {
		t.Fatalf("without policies: %v", plain)
	}
	for name, c := range map[string]struct {
		arrange func(*workloads.State)
		besides []string
	}{
		"what is tried anyhow": {func(s *workloads.State) { hears(s, "p", number("TCP", 8080), number("UDP", 9090)) }, nil},
		"a number":             {func(s *workloads.State) { hears(s, "p", number("UDP", 7070)) }, []string{"udp/7070"}},
		"a range":              {func(s *workloads.State) { hears(s, "p", number("TCP", 7000, 7070)) }, []string{"tcp/7000", "tcp/7070", "tcp/7071"}},
		"a range to the end":   {func(s *workloads.State) { hears(s, "p", number("TCP", 1, 65535)) }, []string{"tcp/1", "tcp/65535"}},
		"SCTP":                 {func(s *workloads.State) { hears(s, "p", number("SCTP", 7070), named("sig")) }, nil},
		"all of a protocol": {func(s *workloads.State) {
			hears(s, "p", networkingv1.NetworkPolicyPort{Protocol: new(corev1.ProtocolUDP)})
		}, nil},
		"a name, of another protocol than the policy says": {func(s *workloads.State) { hears(s, "p", named("dns")) }, []string{"udp/5353"}},
		"a name that nobody has":                           {func(s *workloads.State) { hears(s, "p", named("nobody")) }, nil},
		"a cluster policy's": {func(s *workloads.State) {
			s.Put(workloads.ClusterPolicy{Name: "p", Spec: policyv1alpha2.ClusterNetworkPolicySpec{Tier: "Baseline", Egress: []policyv1alpha2.ClusterNetworkPolicyEgressRule{
				{Protocols: []policyv1alpha2.ClusterNetworkPolicyProtocol{{DestinationNamedPort: "dns"}, {TCP: &policyv1alpha2.ClusterNetworkPolicyProtocolTCP{DestinationPort: &policyv1alpha2.Port{Number: 1}}}}},
			}}})
		}, []string{"tcp/1", "udp/5353"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := crowd()
			c.arrange(&s)
			ways := triedWays(sampleFlows(s))
			for w, n := range plain {
				if ways[w] != n {
					t.Errorf("%s is tried on %d flows, without policies on %d", w, ways[w], n)
				}
				delete(ways, w)
			}
			if got := slices.Sorted(maps.Keys(ways)); !slices.Equal(got, c.besides) {
				t.Errorf("besides are tried %v, want %v", got, c.besides)
			}
		})
	}
}

// TestNamedPortsAreTriedWhereTheyCount wants those flows to be tried first that the policy is asked of: to the pod that it is for, and that calls the
// port so.
func TestNamedPortsAreTriedWhereTheyCount(t *testing.T) {
	s := crowd()
	hears(&s, "p", named("dns"), number("TCP", 7070))
	to := map[string]map[string]int{}
	for _, f := range sampleFlows(s) {
		if to[f.way()] == nil {
			to[f.way()] = map[string]int{}
		}
		to[f.way()][f.To.Name]++
	}
	for _, w := range []string{"udp/5353", "tcp/7070"} {
		if to[w]["pod-00"] != 19 || len(to[w]) < 10 {
			t.Errorf("%s is tried to %v", w, to[w])
		}
	}
}

func TestNamedFlowsAreBoundedAndStay(t *testing.T) {
	s := crowd()
	hears(&s, "p", named("dns"))
	streams := new(sampler).draw(s)
	for i := range int32(40) {
		hears(&s, fmt.Sprint("more-", i), number("TCP", 7000+3*i))
	}
	flows := sampleFlows(s)
	if again := sampleFlows(s); !reflect.DeepEqual(flows, again) {
		t.Error("the same state gives other flows")
	}
	if got, most := len(flows), 382*len(Ports)*len(Protocols)+namedFlows; got > most {
		t.Errorf("%d flows, at most %d", got, most)
	}
	if got := len(triedWays(flows)); got != len(Ports)*len(Protocols)+namedWays {
		t.Errorf("%d ways", got)
	}
	crowded := new(sampler).draw(s)
	if got, most := len(crowded), streamLimit+attemptLimit+namedStreamLimit+namedAttemptLimit; got > most || len(streams) != streamLimit+attemptLimit+1 {
		t.Errorf("%d streams, and with many ports %d, at most %d", len(streams), got, most)
	}
	if !slices.Equal(streams[:streamLimit+attemptLimit], crowded[:streamLimit+attemptLimit]) {
		t.Error("streams end because a policy names other ports")
	}
}

func BenchmarkSampleStreams(b *testing.B) {
	s := crowd()
	for i := range int32(10) {
		hears(&s, fmt.Sprint("p-", i), named("dns"), number("TCP", 7000+3*i), number("UDP", 5000, 5000+i))
	}
	for b.Loop() {
		new(sampler).draw(s)
	}
}
