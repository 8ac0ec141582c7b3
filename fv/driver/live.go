package driver

import (
	"fmt"
	"time"

	"github.com/nodefv/nodefv/infra"
	"github.com/nodefv/nodefv/metrics"
	"github.com/nodefv/nodefv/workloads"
)

// liveState is what the live line needs beyond the newest point.
type liveState struct {
	fleet  *workloads.Fleet // of the running scenario
	before int64            // operations done at the line before
	at     time.Time
}

// follow makes the live line count what this fleet does.
func (d *Driver) follow(f *workloads.Fleet) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.now = liveState{fleet: f}
}

// Expect makes what is told of the scenarios say of how many each is.
func (d *Driver) Expect(scenarios int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.total = scenarios
}

// next numbers the scenarios.
func (d *Driver) next() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.number++
	return d.number
}

// live writes one status line: scenario, step, operations done and per second, endpoints, heap and RSS.
func (d *Driver) live(p metrics.Point) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.handoff.Live || p.Scenario == "" || d.now.fleet == nil {
		return
	}
	done, rate := d.now.fleet.Done(), 0.0
	if took := p.At.Sub(d.now.at).Seconds(); took > 0 && !d.now.at.IsZero() {
		rate = float64(done-d.now.before) / took
	}
	d.now.before, d.now.at = done, p.At
	step := p.Step
	if p.Cycle > 1 {
		step = fmt.Sprintf("%s #%d", step, p.Cycle)
	}
	of := ""
	if d.total > 1 {
		of = fmt.Sprintf("%d/%d ", d.number, d.total)
	}
	const mib = 1 << 20
	if goes := d.wire.traffic(); goes != "" {
		fmt.Fprintf(d.out, "%s%s%s ▸ %s  %s\n", infra.LivePrefix, of, p.Scenario, step, goes)
		return
	}
	fmt.Fprintf(d.out, "%s%s%s ▸ %s  %d ops %.0f/s  %.0f endpoints  heap %.0f rss %.0f MiB\n", infra.LivePrefix, of, p.Scenario, step,
		done, rate, p.Values[metrics.Endpoints], p.Values[metrics.HeapBytes]/mib, p.Values[metrics.RSSBytes]/mib)
}
