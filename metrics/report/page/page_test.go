package page

import (
	"bytes"
	"encoding/json"
	"math"
	"slices"
	"strings"
	"testing"
)

func TestJSONForTheScript(t *testing.T) {
	for want, v := range map[string]any{
		`[1,null,0.1]`:                         Values{1, math.NaN(), 0.1},
		`1.235`:                                Seconds(1.23456),
		`[1,2.5,"fail","\u003c/script\u003e"]`: Bar{From: 1, To: 2.5, Kind: "fail", Text: "</script>"},
		`[0,0,"step","a",1]`:                   Bar{Kind: "step", Text: "a", Label: true},
	} {
		if got, err := json.Marshal(v); err != nil || string(got) != want {
			t.Errorf("got %s, %v, want %s", got, err, want)
		}
	}
}

func TestAnAxisHasRoundValues(t *testing.T) {
	for _, c := range []struct {
		got, want []float64
	}{
		{round(0, 10, 5, false), []float64{0, 2, 4, 6, 8, 10}},
		{round(-1, 9, 5, false), []float64{0, 2, 4, 6, 8}},
		{round(9<<20, 17<<20, 3, true), []float64{12 << 20, 16 << 20}},
		{round(3, 3, 5, false), []float64{3}},
		{wholeTimes(5, 100), []float64{10, 20, 30, 40, 50, 60, 70, 80, 90, 100}},
		{valueAxis{scale{0, 3, 0, 1}, true}.ticks(), []float64{1, 10, 100, 1000}},
		{valueAxis{scale{1, 2, 0, 1}, true}.ticks(), []float64{10, 20, 50, 100}},
	} {
		if !slices.EqualFunc(c.got, c.want, func(a, b float64) bool { return math.Abs(a-b) < 1e-9*max(1, math.Abs(b)) }) {
			t.Errorf("got %v, want %v", c.got, c.want)
		}
	}
}

// TestStripsStandSideBySide wants one row for both kinds of a thing, and what is invalid told.
func TestStripsStandSideBySide(t *testing.T) {
	s := Strips{Title: "Enforcement", Unit: "ms", Columns: []string{"allow", "deny"}}
	s.Add("rest", 0, Values{1, 2, 30}, "")
	s.Add("rest", 1, Values{4, 5}, "too <coarse>")
	s.Add("churn", 1, Values{9}, "")
	if len(s.Rows) != 2 || s.Rows[1].Cells[0] != nil || !s.axis().log {
		t.Errorf("got %+v", s)
	}
	var b bytes.Buffer
	if err := s.Write(&b); err != nil {
		t.Fatal(err)
	}
	s.Add("often", 0, Values{7, 7, 7, 30}, "")
	b.Reset()
	if err := s.Write(&b); err != nil {
		t.Fatal(err)
	}
	if got := b.String(); strings.Count(got, "<circle") != 8 || !strings.Contains(got, `fill-opacity="0.91"`) {
		t.Errorf("three dots in one place are not one that is darker: %s", got)
	}
	if got := b.String(); !strings.Contains(got, "rest deny: n 2, median 4, max 5 ms; invalid: too &lt;coarse&gt;") {
		t.Errorf("got %s", got)
	}
}
