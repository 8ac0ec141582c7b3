package sweep

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nodefv/nodefv/metrics"
	"github.com/nodefv/nodefv/metrics/report"
)

func plan(rounds int, axes ...Axis) Plan {
	return Plan{Scenario: "sized cluster", Axes: axes, Rounds: rounds, Seed: 7}
}

var (
	endpoints = Axis{"endpoints", []string{"10", "100", "1000"}}
	policies  = Axis{"policies", []string{"1", "10"}}
)

// filled is a sweep in which memory grows as the first parameter does and with the root of the second, and time not at all.
func filled(p Plan) Sweep {
	s := Sweep{Head: Head{Plan: p, Options: json.RawMessage("{}")}}
	for _, c := range p.Cells() {
		bytes := 1e6 * (1 + 0.01*float64(c.Round-2))
		for i, a := range p.Axes {
			bytes *= math.Pow(a.numbers()[slices.Index(a.Values, c.Values[i])], 1/float64(i+1))
		}
		s.Results = append(s.Results, Result{Cell: c, Verdict: metrics.Pass, Record: "cells/1", Quantities: []report.Quantity{
			{Name: "duration", Of: "value", Unit: metrics.Seconds, Value: 3},
			{Name: "rss_bytes", Of: "settled", Unit: metrics.Bytes, Value: bytes},
			{Name: "rss_bytes", Of: "mean", Unit: metrics.Bytes, Value: bytes / 2},
		}})
	}
	return s
}

func TestCellsAreAllThereInAnOrderOfTheirOwn(t *testing.T) {
	p := plan(2, endpoints, policies)
	cells := p.Cells()
	seen := map[string]int{}
	for i, c := range cells {
		seen[strings.Join(c.Values, ",")]++
		if want := 1 + i/6; c.Round != want {
			t.Errorf("cell %d is of round %d, want %d", i, c.Round, want)
		}
	}
	if len(cells) != 12 || len(seen) != 6 {
		t.Fatalf("%d cells at %d points, want 12 at 6", len(cells), len(seen))
	}
	if !reflect.DeepEqual(cells, p.Cells()) {
		t.Error("the same seed gives another order")
	}
	p.Seed++
	if reflect.DeepEqual(cells, p.Cells()) {
		t.Error("another seed gives the same order")
	}
}

func TestComparisonAndGrowth(t *testing.T) {
	s := filled(plan(3, endpoints, policies))
	all := s.Compare(nil)
	if len(all) != 2 || all[0].Title() != "duration" || all[1].Title() != "rss_bytes, settled" {
		t.Fatalf("compared: %+v", all)
	}
	rss := all[1]
	if p := rss.Points[0]; p.N != 3 || rss.Unit != "GiB" || math.Abs(p.Median-1e7/(1<<30)) > 1e-9 || !(p.Low < p.Median && p.Median < p.Top) {
		t.Errorf("the first point is %+v %s", p, rss.Unit)
	}
	g, known := rss.Growth(s.Plan.Axes)
	if !known || g.Linear || math.Abs(g.By[0]-1) > 1e-6 || math.Abs(g.By[1]-0.5) > 1e-6 || g.Fit < 0.9999 {
		t.Errorf("growth %+v %v, want powers of 1 and 0.5", g, known)
	}
	if g, known := all[0].Growth(s.Plan.Axes); known {
		t.Errorf("what never moved grows: %+v", g)
	}
	if only := s.Compare(regexp.MustCompile("mean")); len(only) != 1 || only[0].Of != "mean" {
		t.Errorf("asked for the mean: %+v", only)
	}
}

func TestGrowthInAStraightLine(t *testing.T) {
	axes := []Axis{endpoints, policies}
	c := Compared{Unit: "MiB"}
	for _, values := range plan(1, axes...).grid() {
		x, y := endpoints.numbers()[slices.Index(endpoints.Values, values[0])], policies.numbers()[slices.Index(policies.Values, values[1])]
		c.Points = append(c.Points, Point{Values: values, N: 1, Median: 8.5 + 0.02*x + 0.5*y})
	}
	g, known := c.Growth(axes)
	if want := "grows from 8.5 by 0.02 for each of endpoints and 0.5 for each of policies, in MiB (R² 1.00)"; !known || g.words("MiB", axes) != want {
		t.Errorf("%v %s, want %s", known, g.words("MiB", axes), want)
	}
}

func TestGrowthIsNotKnownWhereItCantBe(t *testing.T) {
	for name, axis := range map[string]Axis{
		"too few points": {"a", []string{"1", "2"}}, "a value that is no number": {"a", []string{"1", "x", "3", "4"}},
	} {
		c := Compared{}
		for _, v := range axis.Values {
			c.Points = append(c.Points, Point{Values: []string{v}, N: 1, Median: 1})
		}
		if g, known := c.Growth([]Axis{axis}); known {
			t.Errorf("%s: growth %+v", name, g)
		}
	}
}

