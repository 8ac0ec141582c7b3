package report

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nodefv/nodefv/metrics"
	"github.com/nodefv/nodefv/metrics/report/page"
)

func TestPageSaysWhatFailed(t *testing.T) {
	var b bytes.Buffer
	if err := (HTML{}).Write(&b, sample()); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"<title>fail: run r1</title>", "3 of 100 facts differ after 5s", "a/b to c/d:80", "set a: 69 missing", "out of memory, exit code 137",
		"fv run --target felix --seed 42 --focus &#39;^policy\\|churn$&#39;", "no veth &lt;x&gt;", "felix lacks ipv6", "excused by &#34;IPv6 routes remade&#34;",
		"typha died: exit code 1", "99.75 %", "the resolution is too coarse",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("the page does not say %s", want)
		}
	}
}

// TestPageKeepsToItself wants text of any kind to stay text, and nothing that the page would fetch.
func TestPageKeepsToItself(t *testing.T) {
	const hostile = `</script><script src="https://x.example/a.js"></script><!--`
	rec := sample()
	rec.Run.ID, rec.Run.Target, rec.Reason = hostile, hostile, hostile
	for i := range rec.Scenarios {
		sc := &rec.Scenarios[i]
		sc.Name, sc.Doc, sc.Reason = hostile, hostile, hostile
		sc.Operations = append(sc.Operations, Operation{At: sc.Started, Verb: hostile, Count: 1})
		sc.Steps = append(sc.Steps, Step{Name: hostile, Started: sc.Started})
	}
	for i := range rec.Points {
		rec.Points[i].Gaps = []metrics.Gap{{Source: hostile, Reason: hostile}}
	}
	var b bytes.Buffer
	if err := (HTML{}).Write(&b, rec); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(b.String(), "</script"); n != 2 {
		t.Errorf("%d scripts end in the page, want the data and the program", n)
	}
	for _, s := range []string{`src="`, `href="http`, "@import", "url(", "<!--"} {
		if strings.Contains(b.String(), s) {
			t.Errorf("the page has %s", s)
		}
	}
}

func TestSeriesOfWhatCountsUpAreHowFast(t *testing.T) {
	rec := sample()
	points, note := rec.series()
	if note != "" || len(points.Times) != len(rec.Points) || points.Times[1] != 11 {
		t.Fatalf("got %d points, %v, %q", len(points.Times), points.Times, note)
	}
	want := map[string]page.Values{
		"heap_bytes":  {8 << 20, 9 << 20, 11 << 20, 10 << 20, nan, nan, nan},
		"cpu_seconds": {nan, nan, 2.5 / 1.5, 1, 6.0 / 19, nan, 1}, // the agent began anew before the last but one
	}
	for _, s := range points.Series {
		if w := want[s.Name]; w != nil && fmt.Sprintf("%.6g", s.Values) != fmt.Sprintf("%.6g", w) {
			t.Errorf("%s: got %v, want %v", s.Name, s.Values, w)
		}
	}
	if points.Series[0].Name != "heap_bytes" || points.Series[2].Unit != "cores" {
		t.Errorf("got %s first, and CPU in %q", points.Series[0].Name, points.Series[2].Unit)
	}
}

var nan = math.NaN()

func TestThinKeepsExtremesAndWhatIsSpecial(t *testing.T) {
	p := page.Points{Series: []page.Series{{Name: "a"}}, Settled: []int{500}, Gaps: []int{700}}
	for i := range 1000 {
		p.Times, p.Series[0].Values = append(p.Times, page.Seconds(i)), append(p.Series[0].Values, 1)
	}
	values := p.Series[0].Values
	values[123], values[456], values[500], values[700] = 9, -9, 5, nan
	out, few := thin(p, 100)
	if few != 20 || len(out.Times) > 110 || len(out.Times) != len(out.Series[0].Values) {
		t.Errorf("of each %d points, %d are left and %d values", few, len(out.Times), len(out.Series[0].Values))
	}
	if got := out.Series[0].Values; !slices.Contains(got, 9) || !slices.Contains(got, -9) {
		t.Errorf("the extremes are lost: %v", got)
	}
	if at := out.Settled[0]; out.Times[at] != 500 || out.Series[0].Values[at] != 5 {
		t.Errorf("the settled point is %v, %v", out.Times[at], out.Series[0].Values[at])
	}
	if at := out.Gaps[0]; out.Times[at] != 700 || !math.IsNaN(out.Series[0].Values[at]) {
		t.Errorf("the gap is at %v, %v", out.Times[at], out.Series[0].Values[at])
	}
	if !slices.IsSorted(out.Times) {
		t.Error("the times are not in order")
	}
}

