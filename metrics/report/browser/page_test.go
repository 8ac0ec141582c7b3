package browser

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"

	"github.com/nodefv/nodefv/metrics"
	"github.com/nodefv/nodefv/metrics/report"
)

// at is a time so many seconds after the made-up run began.
func at(seconds float64) time.Time {
	return time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC).Add(time.Duration(seconds * float64(time.Second)))
}

// record is the one that was asked for, or one that is made up: half an hour with a point a second, one scenario that passes, one that fails
// and one that is cut off.
func record(t *testing.T) report.Record {
	t.Helper()
	if *recordDir != "" {
		rec, err := report.ReadFile(filepath.Join(*recordDir, report.JSON{}.File()))
		if err != nil {
			t.Fatal(err)
		}
		return rec
	}
	rec := report.Record{
		Schema: report.Schema, Verdict: metrics.Fail, Reason: "1 pass, 1 fail, 1 inconclusive",
		Run: report.Run{ID: "made-up", Started: at(0), Seed: 1, Command: "fv run --focus {focus}", Target: "agent", Runtime: "local"},
	}
	for i, verdict := range []metrics.Verdict{metrics.Pass, metrics.Fail, metrics.Inconclusive} {
		rec.Scenarios = append(rec.Scenarios, scenario(i, verdict))
	}
	for i := range 1800 {
		p := metrics.Point{
			At: at(float64(i)), Phase: metrics.Phase{Scenario: fmt.Sprint("scenario ", i/600), Step: "churn", Cycle: i / 60 % 10, Settled: i%60 == 59},
			Values: metrics.Snapshot{metrics.RSSBytes: 80<<20 + 1e5*float64(i%600), metrics.CPUSeconds: float64(i) / 3, metrics.InSync: 1},
		}
		if i%100 == 50 {
			p.Gaps = []metrics.Gap{{Source: "metrics", Reason: "</script><b>no answer</b>"}}
		} else {
			p.Values[metrics.HeapBytes] = 9e6 + 1e6*math.Sin(float64(i)/20)
		}
		rec.Points = append(rec.Points, p)
		lost := time.Duration(i%7) * time.Millisecond
		rec.Vitals = append(rec.Vitals, metrics.Vitals{At: p.At.Add(time.Second / 2), Took: time.Second, Driver: &metrics.DriverVitals{Lost: lost}})
	}
	return rec
}

func scenario(i int, verdict metrics.Verdict) report.Scenario {
	from := 600 * float64(i)
	sc := report.Scenario{Name: fmt.Sprint("scenario ", i), Doc: "Much goes <b>on</b>.", Started: at(from), Ended: at(from + 599), Verdict: verdict, Reason: "as it was made up"}
	for c := range 10 {
		begun := from + 60*float64(c)
		sc.Steps = append(sc.Steps, report.Step{Name: "churn", Cycle: c + 1, Started: at(begun), Ended: at(begun + 59)})
		for k := range 30 {
			sc.Operations = append(sc.Operations, report.Operation{At: at(begun + float64(k)), Step: "churn", Cycle: c + 1, Verb: "create pod", Count: k + 1, Took: time.Second / 2})
		}
		sc.Findings = append(sc.Findings, report.Finding{At: at(begun + 59), Kind: report.Expectation, Step: "churn", Cycle: c + 1, Name: "kernel", Facts: 100})
	}
	if verdict == metrics.Fail {
		sc.Findings = append(sc.Findings, report.Finding{
			At: at(from + 300), Kind: report.Expectation, Step: "churn", Cycle: 5, Name: "connections", Facts: 100, Took: 5 * time.Second, Differing: 2,
			Differences: []report.Difference{{Fact: "a/b > c/d tcp/80", Want: "dropped", Got: "connected"}, {Fact: "a/b > c/e tcp/80", Want: "dropped", Got: "connected"}},
		})
		sc.Connections = &report.Connections{
			Chosen: "all", Flows: 12, Pods: []string{"a/b", "c/d", "c/e"}, Rows: []string{" ++", ". .", ".. "}, Differing: 2,
			Differences: []report.Connection{{From: 0, To: 1, Way: "tcp/80", Want: "dropped", Got: "connected"}, {From: 0, To: 2, Way: "tcp/80", Want: "dropped", Got: "connected"}},
		}
		for _, verdict := range []string{"allow", "deny"} {
			for load := range 4 {
				m := metrics.Measurement{Name: "enforcement", Unit: metrics.Seconds, Labels: []metrics.Label{{Name: "load", Value: fmt.Sprint(load)}, {Name: "verdict", Value: verdict}}}
				for k := range 20 {
					m.Samples = append(m.Samples, metrics.Since(at(from+float64(10*k+load)), time.Duration(k*k+load+1)*time.Millisecond, time.Millisecond/10))
				}
				sc.Measurements = append(sc.Measurements, m)
			}
		}
	}
	if verdict == metrics.Inconclusive {
		sc.Ended, sc.Steps[9].Ended = time.Time{}, time.Time{}
	}
	return sc
}

