package effects

import (
	"math/rand/v2"
	"reflect"
	"testing"

	networkingv1 "k8s.io/api/networking/v1"

	"github.com/nodefv/nodefv/workloads"
)

// TestSamplerAdvances wants the streams that are drawn from one model after the other to be those that are drawn anew.
func TestSamplerAdvances(t *testing.T) {
	kept := 0
	for seed := range uint64(40) {
		r := rand.New(rand.NewPCG(seed, 3))
		s, all := crowd(), &sampler{}
		for range 30 {
			switch pods := s.Pods().List(); r.IntN(6) {
			case 0:
				s = drawChanges(r, s, 1)
			case 1:
				hears(&s, "p", []networkingv1.NetworkPolicyPort{named("dns"), number("TCP", 7070), number("UDP", 5000, 5010)}[r.IntN(3)])
			case 2:
				s.Remove(pods[r.IntN(len(pods))].Part())
			case 3:
				p := pods[r.IntN(len(pods))]
				p.IPs = pods[r.IntN(len(pods))].IPs // of two, or none, or its own
				s.Put(p)
			case 4:
				p := pods[r.IntN(len(pods))]
				p.Bare, p.Labels = r.IntN(2) == 0, map[string]string{"is": "first"}
				s.Put(p)
			case 5:
				v4, _ := workloads.PodAddresses(100 + r.IntN(40))
				s.Put(workloads.Pod{Key: workloads.Key{Namespace: "a", Name: v4.String()}, Node: []string{"here", "there"}[r.IntN(2)], IPs: append(pods[0].IPs[:0:0], v4)})
			}
			before := all.streams
			got, want := all.draw(s), new(sampler).draw(s)
			if !reflect.DeepEqual(got, want) {
				t.Fatalf("seed %d: %v, drawn anew %v", seed, got, want)
			}
			if len(got) > 0 && len(before) > 0 && &got[0] == &before[0] {
				kept++
			}
		}
	}
	if kept < 20 {
		t.Errorf("only %d draws were spared", kept)
	}
}