// TestThinOfAnAgentThatIsAway wants points that all lack something to be thinned out as well, and to stay gaps.
func TestThinOfAnAgentThatIsAway(t *testing.T) {
	p := page.Points{Series: []page.Series{{Name: "a"}}}
	for i := range 1000 {
		p.Times, p.Series[0].Values, p.Gaps = append(p.Times, page.Seconds(i)), append(p.Series[0].Values, nan), append(p.Gaps, i)
	}
	out, _ := thin(p, 100)
	if len(out.Times) > 110 || len(out.Gaps) != len(out.Times) || out.Gaps[len(out.Gaps)-1] != len(out.Times)-1 {
		t.Errorf("%d points are left, of which %d are gaps", len(out.Times), len(out.Gaps))
	}
}

func TestMarksTellFailuresBeforeGaps(t *testing.T) {
	rec := Record{Run: Run{Started: at(0)}}
	for i := range 2 * mostMarks {
		rec.Points = append(rec.Points, metrics.Point{At: at(float64(i)), Gaps: []metrics.Gap{{Source: "agent"}}})
	}
	marks := rec.marks([]Finding{{At: at(5), Kind: Life, Error: "died"}}, []Event{{At: at(5), Container: "agent", What: "exited"}}, at(0), at(1e4))
	kinds := map[string]int{}
	for _, m := range marks {
		kinds[m.Kind]++
	}
	if len(marks) != mostMarks || kinds["fail"] != 1 || kinds["event"] != 1 {
		t.Errorf("got %v", kinds)
	}
}

// TestWindowsOfExcusedIssuesAreMarked wants the times of what a known issue excuses on every plot, as such, and not as failures.
func TestWindowsOfExcusedIssuesAreMarked(t *testing.T) {
	rec := Record{Run: Run{Started: at(0)}}
	drop := Difference{Fact: "a > b", From: at(2), Until: at(3)}
	marks := rec.marks([]Finding{{At: at(5), Name: "never wrong", Excused: []Excused{{Issue: "routes remade", Violations: 1, Examples: []Difference{drop}}}}}, nil, at(0), at(10))
	if want := (page.Bar{From: 2, To: 3, Kind: "excused", Text: "routes remade: a > b"}); len(marks) != 1 || marks[0] != want {
		t.Errorf("got %+v, want %+v", marks, want)
	}
}

// TestExcusedBarCountsAllIssues wants what each of several issues excuses to be counted.
func TestExcusedBarCountsAllIssues(t *testing.T) {
	rec := Record{Run: Run{Started: at(0)}}
	lane := rec.findingLane([]Finding{{At: at(1), Name: "never wrong", Excused: []Excused{{Issue: "a", Violations: 2}, {Issue: "b", Violations: 3}}}}, nil, at(0), at(10))
	if len(lane.Bars) != 1 || lane.Bars[0].Text != "never wrong: 5 violations, 0 packets excused" {
		t.Errorf("got %+v", lane.Bars)
	}
}

func TestRatesCountEveryChange(t *testing.T) {
	rec := Record{Run: Run{Started: at(0)}}
	operations := []Operation{{At: at(1), Count: 10, Took: 3 * time.Second}, {At: at(1.5), Count: 1}, {At: at(9.99), Count: 7, Took: time.Millisecond}}
	r := rec.rates(operations, at(0), at(10))
	sum := 0.0
	for _, v := range r.Values {
		sum += v * float64(r.Width)
	}
	if math.Abs(sum-18) > 0.01 {
		t.Errorf("the rates come to %v changes, want 18", sum)
	}
}