// written writes all formats of the record, and returns the page's path.
func written(t *testing.T, rec report.Record) string {
	t.Helper()
	dir := t.TempDir()
	if err := report.WriteAll(dir, rec); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, report.HTML{}.File())
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("the page has %d kB", info.Size()/1000)
	if info.Size() > 2_000_000 {
		t.Errorf("the page has %d bytes, more than two million", info.Size())
	}
	return path
}

// TestPageShowsTheRecord wants a page that opens soon, of which the browser has no complaint, that fetches nothing, and whose every plot has all the
// points that the record has for its time.
func TestPageShowsTheRecord(t *testing.T) {
	rec := record(t)
	p := New(t, 1280)
	took := p.open(written(t, rec))
	t.Logf("it was open after %v", took)
	p.Look(rec.Run.ID + "-folded")
	p.drawAll()
	p.plotsHave(rec)
	p.measuredHave(rec)
	p.tablesHave(rec)
	p.Look(rec.Run.ID)
	p.quiet()
}

// plot is what a plot of the page holds.
type plot struct {
	Timeline, Name string
	Points         int
	Last           float64
}

func (p *Tab) plotsHave(rec report.Record) {
	p.t.Helper()
	const all = `[...window.report.timelines].flatMap(([el, t]) => t.plots.filter(u => u.name !== 'lanes').map(u => {
		const ys = u.data[1].filter(v => v != null);
		return {timeline: el.dataset.timeline, name: u.name, points: ys.length, last: ys[ys.length - 1]};
	}))`
	got := map[[2]string]plot{}
	for _, o := range Ask[[]plot](p, all) {
		got[[2]string{o.Timeline, o.Name}] = o
	}
	check := func(timeline string, within func(metrics.Point) bool) {
		want := map[metrics.Gauge]plot{}
		for _, point := range rec.Points {
			if !within(point) {
				continue
			}
			for g, v := range point.Values {
				want[g] = plot{timeline, string(g), want[g].Points + 1, v}
			}
		}
		for g, w := range want {
			o := got[[2]string{timeline, string(g)}]
			if g == metrics.CPUSeconds || g == metrics.ProcessCPU { // shown is how fast it grows
				if o.Points < w.Points/2 {
					p.t.Errorf("%s of %s: %d points, want about %d", g, timeline, o.Points, w.Points)
				}
			} else if o != w {
				p.t.Errorf("%s of %s: got %v, want %v", g, timeline, o, w)
			}
		}
	}
	check("run", func(metrics.Point) bool { return true })
	for i, sc := range rec.Scenarios {
		if sc.Skipped == "" {
			check(fmt.Sprintf("scenario-%d", i+1), func(point metrics.Point) bool {
				return !point.At.Before(sc.Started) && (!sc.Ended.IsZero() && !point.At.After(sc.Ended) || sc.Ended.IsZero() && point.Scenario == sc.Name)
			})
		}
	}
}

// measuredHave wants a plot of what was measured again and again, with all its values, and plots of how well the driver could work.
func (p *Tab) measuredHave(rec report.Record) {
	p.t.Helper()
	const all = `[...window.report.timelines].flatMap(([el, t]) => t.plots.filter(u => u.name.startsWith('measured ') && el.dataset.timeline !== 'run').flatMap(u =>
		u.data.slice(1).map(ys => ys.filter(v => v != null).length)))`
	most, shown, values := map[[2]string]int{}, 0, 0
	for i, sc := range rec.Scenarios {
		for _, m := range sc.Measurements {
			slices.SortFunc(m.Samples, func(a, b metrics.Sample) int { return a.At.Compare(b.At) })
			name := [2]string{fmt.Sprint(i), m.Name}
			if n := len(m.Samples); n > 1 && n <= 1500 && m.Samples[0].At.Before(m.Samples[n-1].At) && most[name] < 8 {
				most[name]++
				shown, values = shown+1, values+n
			}
		}
	}
	got := Ask[[]int](p, all)
	sum := 0
	for _, n := range got {
		sum += n
	}
	// Values of the same millisecond are one.
	if len(got) != shown || sum > values || sum < values*9/10 {
		p.t.Errorf("%d lines with %d values are plotted, measured were %d with %d", len(got), sum, shown, values)
	}
	if *recordDir != "" {
		return
	}
	const lost = `[...window.report.timelines].find(([el]) => el.dataset.timeline === 'run')[1].plots.find(u => u.name === 'driver_lost_ratio').data[1].filter(v => v != null).length`
	if n := Ask[int](p, lost); n != len(rec.Vitals) {
		p.t.Errorf("that the driver was kept from running is plotted with %d points, of %d", n, len(rec.Vitals))
	}
}

