package workloads

import (
	"maps"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"pgregory.net/rapid"
)

// tally counts verdicts, so that a draw that proves little is seen.
type tally struct{ allowed, denied int }

// eachFlow calls do for every connection of the universe, one port in two.
func eachFlow(s State, do func(from, to Endpoint, proto corev1.Protocol, port uint16)) {
	parties := newBrute(s, func(Pod) bool { return false }).parties
	for _, from := range parties {
		for _, to := range parties {
			for i, proto := range universeProtocols {
				for port := universeFirst + i%2; port <= universeLast; port += 2 {
					do(Endpoint{from.pod, from.node, from.addr}, Endpoint{to.pod, to.node, to.addr}, proto, uint16(port))
				}
			}
		}
	}
}

// agree compares the oracle with the second one, over the whole universe.
func agree(count *tally) func(*rapid.T) {
	return func(t *rapid.T) {
		s := drawnState(t)
		x := NewIndex(s)
		flow, assembled := 0, s.Assemble(slices.Collect(maps.Values(State{}.Moved(s))))
		everywhere, here := newBrute(s, func(Pod) bool { return true }), newBrute(s, func(p Pod) bool { return p.Node == s.LocalNode })
		eachFlow(s, func(from, to Endpoint, proto corev1.Protocol, port uint16) {
			source, target := party{from.Pod, from.Node, from.Addr}, party{to.Pod, to.Node, to.Addr}
			got, want := x.Allows(from, to, proto, port), everywhere.allows(source, target, proto, port)
			if got.Allowed != want || got.Why == "" {
				t.Fatalf("Allows %s %s to %s %s, %s %d: got %+v, the second oracle says %v", from, from.Addr, to, to.Addr, proto, port, got, want)
			}
			if want {
				count.allowed++
			} else {
				count.denied++
			}
			if got, want := x.Passes(from, to, proto, port), here.allows(source, target, proto, port); got.Allowed != want {
				t.Fatalf("Passes %s %s to %s %s, %s %d: got %+v, the second oracle says %v", from, from.Addr, to, to.Addr, proto, port, got, want)
			}
			if flow++; flow%10 != 0 { // the same again takes as long
				return
			}
			if got, want := assembled.Leaves(from, to, proto, port) && assembled.Enters(from, to, proto, port), x.Passes(from, to, proto, port).Allowed; got != want {
				t.Fatalf("%s %s to %s %s, %s %d: of the parts %v, of the whole %v", from, from.Addr, to, to.Addr, proto, port, got, want)
			}
		})
	}
}

func TestOracleAgreesWithTheSecond(t *testing.T) {
	var count tally
	rapid.Check(t, agree(&count))
	if count.allowed < count.denied/4 || count.denied < count.allowed/4 {
		t.Errorf("%d connections allowed, %d denied: the draw proves little", count.allowed, count.denied)
	}
}

// FuzzOracle lets the fuzzer draw the states.
func FuzzOracle(f *testing.F) { f.Fuzz(rapid.MakeFuzz(agree(&tally{}))) }

// TestDecisionNamesItsPolicies wants a decision to stand when all policies go that it does not name.
func TestDecisionNamesItsPolicies(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawnState(t)
		x := NewIndex(s)
		without := map[string]*Index{}
		eachFlow(s, func(from, to Endpoint, proto corev1.Protocol, port uint16) {
			got := x.Allows(from, to, proto, port)
			if without[got.Why] == nil {
				without[got.Why] = NewIndex(confined(s, got.Why))
			}
			if again := without[got.Why].Allows(from, to, proto, port); again.Allowed != got.Allowed {
				t.Fatalf("%s to %s, %s %d: %+v, and without the others %+v", from, to, proto, port, got, again)
			}
		})
	})
}

// confined is the state with those policies alone that a decision names.
func confined(s State, why string) State {
	for k := range s.Policies().All() {
		if !strings.Contains(why, k.String()) {
			s.Remove(NetworkKind.Part(k))
		}
	}
	for name := range s.AdminPolicies().All() {
		if !strings.Contains(why, string(AdminKind)+" "+name.Name) {
			s.Remove(AdminKind.Part(name))
		}
	}
	for name := range s.ClusterPolicies().All() {
		if !strings.Contains(why, string(ClusterKind)+" "+name.Name) {
			s.Remove(ClusterKind.Part(name))
		}
	}
	if !strings.Contains(why, string(BaselineKind)) {
		s.Clear(BaselineKind)
	}
	return s
}