func TestOperationLaneTellsWhatAPlotCannotTellApart(t *testing.T) {
	rec := Record{Run: Run{Started: at(0)}}
	lane := rec.operationLane([]Operation{
		{At: at(1), Verb: "plug", Count: 2, Objects: []string{"a/b", "a/c"}}, {At: at(50), Verb: "create pod", Count: 3}, {At: at(50.1), Verb: "plug", Count: 1}, {At: at(50.15), Verb: "plug", Count: 4},
	}, at(0), at(100))
	var got []string
	for _, b := range lane.Bars {
		got = append(got, b.Text)
	}
	if want := []string{"plug × 2 a/b, a/c", "create pod × 3, plug × 5"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestFailureTellsTheOperationsBefore wants the step of an operation, too, which it does not say itself.
func TestFailureTellsTheOperationsBefore(t *testing.T) {
	sc := Scenario{Started: at(0), Ended: at(99), Steps: []Step{{Name: "deploy", Started: at(0), Ended: at(20)}, {Name: "churn", Cycle: 2, Started: at(20), Ended: at(99)}}}
	for i := range 60 {
		sc.Operations = append(sc.Operations, Operation{At: at(float64(i)), Verb: fmt.Sprint(i), Count: 1})
	}
	got := Record{Run: Run{Started: at(0)}}.around(sc, Finding{At: at(32), Took: 2 * time.Second})
	if n := len(got); n != 12 || got[0].What != "21" || got[n-1].What != "32" || got[n-1].Step != "churn, cycle 2" || got[0].At != "0:21.000" {
		t.Errorf("got %+v", got)
	}
}

func TestPlotsArePictures(t *testing.T) {
	rec := sample()
	for i := range 30 {
		rec.Points = append(rec.Points, metrics.Point{At: at(22 + float64(i)/10), Phase: metrics.Phase{Scenario: "policy|churn", Settled: i == 3}, Values: metrics.Snapshot{metrics.Goroutines: float64(i)}})
	}
	slices.SortStableFunc(rec.Points, func(a, b metrics.Point) int { return a.At.Compare(b.At) })
	var files []string
	for _, f := range plots(rec) {
		files = append(files, f.File())
		var b bytes.Buffer
		if err := f.Write(&b, rec); err != nil {
			t.Fatal(err)
		}
		d := xml.NewDecoder(&b)
		for {
			if _, err := d.Token(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatalf("%s: %v", f.File(), err)
			}
		}
	}
	want := []string{
		"plots/run/heap_bytes.svg", "plots/run/rss_bytes.svg", "plots/run/cpu_seconds.svg", "plots/run/goroutines.svg", "plots/policy-churn/goroutines.svg",
	}
	if !slices.Equal(files, want) {
		t.Errorf("got %q, want %q", files, want)
	}
}

// TestEachPlotHasItsFile wants scenarios of one name, which a run that repeats them has, to keep their pictures.
func TestEachPlotHasItsFile(t *testing.T) {
	rec := Record{Run: Run{Started: at(0)}}
	for i := range 2 {
		from := float64(100 * i)
		rec.Scenarios = append(rec.Scenarios, Scenario{Name: "run", Started: at(from), Ended: at(from + 50), Measurements: []metrics.Measurement{
			{Name: "took", Labels: []metrics.Label{{Name: fmt.Sprint(i), Value: "a"}}, Samples: make([]metrics.Sample, 2)},
			{Name: "took", Labels: []metrics.Label{{Name: fmt.Sprint(i), Value: "b"}}, Samples: make([]metrics.Sample, 2)},
		}})
		for s := range plottable {
			rec.Points = append(rec.Points, metrics.Point{At: at(from + float64(s)), Phase: metrics.Phase{Scenario: "run"}, Values: metrics.Snapshot{metrics.FDs: 1}})
		}
	}
	var files []string
	for _, f := range plots(rec) {
		files = append(files, f.File())
	}
	if want := []string{"plots/run/fds.svg", "plots/run-2/fds.svg", "plots/run-3/fds.svg", "plots/took.svg", "plots/took-2.svg"}; !slices.Equal(files, want) {
		t.Errorf("got %q, want %q", files, want)
	}
}

func TestConnectionsStandOut(t *testing.T) {
	c := &Connections{
		Chosen: "all", Flows: 6, Pods: []string{"a/b", "a/c"}, Rows: []string{" +", ". "}, Differing: 3,
		Differences: []Connection{{From: 0, To: 1, Way: "tcp/80", Want: "dropped", Got: "connected"}, {From: 0, To: 9, Way: "tcp/81", Want: "dropped", Got: "connected"}},
	}
	p := c.shown()
	if got := p.Rows[0][1]; got.Sign != "+" || got.Text != "tcp/80: want dropped, got connected" {
		t.Errorf("got %+v", got)
	}
	if p.Rows[0][0].Sign != "" || p.Rows[1][0].Sign != "." || p.More != 1 || p.Differing[1].Fact != "a/b to ? tcp/81" {
		t.Errorf("got %+v", p)
	}
	if (*Connections)(nil).shown() != nil {
		t.Error("where none was tried there is a table")
	}
}

// TestRunWithoutMarksHasPlots wants lists where the page goes over them, though there is nothing in them.
func TestRunWithoutMarksHasPlots(t *testing.T) {
	rec := Record{Run: Run{Started: at(0)}, Scenarios: []Scenario{{Name: "s", Started: at(1), Ended: at(9)}}, Points: []metrics.Point{{At: at(2), Values: metrics.Snapshot{metrics.RSSBytes: 1}}}}
	var b bytes.Buffer
	if err := (HTML{}).Write(&b, rec); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(b.String(), `"marks":[]`); n != 2 {
		t.Errorf("%d timelines have an empty list of marks, want 2", n)
	}
}