// tablesHave wants the verdicts and the differences that the record has.
func (p *Tab) tablesHave(rec report.Record) {
	p.t.Helper()
	verdicts := Ask[map[string]string](p, `Object.fromEntries([...document.querySelectorAll('.verdicts tbody tr')].map(r => [r.cells[1].textContent, r.cells[0].querySelector('.verdict').textContent]))`)
	differing := 0
	for _, sc := range rec.Scenarios {
		if got := verdicts[sc.Name]; got != sc.Verdict.String() {
			p.t.Errorf("the page says that %s is %q, the record %q", sc.Name, got, sc.Verdict)
		}
		if c := sc.Connections; c != nil {
			for _, row := range c.Rows {
				for _, sign := range row {
					if sign != '.' && sign != ' ' {
						differing++
					}
				}
			}
		}
	}
	if got := Ask[int](p, `document.querySelectorAll('.matrix .wrong').length`); got != differing {
		p.t.Errorf("in the tables of connections %d cells stand out, in the record %d differ", got, differing)
	}
	if got := Ask[string](p, `document.querySelector('h1 .verdict').textContent`); got != rec.Verdict.String() {
		p.t.Errorf("the page says that the run is %q, the record %q", got, rec.Verdict)
	}
}

// TestZoomAndCrossHair wants a drag over one plot to zoom all of its timeline, the cross-hair to be on all of them, and the keyboard to do the same.
func TestZoomAndCrossHair(t *testing.T) {
	p := New(t, 1000)
	p.open(written(t, record(t)))
	p.drawAll() // so that nothing moves any more
	type box struct{ X, Y, Width, Height float64 }
	b := Ask[box](p, `(() => { const el = document.querySelector('[data-timeline=run] .value .u-over'); el.scrollIntoView({block: 'center'}); const r = el.getBoundingClientRect(); return {x: r.x, y: r.y, width: r.width, height: r.height}; })()`)
	const views = `[...window.report.timelines].find(([el]) => el.dataset.timeline === 'run')[1].plots.map(u => u.scales.x.max - u.scales.x.min)`
	same := func(want func(float64) bool, what string) float64 {
		t.Helper()
		all := Ask[[]float64](p, views)
		for _, v := range all {
			if v != all[0] || !want(v) {
				t.Fatalf("%s: the plots show %v seconds", what, all)
			}
		}
		return all[0]
	}
	whole := same(func(v float64) bool { return v > 0 }, "at first")
	y := b.Y + b.Height/2
	p.Do(chromedp.MouseEvent(input.DispatchMouseEventTypeMouseMoved, b.X+b.Width/4, y), chromedp.MouseEvent(input.DispatchMouseEventTypeMousePressed, b.X+b.Width/4, y, chromedp.ButtonLeft),
		chromedp.MouseEvent(input.DispatchMouseEventTypeMouseMoved, b.X+b.Width/3, y, chromedp.ButtonLeft), chromedp.MouseEvent(input.DispatchMouseEventTypeMouseMoved, b.X+b.Width/2, y, chromedp.ButtonLeft),
		chromedp.MouseEvent(input.DispatchMouseEventTypeMouseReleased, b.X+b.Width/2, y, chromedp.ButtonLeft))
	same(func(v float64) bool { return math.Abs(v-whole/4) < whole/50 }, "after a drag over a quarter")
	const hairs = `[...window.report.timelines].find(([el]) => el.dataset.timeline === 'run')[1].plots.filter(u => !(u.cursor.left > 0)).length`
	if without := Ask[int](p, hairs); without != 0 {
		t.Errorf("%d plots have no cross-hair", without)
	}
	p.Do(chromedp.MouseClickXY(b.X+b.Width/2, b.Y+b.Height/2, chromedp.ClickCount(2)))
	same(func(v float64) bool { return v == whole }, "after a double click")
	p.Do(chromedp.Focus(`[data-timeline=run]`), chromedp.KeyEvent("+"))
	same(func(v float64) bool { return math.Abs(v-whole/2) < whole/50 }, "after +")
	p.Do(chromedp.KeyEvent("0"))
	same(func(v float64) bool { return v == whole }, "after 0")
	p.quiet()
}
