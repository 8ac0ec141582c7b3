package driver

import (
	"fmt"
	"strings"
	"time"

	"github.com/nodefv/nodefv/infra"
	"github.com/nodefv/nodefv/metrics"
	"github.com/nodefv/nodefv/scenarios/engine"
)

// liveState is what the live line needs beyond the newest point.
type liveState struct {
	world  *engine.World // of the running scenario
	before int64         // operations done at the line before
	cpu    float64       // seconds of it that the agent had used then; below 0: not known
	at     time.Time
}

// follow makes the live line tell of this world.
func (d *Driver) follow(w *engine.World) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.now = liveState{world: w, cpu: -1}
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

// live writes one status line: scenario and step, what that waits for, operations, endpoints, and what the agent uses. Its parts stand two
// columns apart, the most telling first: a narrow terminal shows these alone.
func (d *Driver) live(p metrics.Point) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.handoff.Live || p.Scenario == "" || d.now.world == nil {
		return
	}
	step := p.Step
	if p.Cycle > 1 {
		step = fmt.Sprintf("%s #%d", step, p.Cycle)
	}
	where := fmt.Sprintf("%s ▸ %s", p.Scenario, step)
	if d.total > 1 {
		where = fmt.Sprintf("%d/%d %s", d.number, d.total, where)
	}
	parts := []string{where}
	if what := d.now.world.WaitsFor(); what != "" {
		parts = append(parts, "waits for "+what)
	}
	parts = append(append(parts, d.rates(p)...), fmt.Sprintf("%.0f endpoints", p.Values[metrics.Endpoints]), memory(p.Values))
	fmt.Fprintf(d.out, "%s%s\n", infra.LivePrefix, strings.Join(parts, "  "))
}

// rates tells what moved since the line before: the processor's time in hundredths of one processor, and operations a second.
func (d *Driver) rates(p metrics.Point) (parts []string) {
	now := liveState{world: d.now.world, before: d.now.world.Fleet.Done(), cpu: -1, at: p.At}
	if used, ok := p.Values[metrics.CPUSeconds]; ok {
		now.cpu = used
	}
	rate := 0.0
	if took := p.At.Sub(d.now.at).Seconds(); took > 0 && !d.now.at.IsZero() {
		rate = float64(now.before-d.now.before) / took
		if used := now.cpu - d.now.cpu; d.now.cpu >= 0 && used >= 0 { // an agent that was started again begins at zero
			parts = append(parts, fmt.Sprintf("cpu %.0f%%", 100*used/took))
		}
	}
	d.now = now
	return append(parts, fmt.Sprintf("%d ops %.0f/s", now.before, rate))
}

func memory(values metrics.Snapshot) string {
	const mib = 1 << 20
	return fmt.Sprintf("rss %.0f heap %.0f MiB", values[metrics.RSSBytes]/mib, values[metrics.HeapBytes]/mib)
}
