package metrics

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Measurement is what was measured of one thing, with its right to be believed. A scenario takes it, and all formats print it without
// knowing it.
type Measurement struct {
	Name   string  `json:"name"`             // what is measured, in lower case words, such as "enforcement"
	Doc    string  `json:"doc,omitempty"`    // for who reads a table of it: from when to when, or what counts, and what follows
	Unit   Unit    `json:"unit,omitempty"`   // of all values and resolutions; empty: they are counts
	Labels []Label `json:"labels,omitempty"` // what tells it from others of its name, in the order in which a table shows them

	Samples   []Sample   `json:"samples,omitempty"`   // in the order in which they were taken
	Histogram *Histogram `json:"histogram,omitempty"` // instead of samples, where they are many
	Without   int        `json:"without,omitempty"`   // how many trials gave no sample, such as flows that were never cut
	Invalid   string     `json:"invalid,omitempty"`   // why its taker does not believe it; see Doubt
}

// Unit is what values are counted in: a base unit, which formats scale for people.
type Unit string

// The units that formats know how to scale; any other is shown as it is.
const (
	Count   Unit = ""
	Seconds Unit = "seconds"
	Bytes   Unit = "bytes"
)

// Shown returns the name of the unit in which people read values, and how many of it there are in the unit itself.
func (u Unit) Shown() (name string, factor float64) {
	switch u {
	case Seconds:
		return "ms", 1e3
	case Bytes:
		return "KiB", 1.0 / 1024
	}
	return string(u), 1
}

// Number writes a value for people, in the unit that Shown names.
func (u Unit) Number(value float64) string {
	_, factor := u.Shown()
	shown := value * factor
	switch {
	case u == Count && shown == math.Trunc(shown):
		return strconv.FormatFloat(shown, 'f', 0, 64)
	case shown != 0 && math.Abs(shown) < 0.1:
		return strconv.FormatFloat(shown, 'g', 2, 64)
	}
	return strconv.FormatFloat(shown, 'f', 1, 64)
}

// Label is one property by which measurements of a name differ.
type Label struct {
	Name  string `json:"name"`  // such as "operation"
	Value string `json:"value"` // such as "policy added"
}

// Sample is one value.
type Sample struct {
	At         time.Time `json:"at"`                   // what was measured began
	Value      float64   `json:"value"`                // in the measurement's unit
	Resolution float64   `json:"resolution,omitempty"` // what the value may be too large by; 0: that is not known
}

// Since returns a sample of how long something took that began at a time, too long by the resolution at most.
func Since(at time.Time, took, resolution time.Duration) Sample {
	return Sample{At: at, Value: took.Seconds(), Resolution: resolution.Seconds()}
}

// Same reports whether two measurements are of one thing, so that their samples belong together.
func (m Measurement) Same(o Measurement) bool {
	return m.Name == o.Name && m.Unit == o.Unit && slices.Equal(m.Labels, o.Labels)
}

// Add takes over the values of another measurement of the same thing, which stays as it is. Samples and a histogram don't go together. A copy of m
// that is to stay must have its samples clipped: a journal adds one at a time, and may not copy all for each.
func (m *Measurement) Add(o Measurement) error {
	if m.Histogram.count() > 0 && len(o.Samples) > 0 || o.Histogram.count() > 0 && len(m.Samples) > 0 {
		return fmt.Errorf("add to %s: one has samples, the other a histogram", m.Name)
	}
	if o.Histogram != nil {
		sum, err := o.Histogram.plus(m.Histogram)
		if err != nil {
			return fmt.Errorf("add to %s: %w", m.Name, err)
		}
		m.Histogram = sum
	}
	m.Samples, m.Without = append(m.Samples, o.Samples...), m.Without+o.Without
	m.Doc, m.Invalid = cmp.Or(m.Doc, o.Doc), cmp.Or(m.Invalid, o.Invalid)
	return nil
}

// N returns how many values there are.
func (m Measurement) N() int { return len(m.Samples) + m.Histogram.count() }

// Quantile returns that of all values, of which there must be one. Those of a histogram are known to three digits.
func (m Measurement) Quantile(q float64) float64 {
	if m.Histogram.count() > 0 {
		return m.Histogram.quantile(q)
	}
	return quantile(m.Samples, q, func(s Sample) float64 { return s.Value })
}

// Resolution returns the quantile of what the values may be too large by; 0: that is not known.
func (m Measurement) Resolution(q float64) float64 {
	if m.Histogram.count() > 0 {
		return m.Histogram.Step
	}
	return quantile(m.Samples, q, func(s Sample) float64 { return s.Resolution })
}

func quantile(samples []Sample, q float64, of func(Sample) float64) float64 {
	values := make([]float64, 0, len(samples))
	for _, s := range samples {
		values = append(values, of(s))
	}
	return Quantile(values, q)
}

// Quantile returns the smallest value that at least the share q of all is not above (the nearest rank); values must not be empty.
func Quantile[T cmp.Ordered](values []T, q float64) T {
	values = slices.Sorted(slices.Values(values))
	rank := int(q*float64(len(values)) + 0.999999)
	return values[min(max(rank, 1), len(values))-1]
}

// Doubt says why the measurement is not to be believed: its taker does not, or what was measured is no larger than what can be told
// apart. Empty: nothing speaks against it.
func (m Measurement) Doubt() string {
	switch {
	case m.Invalid != "":
		return m.Invalid
	case m.N() == 0:
		return ""
	case m.Resolution(0.5) > math.Abs(m.Quantile(0.5))/2, m.Resolution(0.99) > math.Abs(m.Quantile(0.99)):
		return "the resolution is too coarse"
	}
	return ""
}

// String tells the measurement in one line.
func (m Measurement) String() string {
	var b strings.Builder
	b.WriteString(m.Name)
	for _, l := range m.Labels {
		fmt.Fprintf(&b, ", %s %s", l.Name, l.Value)
	}
	fmt.Fprintf(&b, ": n %s", m.Of())
	if m.N() > 0 {
		unit, _ := m.Unit.Shown()
		for _, q := range []struct {
			name string
			q    float64
		}{{"P50", 0.5}, {"P99", 0.99}, {"max", 1}} {
			b.WriteString(strings.TrimRight(fmt.Sprintf(", %s %s %s", q.name, m.Unit.Number(m.Quantile(q.q)), unit), " "))
		}
	}
	if why := m.Doubt(); why != "" {
		b.WriteString("; invalid: " + why)
	}
	return b.String()
}

// Of returns how many values there are, and of how many trials if some gave none.
func (m Measurement) Of() string {
	if m.Without == 0 {
		return fmt.Sprint(m.N())
	}
	return fmt.Sprintf("%d of %d", m.N(), m.N()+m.Without)
}
