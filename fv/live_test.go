package fv

import (
	"fmt"
	"os"
	"time"

	"github.com/nodefv/nodefv/infra"
	"github.com/nodefv/nodefv/metrics"
)

// liveState is what the live line needs beyond the newest point.
type liveState struct {
	done   int // operations so far
	before int // at the line before
	at     time.Time
}

func (d *driver) count(n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.now.done += n
}

// live writes one status line: step, operations done and per second, endpoints, heap and RSS.
func (d *driver) live(p metrics.Point) {
	if !d.handoff.Live || p.Scenario == "" {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	rate := 0.0
	if took := p.At.Sub(d.now.at).Seconds(); took > 0 && !d.now.at.IsZero() {
		rate = float64(d.now.done-d.now.before) / took
	}
	d.now.before, d.now.at = d.now.done, p.At
	step := p.Step
	if p.Cycle > 1 {
		step = fmt.Sprintf("%s #%d", step, p.Cycle)
	}
	const mib = 1 << 20
	fmt.Fprintf(os.Stdout, "%s%s ▸ %s  %d ops  %.0f/s  %.0f endpoints  heap %.1f MiB  rss %.0f MiB\n", infra.LivePrefix, p.Scenario, step,
		d.now.done, rate, p.Values[metrics.Endpoints], p.Values[metrics.HeapBytes]/mib, p.Values[metrics.RSSBytes]/mib)
}
