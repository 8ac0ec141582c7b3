package driver

import (
	"net/netip"
	"testing"
	"time"

	"github.com/nodefv/nodefv/scenarios/effects"
	"github.com/nodefv/nodefv/workloads"
	"github.com/nodefv/nodefv/workloads/impair"
	"github.com/nodefv/nodefv/workloads/netns/netnstest"
	"github.com/nodefv/nodefv/workloads/traffic"
)

func TestTriesOnAPath(t *testing.T) {
	for name, c := range map[string]struct {
		quality impair.Quality
		tries   int
		certain bool
	}{
		"a delay loses nothing":   {impair.Quality{Delay: time.Second}, 1, true},
		"one in a hundred":        {impair.Quality{Loss: impair.Loss{Chance: impair.Chance{Share: 0.01}}}, 5, true},
		"half":                    {impair.Quality{Loss: impair.Loss{Chance: impair.Chance{Share: 0.5}}}, mostTries, false},
		"all":                     {impair.Quality{Loss: impair.Loss{Chance: impair.Chance{Share: 1}}}, 5, false},
		"in bursts, nobody knows": {impair.Quality{Loss: impair.Loss{GilbertElliott: &impair.GilbertElliott{}}}, 5, false},
	} {
		if n, certain := (path{}).and(c.quality).tries(); n != c.tries || certain != c.certain {
			t.Errorf("%s: %d tries, certain %v; want %d, %v", name, n, certain, c.tries, c.certain)
		}
	}
}

// TestCertaintyBelongsToAPath holds that what an impairment does is no verdict of a policy, and that what a drop of all packets does is one
// where an impairment could not have done it.
func TestCertaintyBelongsToAPath(t *testing.T) {
	plugger, pods := netnstest.Pods(t, 2)
	prober, err := traffic.New(plugger, 0)
	if err != nil {
		t.Fatal(err)
	}
	w := &Wire{plugger: plugger, prober: prober, plugs: map[workloads.Key]workloads.Plug{}, owners: map[netip.Addr]workloads.Key{},
		links: map[workloads.Key]*impair.Link{}, listening: map[workloads.Key][]uint16{}}
	defer func() {
		if late := prober.Late(); len(late) > 0 {
			t.Errorf("judged too early: %v", late)
		}
		if err := prober.Close(); err != nil {
			t.Error(err)
		}
	}()
	var flows []effects.Flow
	for _, p := range pods {
		w.plugs[p.Key] = workloads.Plug{Pod: p.Key}
	}
	for port := uint16(8080); port < 8090; port++ {
		for _, protocol := range effects.Protocols {
			flows = append(flows, effects.Flow{From: effects.End{Key: pods[0].Key, Addr: pods[0].V4}, To: effects.End{Key: pods[1].Key, Addr: pods[1].V4}, Protocol: protocol, Port: port})
		}
	}
	link, err := impair.Open(pods[0].Namespace, impair.PodInterface)
	if err != nil {
		t.Fatal(err)
	}
	w.links[pods[0].Key] = link
	defer func() {
		if err := link.Close(); err != nil {
			t.Error(err)
		}
	}()
	want := func(what string, kind effects.OutcomeKind) {
		t.Helper()
		got, err := w.Connect(t.Context(), flows)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range flows {
			if got[f].Kind != kind {
				t.Errorf("%s: %s on port %d is %s, not %s", what, f.Protocol, f.Port, got[f], kind)
			}
		}
	}
	set := func(q impair.Quality) {
		t.Helper()
		if err := link.Set(impair.Impairment{Name: "bad", Quality: q}); err != nil {
			t.Fatal(err)
		}
	}
	want("nothing is ordered", effects.Connected)
	set(impair.Quality{Delay: 150 * time.Millisecond})
	want("a delay", effects.Connected)
	set(impair.Quality{Loss: impair.Loss{Chance: impair.Chance{Share: 0.1}}})
	want("a loss", effects.Connected)
	set(impair.Quality{Loss: impair.Loss{Chance: impair.Chance{Share: 1}}})
	want("all is lost", effects.Uncertain)
	// A drop that nobody ordered is told from an ordered loss of some.
	hidden, err := impair.Open(pods[1].Namespace, impair.PodInterface)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := hidden.Close(); err != nil {
			t.Error(err)
		}
	}()
	if err := hidden.Set(impair.Impairment{Name: "hidden", Direction: impair.In, Quality: impair.Quality{Loss: impair.Loss{Chance: impair.Chance{Share: 1}}}}); err != nil {
		t.Fatal(err)
	}
	set(impair.Quality{Loss: impair.Loss{Chance: impair.Chance{Share: 0.01}}})
	flows = flows[:4]
	want("one in a hundred is lost, and all are dropped", effects.Dropped)
}
