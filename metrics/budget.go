package metrics

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Budget is the limit on what a gauge may do in a scenario. It is judged on settled points only.
type Budget struct {
	Gauge         Gauge   `json:"gauge"`                     // what is limited
	Step          string  `json:"step,omitempty"`            // whose settled points count; empty: those of all steps
	Max           float64 `json:"max,omitempty"`             // no reading may be above it; 0: no ceiling
	SlopePerCycle float64 `json:"slope_per_cycle,omitempty"` // most it may grow per cycle; 0: no limit
	MinPoints     int     `json:"min_points,omitempty"`      // fewer readings are inconclusive; at least 1, for a slope 3
	Discard       int     `json:"discard,omitempty"`         // warm-up: cycles up to this one do not count
}

// Judge says whether points keep the budget, and why, in one line. A reading above Max fails. A slope fails only if
// its whole 95% interval lies above the limit, and passes only if none of it does. Too few readings, more than a
// fifth of them missing, or an interval on both sides of the limit are inconclusive.
func (b Budget) Judge(points []Point) (Verdict, string) {
	cycles, values, missing := b.readings(points)
	if b.Max <= 0 && b.SlopePerCycle == 0 {
		return Inconclusive, fmt.Sprintf("%s: the budget sets no limit", b.Gauge)
	}
	if high, at := highest(values); b.Max > 0 && high > b.Max {
		return Fail, fmt.Sprintf("%s: %s, above the ceiling of %s%s", b.where(), b.Gauge.Format(high), b.Gauge.Format(b.Max), inCycle(cycles[at]))
	}
	if verdict, why := b.enough(len(values), missing); verdict != Pass {
		return verdict, why
	}
	var said []string
	if b.Max > 0 {
		high, _ := highest(values)
		said = append(said, fmt.Sprintf("at most %s, within the ceiling of %s", b.Gauge.Format(high), b.Gauge.Format(b.Max)))
	}
	if b.SlopePerCycle != 0 {
		verdict, why := b.judgeSlope(TrendOf(cycles, values))
		if verdict != Pass {
			return verdict, b.where() + ": " + why
		}
		said = append(said, why)
	}
	return Pass, fmt.Sprintf("%s: %s (%d readings)", b.where(), strings.Join(said, "; "), len(values))
}

func (b Budget) readings(points []Point) (cycles, values []float64, missing int) {
	for _, p := range points {
		if !p.Settled || b.Step != "" && p.Step != b.Step || b.Discard > 0 && p.Cycle <= b.Discard {
			continue
		}
		v, ok := p.Values[b.Gauge]
		if !ok || math.IsNaN(v) || math.IsInf(v, 0) {
			missing++
			continue
		}
		cycles, values = append(cycles, float64(p.Cycle)), append(values, v)
	}
	return cycles, values, missing
}

func (b Budget) enough(read, missing int) (Verdict, string) {
	need := max(b.MinPoints, 1)
	if b.SlopePerCycle != 0 {
		need = max(need, 3)
	}
	if read < need {
		why := fmt.Sprintf("%s: %d settled readings, %d are needed", b.where(), read, need)
		if missing > 0 {
			why += fmt.Sprintf("; %d more could not be read", missing)
		}
		return Inconclusive, why
	}
	if 4*missing > read {
		return Inconclusive, fmt.Sprintf("%s: %d of %d settled readings are missing", b.where(), missing, read+missing)
	}
	return Pass, ""
}

func (b Budget) judgeSlope(t Trend) (Verdict, string) {
	if !t.Known {
		return Inconclusive, fmt.Sprintf("all %d readings are of one cycle, so there is no trend", t.N)
	}
	f, limit := b.Gauge.Format, b.Gauge.Format(b.SlopePerCycle)
	grows := fmt.Sprintf("grows by %s per cycle (95%% interval %s to %s, %d readings)", f(t.Slope), f(t.Low), f(t.High), t.N)
	switch {
	case t.Low > b.SlopePerCycle:
		return Fail, fmt.Sprintf("%s, more than the allowed %s", grows, limit)
	case t.High > b.SlopePerCycle:
		return Inconclusive, fmt.Sprintf("%s, which does not tell whether it keeps to the allowed %s: more cycles are needed", grows, limit)
	}
	return Pass, fmt.Sprintf("%s, within the allowed %s", grows, limit)
}

func (b Budget) where() string {
	if b.Step == "" {
		return string(b.Gauge)
	}
	return fmt.Sprintf("%s after step %q", b.Gauge, b.Step)
}

func inCycle(c float64) string {
	if c == 0 {
		return ""
	}
	return fmt.Sprintf(" in cycle %.0f", c)
}

func highest(values []float64) (high float64, at int) {
	for i, v := range values {
		if i == 0 || v > high {
			high, at = v, i
		}
	}
	return high, at
}

// Format writes a value of the gauge for people, with its unit.
func (g Gauge) Format(v float64) string {
	switch {
	case strings.HasSuffix(string(g), "_bytes"):
		return formatBytes(v)
	case strings.HasSuffix(string(g), "_seconds"):
		return strconv.FormatFloat(v, 'f', 2, 64) + " s"
	case v == math.Trunc(v) && math.Abs(v) < 1e15:
		return strconv.FormatFloat(v, 'f', 0, 64)
	}
	return strconv.FormatFloat(v, 'g', 4, 64)
}

func formatBytes(v float64) string {
	units := []string{"B", "KiB", "MiB", "GiB", "TiB"}
	i := 0
	for math.Abs(v) >= 1024 && i < len(units)-1 {
		v, i = v/1024, i+1
	}
	if i == 0 {
		return strconv.FormatFloat(v, 'f', 0, 64) + " B"
	}
	return strconv.FormatFloat(v, 'f', 1, 64) + " " + units[i]
}
