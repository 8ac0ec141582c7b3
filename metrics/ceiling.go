package metrics

import (
	"cmp"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Ceiling is what the user allows a run at most: of a gauge of what the SUT holds, at its peak under load, or of a quantile of what is
// measured.
type Ceiling struct {
	Text     string   `json:"text"`               // as it was asked for, such as "rss_bytes<120MiB"
	Gauge    Gauge    `json:"gauge,omitempty"`    // what is limited; empty: a measurement
	Words    []string `json:"words,omitempty"`    // with which words of the measurement's name and of its labels' values begin, such as "enforce", "deny"
	Quantile float64  `json:"quantile,omitempty"` // of the measurement's values, from 0 to 1
	Max      float64  `json:"max"`                // in the unit of what is limited
	Unit     Unit     `json:"unit,omitempty"`     // that a measurement must have for Max to limit it; empty: any
	Reached  bool     `json:"reached,omitempty"`  // Max itself is allowed
}

// Costs are the gauges of what the SUT costs; those that are not among them are numbers of the load, or count up.
var Costs = []Gauge{HeapBytes, HeapObjects, LiveBytes, LiveObjects, Goroutines, RSSBytes, PSSBytes, Threads, FDs, CgroupBytes}

// CountsUp are the gauges of what the SUT has used since it began.
var CountsUp = []Gauge{CPUSeconds, ProcessCPU}

var (
	ceilingForm = regexp.MustCompile(`^\s*([a-z0-9_]+)\s*(<=?)\s*([0-9.]+)\s*([A-Za-zµ]*)\s*$`)
	quantiles   = map[string]float64{"p50": 0.5, "p90": 0.9, "p99": 0.99, "max": 1}
	byteUnits   = map[string]float64{"": 1, "B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "KB": 1e3, "MB": 1e6, "GB": 1e9}
)

// ParseCeiling reads a ceiling such as "rss_bytes<120MiB" or "enforce_deny_p99<200ms".
func ParseCeiling(text string) (Ceiling, error) {
	form := ceilingForm.FindStringSubmatch(text)
	if form == nil {
		return Ceiling{}, fmt.Errorf("want NAME<VALUE, such as 'rss_bytes<120MiB' or 'enforce_deny_p99<200ms'")
	}
	c := Ceiling{Text: strings.Join(form[1:], ""), Gauge: Gauge(form[1]), Reached: form[2] == "<="}
	unit := Seconds
	if words := strings.Split(form[1], "_"); len(words) > 1 && quantiles[words[len(words)-1]] > 0 {
		c.Gauge, c.Words, c.Quantile = "", words[:len(words)-1], quantiles[words[len(words)-1]]
	} else if unit = c.Gauge.Unit(); !slices.Contains(Costs, c.Gauge) && !slices.Contains(CountsUp, c.Gauge) {
		return Ceiling{}, fmt.Errorf("there is no gauge %s of what the agent costs (%s), and what is measured is named with a quantile: _p50, _p90, _p99 or _max",
			c.Gauge, joined(slices.Concat(Costs, CountsUp)))
	}
	var err error
	c.Max, err = valueIn(unit, form[3], form[4], c.Gauge == "")
	if suffix := form[4]; c.Gauge == "" && suffix != "" {
		c.Unit = Seconds
		if byteUnits[suffix] > 0 {
			c.Unit = Bytes
		}
	}
	return c, err
}

// Unit is that of a gauge's values, by its name.
func (g Gauge) Unit() Unit {
	for _, u := range []Unit{Bytes, Seconds} {
		if strings.HasSuffix(string(g), "_"+string(u)) {
			return u
		}
	}
	return Count
}

// valueIn reads a number with its unit. One of a measurement may be in any: which it has is not known yet.
func valueIn(unit Unit, number, suffix string, anyUnit bool) (float64, error) {
	v, err := strconv.ParseFloat(number, 64)
	if err != nil {
		return 0, fmt.Errorf("%q is no number", number)
	}
	factor, bytes := byteUnits[suffix]
	took, timeErr := time.ParseDuration(number + suffix)
	switch {
	case suffix == "" && unit == Count, suffix == "" && anyUnit, bytes && (unit == Bytes || anyUnit):
		return v * factor, nil
	case timeErr == nil && suffix != "" && unit == Seconds:
		return took.Seconds(), nil
	}
	example := map[Unit]string{Bytes: "120MiB", Seconds: "200ms", Count: "500"}[unit]
	return 0, fmt.Errorf("%q is no value in %s: write it as in %s", number+suffix, cmp.Or(unit, "numbers"), example)
}

func joined(gauges []Gauge) string {
	var names []string
	for _, g := range gauges {
		names = append(names, string(g))
	}
	return strings.Join(names, ", ")
}

// Of reports whether the ceiling is on what was measured: seconds are within any number of MiB, which would say nothing.
func (c Ceiling) Of(m Measurement) bool {
	words := strings.Fields(m.Name)
	for _, l := range m.Labels {
		words = append(words, strings.Fields(l.Value)...)
	}
	return c.Gauge == "" && (c.Unit == "" || c.Unit == m.Unit) && !slices.ContainsFunc(c.Words, func(want string) bool {
		return !slices.ContainsFunc(words, func(has string) bool { return strings.HasPrefix(strings.ToLower(has), want) })
	})
}

// minValues is how many values a quantile must be of for it to be within a ceiling.
const minValues = 10

// JudgePeak judges the highest reading of the ceiling's gauge.
func (c Ceiling) JudgePeak(peak float64) (Verdict, string) {
	if c.above(peak) {
		return Fail, fmt.Sprintf("budget %s: %s was %s", c.Text, c.Gauge, c.Gauge.Format(peak))
	}
	return Pass, ""
}

// Judge judges what was measured. A value that may be too large by its resolution fails only if it is above the ceiling without that.
func (c Ceiling) Judge(m Measurement) (Verdict, string) {
	what := fmt.Sprintf("budget %s: %s", c.Text, m.String())
	switch {
	case m.N() == 0:
		return Inconclusive, what + ", so there is nothing to judge"
	case m.Doubt() != "":
		return Inconclusive, what
	}
	value, resolution := m.Quantile(c.Quantile), m.Resolution(c.Quantile)
	switch {
	case c.above(value - resolution):
		return Fail, what
	case c.above(value):
		return Inconclusive, what + ", which is above or below within its resolution"
	case m.N() < minValues:
		return Inconclusive, fmt.Sprintf("%s: of fewer than %d values there is no such quantile", what, minValues)
	}
	return Pass, ""
}

func (c Ceiling) above(v float64) bool {
	return math.IsNaN(v) || v > c.Max || v == c.Max && !c.Reached
}
