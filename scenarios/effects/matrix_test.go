package effects

import (
	"context"
	"math/rand/v2"
	"slices"
	"testing"

	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/nodefv/nodefv/metrics/report"
	"github.com/nodefv/nodefv/scenarios/engine"
	"github.com/nodefv/nodefv/workloads"
)

// liar connects all flows as the oracle says, but for one that passes, one that is dropped and one that is refused.
type liar struct{ state workloads.State }

func (l liar) Connect(_ context.Context, flows []Flow) (Outcomes, error) {
	got, x := Outcomes{}, workloads.NewIndex(l.state)
	for _, f := range flows {
		got[f] = outcome(passes(x, f, l.state))
		switch f.String() {
		case "a/far > a/four udp/9090":
			got[f] = Outcome{Kind: Connected}
		case "a/dual > a/far tcp/8080":
			got[f] = Outcome{Kind: Dropped}
		case "a/dual > a/far tcp/9090":
			got[f] = Outcome{Kind: Refused}
		}
	}
	return got, nil
}

func TestMatrixShowsWhatDiffers(t *testing.T) {
	s := mixed()
	k := workloads.Key{Namespace: "a", Name: "closed"}
	s.Put(workloads.Policy{Key: k, Spec: networkingv1.NetworkPolicySpec{}})
	w := &engine.World{Fleet: workloads.NewFleet(workloads.Config{Client: fake.NewClientset()}, s), Effects: &Set{Connector: liar{s}}, Rand: rand.New(rand.NewPCG(1, 1))}
	m, err := TryMatrix(t.Context(), w, 10)
	if err != nil {
		t.Fatal(err)
	}
	const want = `48 flows, 3 differ from what the policies say.
local: all 3 pods, of 3 classes; remote: all 2 pods, of 1 classes
Rows from, columns to; a cell of one dot is all right, others have a sign for each of tcp/8080, tcp/9090, udp/8080, udp/9090, tcp6/8080, tcp6/9090, udp6/8080, udp6/9090:
  . as it must be, + passes and must not, - is dropped and must pass, ? something else

          1  2     3  4     5
1 a/dual     .     .  -?..  .
2 a/four  .           .     .
3 a/six   .
4 a/far   .  ...+
5 a/far2  .  .

a/dual > a/far tcp/8080: want "connected" got "dropped"
a/dual > a/far tcp/9090: want "connected" got "refused"
a/far > a/four udp/9090: want "dropped" got "connected"
`
	if got := m.String(); got != want {
		t.Errorf("got\n%s", got)
	}
	c := m.Record()
	if want := []string{" ..?.", ".  ..", ".    ", ".+   ", "..   "}; len(c.Pods) != 5 || c.Flows != 48 || c.Differing != 3 || !slices.Equal(c.Rows, want) {
		t.Errorf("the record has %+v, want the rows %q", c, want)
	}
	if want := (report.Connection{From: 0, To: 3, Way: "tcp/8080", Want: "connected", Got: "dropped"}); c.Differences[0] != want {
		t.Errorf("got %+v, want %+v", c.Differences[0], want)
	}
}

// refuser refuses all.
type refuser struct{}

func (refuser) Connect(_ context.Context, flows []Flow) (Outcomes, error) {
	got := Outcomes{}
	for _, f := range flows {
		got[f] = Outcome{Kind: Refused}
	}
	return got, nil
}

func TestMatrixTakesARefusalForADropWhereTheSUTRejects(t *testing.T) {
	s := mixed()
	s.Put(workloads.Policy{Key: workloads.Key{Namespace: "a", Name: "closed"}, Spec: networkingv1.NetworkPolicySpec{}})
	w := &engine.World{Fleet: workloads.NewFleet(workloads.Config{Client: fake.NewClientset()}, s), Effects: &Set{Connector: refuser{}, Rejects: true}, Rand: rand.New(rand.NewPCG(1, 1))}
	m, err := TryMatrix(t.Context(), w, 10)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range m.Flows {
		if right := m.sign(f) == "."; right != (m.Want[f].Kind == Dropped) {
			t.Errorf("%s: want %s, got %s", f, m.Want[f], m.Got[f])
		}
	}
}

func TestRepresentatives(t *testing.T) {
	plan, err := workloads.NewPlan(1, workloads.Topology{RemoteNodes: 9, Namespaces: 30, PodsPerNamespace: 20, Local: 300}, "here")
	if err != nil {
		t.Fatal(err)
	}
	s := plan.State()
	pods := s.LocalPods()
	classOf, all := s.Classes(), map[string]bool{}
	for _, p := range pods {
		all[classOf(p)] = true
	}
	draw := func() *rand.Rand { return rand.New(rand.NewPCG(1, 2)) }
	for _, most := range []int{5, len(all), len(all) + 20, len(pods)} {
		chosen, about := Representatives(s, pods, most, draw())
		again, _ := Representatives(s, pods, most, draw())
		classes, names := map[string]bool{}, map[string]bool{}
		for i, p := range chosen {
			classes[classOf(p)], names[p.String()] = true, true
			if again[i].Key != p.Key {
				t.Errorf("%d: the same draws chose another pod", most)
			}
		}
		if len(names) != most || len(classes) != min(most, len(all)) || about == "" {
			t.Errorf("%d: %d pods of %d classes: %s", most, len(names), len(classes), about)
		}
	}
}
