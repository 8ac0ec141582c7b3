package workloads

import (
	"maps"
	"net/netip"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// dual is a local pod of both families.
func (r *rig) dual(t *testing.T) Pod {
	t.Helper()
	pod := r.first(t)
	v4, v6 := PodAddresses(5000) // no other pod of the rig has them
	pod.IPs = []netip.Addr{v4, v6}
	return pod
}

func TestVacated(t *testing.T) {
	r := newRig(t, Config{OneWrite: true})
	one := r.dual(t)
	two, far := one, one
	two.Name, far.Name, far.Node = "two", "far", "there"
	check := func(when string, want ...netip.Addr) {
		t.Helper()
		if got := slices.SortedFunc(maps.Keys(r.Vacated()), netip.Addr.Compare); !slices.Equal(got, want) {
			t.Errorf("%s: %v are vacated, want %v", when, got, want)
		}
	}
	do := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	keep4 := one
	keep4.IPs = one.IPs[:1]
	do(r.AddPods(t.Context(), []Pod{one}))
	do(r.ReaddressPods(t.Context(), []Pod{keep4}))
	check("one address lost", one.IPs[1])
	do(r.AddPods(t.Context(), []Pod{two}))
	check("another pod has both")
	do(r.RemovePods(t.Context(), []Key{two.Key}, Forced))
	check("the first still has one", one.IPs[1])
	do(r.RemovePods(t.Context(), []Key{one.Key}, Graceful))
	check("both gone", one.IPs...)
	do(r.AddPods(t.Context(), []Pod{far}))
	do(r.RemovePods(t.Context(), []Key{far.Key}, Graceful))
	check("the last to have them was on another node")
}

// TestVacatedWhileTheAgentWasAway wants only those addresses to be left whose veths are there for the agent to find.
func TestVacatedWhileTheAgentWasAway(t *testing.T) {
	r := newRig(t, Config{OneWrite: true})
	gone, lingers := r.dual(t), r.dual(t)
	lingers.Name, lingers.IPs = "lingers", []netip.Addr{gone.IPs[0].Next()}
	if err := r.AddPods(t.Context(), []Pod{gone, lingers}); err != nil {
		t.Fatal(err)
	}
	if err := r.RemovePods(t.Context(), []Key{gone.Key}, Graceful); err != nil {
		t.Fatal(err)
	}
	if err := r.RemovePods(t.Context(), []Key{lingers.Key}, Lingering); err != nil {
		t.Fatal(err)
	}
	r.AgentRestarted()
	if got := r.Vacated(); !maps.Equal(got, map[netip.Addr]Key{lingers.IPs[0]: lingers.Key}) {
		t.Errorf("vacated are %v", got)
	}
}

func TestShared(t *testing.T) {
	s := NewState("here")
	a, b := netip.MustParseAddr("10.128.0.1"), netip.MustParseAddr("10.128.0.2")
	for name, ips := range map[string][]netip.Addr{"one": {a}, "two": {a, b}, "three": {a}} {
		k := Key{"n", name}
		s.Put(Pod{Key: k, IPs: ips})
	}
	if got := s.Shared(); !maps.Equal(got, map[netip.Addr]bool{a: true}) {
		t.Errorf("shared are %v", got)
	}
}

func TestFinishedPodTellsOfItsAddresses(t *testing.T) {
	r := newRig(t, Config{OneWrite: true})
	pod := r.dual(t)
	if err := r.AddPods(t.Context(), []Pod{pod}); err != nil {
		t.Fatal(err)
	}
	if err := r.FinishPods(t.Context(), []Key{pod.Key}, corev1.PodSucceeded); err != nil {
		t.Fatal(err)
	}
	got, err := r.client.CoreV1().Pods(pod.Namespace).Get(t.Context(), pod.Name, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if got.Status.Phase != corev1.PodSucceeded || got.Status.PodIP != pod.IPs[0].String() || len(got.Status.PodIPs) != 2 {
		t.Errorf("its status is %+v", got.Status)
	}
	if left := r.State().Pods().Get(pod.Key).IPs; len(left) > 0 {
		t.Errorf("the model says it has %v", left)
	}
}
