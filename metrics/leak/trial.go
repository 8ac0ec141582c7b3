package leak

import (
	"fmt"
	"math"
	"strings"

	"github.com/nodefv/nodefv/metrics"
)

// KernelGauge begins the names of gauges that count the kernel's objects, DescriptorGauge of those that count descriptors of one kind.
const (
	KernelGauge     = "kernel "
	DescriptorGauge = "fds: "
)

// Trial is what a run read to learn whether its target leaks. What follows from it is a pure function of it, so a stored one can be judged again.
type Trial struct {
	Churn      string   `json:"churn"`                // what was made and removed in each cycle
	Thing      string   `json:"thing"`                // one of it, in a word, such as "pod"
	Churned    int      `json:"churned"`              // how many in each cycle
	Identities string   `json:"identities,omitempty"` // whether names returned: "fresh" or "same"
	UntilSure  bool     `json:"until_sure,omitempty"` // it ended when a look said enough, so that all looks count
	Cycles     int      `json:"cycles"`               // that were read
	Restless   int      `json:"restless,omitempty"`   // after how many of them no two readings in a row agreed
	Missed     int      `json:"missed,omitempty"`     // after how many of them something could not be read
	Gap        string   `json:"gap,omitempty"`        // why, the last time
	Gauges     []Series `json:"gauges,omitempty"`     // of the target as a whole, and of the kernel
	Exact      bool     `json:"exact,omitempty"`      // every allocation was counted
	Sites      []Place  `json:"sites,omitempty"`      // those of them that held more and more
	// Left is what the kernel held in the end and after the cycle before, but not at the beginning, or the other way round.
	Left []string `json:"left,omitempty"`
	// Profiles are files in the run's folder: an early and a late profile of each kind in turn, which go tool pprof -base opens.
	Profiles []string `json:"profiles,omitempty"`
}

// Series are the readings of one gauge.
type Series struct {
	Gauge   metrics.Gauge `json:"gauge"`             // what was read
	Quantum float64       `json:"quantum,omitempty"` // see Question
	See     float64       `json:"see,omitempty"`     // see Question
	Cycles  []float64     `json:"cycles"`            // after which it was read
	Values  []float64     `json:"values"`            // as many
}

// Add adds a reading.
func (s *Series) Add(cycle int, value float64) {
	s.Cycles, s.Values = append(s.Cycles, float64(cycle)), append(s.Values, value)
}

// Place is a place in the source that may hold more and more.
type Place struct {
	Kind   string   `json:"kind"`            // of profile: "heap", "goroutine", or "goroutineleak": goroutines that nothing can wake
	Site   string   `json:"site"`            // function, file and line
	Bytes  float64  `json:"bytes,omitempty"` // that it holds more after each cycle, on average since the warm-up
	Stack  []string `json:"stack,omitempty"` // of most of it, from the inside
	Of     int      `json:"of"`              // how many places that kind of profile has, of which any might have grown
	Series Series   `json:"series"`          // objects, or goroutines, that it holds
}

// kindsOfProfiles are those whose places are asked about: of the heap, of goroutines, and of goroutines that nothing can wake.
const kindsOfProfiles = 3

// families is for how many statements a run shares Alpha: one for each gauge, and one for all places in each kind of profile.
func (t Trial) families() int { return len(t.Gauges) + kindsOfProfiles }

// Level is the share of runs in which one statement may be wrong at the present look.
func (t Trial) Level() float64 {
	if !t.UntilSure {
		return Level(t.families())
	}
	k := 1
	for n := MinCycles; n <= t.Cycles; n = NextLook(n) {
		if k = Look(n); n < t.Cycles && t.Cycles < NextLook(n) {
			k++ // it ended between two looks, which is a look of its own
		}
	}
	return Spend(t.families(), k)
}

