package driver

import (
	"bytes"
	"testing"
	"time"

	"github.com/nodefv/nodefv/infra"
	"github.com/nodefv/nodefv/metrics"
	"github.com/nodefv/nodefv/workloads"
)

func TestLive(t *testing.T) {
	point := metrics.Point{
		Phase: metrics.Phase{Scenario: "churn", Step: "replace", Cycle: 3}, At: time.Now(),
		Values: metrics.Snapshot{metrics.Endpoints: 12, metrics.HeapBytes: 3 << 20, metrics.RSSBytes: 70 << 20},
	}
	for name, c := range map[string]struct {
		handoff infra.Handoff
		follows bool
		want    string
	}{
		"a line":          {infra.Handoff{Live: true}, true, infra.LivePrefix + "churn ▸ replace #3  0 ops 0/s  12 endpoints  heap 3 rss 70 MiB\n"},
		"nobody looks":    {infra.Handoff{}, true, ""},
		"no scenario yet": {infra.Handoff{Live: true}, false, ""},
	} {
		var out bytes.Buffer
		d := New(c.handoff, &out)
		if c.follows {
			d.follow(workloads.NewFleet(workloads.Config{}, workloads.NewState("here")))
		}
		d.live(point)
		if out.String() != c.want {
			t.Errorf("%s: %q", name, out.String())
		}
	}
}
