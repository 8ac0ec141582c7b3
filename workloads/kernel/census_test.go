package kernel

import (
	"slices"
	"testing"
)

func TestCensus(t *testing.T) {
	s := New()
	chain := ID{IPv4, "filter", "a"}
	s.Chains[chain] = Chain{Rules: []Rule{{Do: Drop}, {Do: Drop}}}
	s.Sets[ID{Family: IPv4, Name: "pods"}] = Set{Members: []string{"10.0.0.1", "10.0.0.2"}}
	s.Maps[ID{IPv4, "filter", "dispatch"}] = Map{Verdicts: map[string]string{"veth": "goto a"}}
	before := s.Census()
	for class, want := range map[Class]int{Chains: 1, Rules: 2, Sets: 2, Members: 3} {
		if got := before.Count(class); got != want {
			t.Errorf("%d %s, want %d", got, class, want)
		}
	}
	if d := s.Census().Since(before); len(d) != 0 {
		t.Errorf("nothing changed: %v", d)
	}
	s.Chains[chain] = Chain{Rules: []Rule{{Do: Drop}, {Do: Drop}, {Do: Drop}, {Do: Drop}}}
	s.Sets[ID{Family: IPv4, Name: "pods"}] = Set{Members: []string{"10.0.0.2", "10.0.0.3"}}
	after := s.Census()
	after[Links] = map[string]int{"eth0": 1} // not counted before, so nothing is known
	var got []string
	for _, c := range after.Since(before) {
		got = append(got, c.String())
	}
	want := []string{"gone from members of sets: IPv4 pods: 10.0.0.1", "left in members of sets: IPv4 pods: 10.0.0.3", "+2 in rules: IPv4 filter a: drop"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