func TestMarks(t *testing.T) {
	s := filled(plan(1, endpoints))
	for i := range s.Results {
		switch s.Results[i].Values[0] {
		case "10":
			s.Results[i].Quantities[0].Doubt = "too coarse"
		case "100":
			s.Results[i].Verdict, s.Results[i].Reason = metrics.Fail, "it failed"
		case "1000":
			s.Results[i].Verdict, s.Results[i].Reason = metrics.Inconclusive, "the load was *weak*"
		}
	}
	var table, md, html, csv bytes.Buffer
	all := s.Compare(nil)
	for _, err := range []error{s.Table(&table, all, 80), s.Markdown(&md, all), s.Page(&html, all), s.CSV(&csv)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if want := "duration, s               3 ?     3 !     –\n"; !strings.Contains(table.String(), want) {
		t.Errorf("table lacks %q:\n%s", want, table.String())
	}
	for _, want := range []string{"| duration, s | 3 ? | 3 ! | – |", "endpoints=100, round 1 of 1: fail: it failed (cells/1)", `inconclusive: the load was \*weak\*`} {
		if !strings.Contains(md.String(), want) {
			t.Errorf("summary lacks %q:\n%s", want, md.String())
		}
	}
	if !strings.Contains(html.String(), `<span class="verdict fail">fail</span>`) || s.Verdict() != metrics.Fail {
		t.Errorf("verdict %v", s.Verdict())
	}
	if rows := strings.Count(csv.String(), "\n"); rows != 1+3*3 {
		t.Errorf("%d rows of CSV, want 10:\n%s", rows, csv.String())
	}
}

// TestNotes wants notes in the page and in the summary, the oldest first, as they were written.
func TestNotes(t *testing.T) {
	s := filled(plan(1, endpoints))
	at := time.Date(2026, 11, 29, 6, 0, 0, 0, time.UTC)
	s.Notes = []report.Note{{At: at.Add(time.Hour), Text: "later"}, {At: at, Text: "a *build* ran\n# beside <it> | _all_ along"}}
	var md, page bytes.Buffer
	if err := errors.Join(s.Markdown(&md, s.Compare(nil)), s.Page(&page, s.Compare(nil))); err != nil {
		t.Fatal(err)
	}
	const want = "\n## Notes\n\n" + `- 2026-11-29 06:00:00 UTC: a \*build\* ran # beside &lt;it> \| \_all\_ along` + "\n- 2026-11-29 07:00:00 UTC: later\n\nMedians;"
	if !strings.Contains(md.String(), want) {
		t.Errorf("the summary lacks %q:\n%s", want, md.String())
	}
	const shown = "<ul><li>2026-11-29 06:00:00 UTC: a *build* ran # beside &lt;it&gt; | _all_ along</li><li>2026-11-29 07:00:00 UTC: later</li></ul>"
	if !strings.Contains(page.String(), shown) {
		t.Errorf("the page lacks %q", shown)
	}
}

func TestTableFoldsWhatDoesNotFit(t *testing.T) {
	s := filled(plan(1, Axis{"endpoints", []string{"10", "20", "30", "40", "50", "60", "70", "80"}}))
	var b bytes.Buffer
	if err := s.Table(&b, s.Compare(nil), 40); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(b.String()) {
		if !strings.Contains(line, "grows") && len([]rune(line)) > 41 {
			t.Errorf("%d columns: %q", len([]rune(line)), line)
		}
	}
	if n := strings.Count(b.String(), "rss_bytes, settled,"); n < 2 {
		t.Errorf("the table is not folded:\n%s", b.String())
	}
}

func TestJournalGoesOnAfterAKill(t *testing.T) {
	dir := t.TempDir()
	s := filled(plan(2, endpoints))
	j, err := Begin(dir, s.Head)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range s.Results[:4] {
		if err := j.Add(r); err != nil {
			t.Fatal(err)
		}
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, File)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, append(whole, `{"values":["10"],"rou`...), 0o644); err != nil {
		t.Fatal(err)
	}
	again, read, err := Resume(dir)
	if err != nil || len(read.Results) != 4 || len(read.Lacks()) != 2 || read.Verdict() != metrics.Inconclusive {
		t.Fatalf("%d results, %d lack, %v, %v", len(read.Results), len(read.Lacks()), read.Verdict(), err)
	}
	for _, r := range s.Results[4:] {
		if err := again.Add(r); err != nil {
			t.Fatal(err)
		}
	}
	if err := again.Close(); err != nil {
		t.Fatal(err)
	}
	if read, err = Load(dir); err != nil || len(read.Lacks()) != 0 || read.Verdict() != metrics.Pass {
		t.Errorf("%d lack, %v, %v", len(read.Lacks()), read.Verdict(), err)
	}
}
