package scenarios

import (
	"math"
	"testing"
	"time"

	"github.com/nodefv/nodefv/workloads"
	"github.com/nodefv/nodefv/workloads/load"
)

func TestCostsOfHops(t *testing.T) {
	keys := make([]workloads.Key, poolServers)
	for i := range keys {
		keys[i].Name = string(rune('a' + i))
	}
	start := time.Unix(1000, 0)
	at := func(seconds int) time.Time { return start.Add(time.Duration(seconds) * time.Second) }
	changes := hopChanges(keys)
	for i := range changes[1:] {
		changes[i+1].at = at(10 * (i + 1))
	}
	connection := func(server, begun, ended int) load.Connection {
		c := load.Connection{Server: &keys[server], Begun: at(begun), Ended: at(ended), Cause: load.Reset}
		if ended == 0 {
			c.Ended, c.Cause = at(100), load.Done
		}
		return c
	}
	connections := []load.Connection{
		connection(0, 0, 0), connection(1, 0, 31), connection(2, 0, 0), connection(3, 0, 11), connection(0, 12, 21), connection(3, 22, 0),
		{Begun: at(32), Ended: at(37), Cause: load.ConnectTimeout},
	}
	got := costs(connections, changes, false)
	for i, want := range []struct {
		stood, lost, silent, back int
		mean                      float64
	}{{}, {stood: 4, lost: 1, mean: 0 + 1./3 + 2./3 + 1}, {stood: 4, lost: 1, back: 1, mean: 0.25}, {stood: 4, lost: 1, silent: 1, mean: 0 + 1 + 0 + 0}, {stood: 3}} {
		c := got[i]
		if i > 0 && (c.stood != want.stood || c.lost != want.lost || c.silent != want.silent || c.back != want.back) {
			t.Errorf("%s: got %+v, want %+v", changes[i].name, c, want)
		}
		if i < 3 && math.Abs(c.expected.Mean-want.mean) > 1e-6 {
			t.Errorf("%s: %g expected, want %g", changes[i].name, c.expected.Mean, want.mean)
		}
	}
	resilient := costs(connections, changes, true)
	for i, want := range []float64{0, 1, 0, 1, 0} {
		if resilient[i].expected.Mean != want {
			t.Errorf("resilient, %s: %g expected, want %g", changes[i].name, resilient[i].expected.Mean, want)
		}
	}
}