// Answers returns what the readings of each gauge say.
func (t Trial) Answers() []Answer {
	var all []Answer
	for _, s := range t.Gauges {
		all = append(all, Judge(Question{s.Gauge, s.Quantum, s.See}, s.Cycles, s.Values, t.Level()))
	}
	return all
}

// Growing returns the places that hold more and more, with what the readings of each say.
func (t Trial) Growing() (places []Place, answers []Answer) {
	for _, p := range t.Sites {
		a := Judge(Question{p.Series.Gauge, p.Series.Quantum, 0}, p.Series.Cycles, p.Series.Values, t.Level()/float64(max(p.Of, 1)))
		if a.Verdict == metrics.Fail {
			places, answers = append(places, p), append(answers, a)
		}
	}
	return places, answers
}

// Judge returns the verdict: Fail for a leak, Pass for none that the run could have seen, and why in one line.
func (t Trial) Judge() (metrics.Verdict, string) {
	var leaks, open []string
	places, answers := t.Growing()
	for i, p := range places {
		leaks = append(leaks, fmt.Sprintf("%s grows by %s per %s", p.Site, p.Per(answers[i].Slope, t.Churned), t.Thing))
	}
	more := 0
	for _, a := range t.Answers() {
		switch {
		case a.Verdict == metrics.Fail:
			leaks = append(leaks, fmt.Sprintf("%s %s", a.Gauge, strings.TrimPrefix(a.Says(t.Churned, t.Thing), "leak: ")))
		case a.Verdict == metrics.Inconclusive:
			open, more = append(open, string(a.Gauge)), max(more, a.More)
		}
	}
	if len(t.Left) > 0 {
		leaks = append(leaks, fmt.Sprintf("the kernel is not as it was: %s%s", t.Left[0], others(len(t.Left)-1)))
	}
	switch {
	case len(leaks) > 0:
		return metrics.Fail, "leak: " + leaks[0] + others(len(leaks)-1)
	case len(t.Gauges) == 0:
		return metrics.Inconclusive, "nothing was read"
	case len(open) > 0 && t.Cycles < MinCycles:
		return metrics.Inconclusive, fmt.Sprintf("no leak seen, but %d cycles are too few to tell: at least %d more cycles needed", t.Cycles, MinCycles-t.Cycles)
	case len(open) > 0:
		return metrics.Inconclusive, fmt.Sprintf("no leak seen, but %s can't be told yet: about %d more cycles needed", strings.Join(open, ", "), more)
	}
	return metrics.Pass, "no leak above " + strings.Join(t.visible(), ", ") + " per " + t.Thing
}

// visible lists, of the target's gauges that were asked about, the smallest leak that the run could have seen.
func (t Trial) visible() []string {
	var all []string
	for i, a := range t.Answers() {
		if t.Gauges[i].See > 0 && !strings.HasPrefix(string(a.Gauge), KernelGauge) {
			above := a.Above / float64(max(t.Churned, 1))
			if strings.HasSuffix(string(a.Gauge), "_bytes") {
				above = math.Ceil(above)
			}
			all = append(all, fmt.Sprintf("%s of %s", a.Gauge.Format(Round(above)), a.Gauge))
		}
	}
	return all
}

// Per says what a place holds more for each churned object.
func (p Place) Per(objects float64, churned int) string {
	n := float64(max(churned, 1))
	said := fmt.Sprintf("%.2f %s", objects/n, p.Series.Gauge)
	if p.Bytes > 0 {
		said += fmt.Sprintf(", %.0f B", p.Bytes/n)
	}
	return said
}

func others(n int) string {
	if n <= 0 {
		return ""
	}
	return fmt.Sprintf(" (and %d more)", n)
}

// Round keeps two digits of what is below one.
func Round(v float64) float64 {
	if v == 0 || math.Abs(v) >= 1 {
		return v
	}
	digits := math.Pow(10, 2-math.Ceil(math.Log10(math.Abs(v))))
	return math.Round(v*digits) / digits
}
