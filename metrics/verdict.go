package metrics

import "fmt"

// Verdict is the outcome of a check, a scenario or a run. Its zero value is Inconclusive, so that a check
// which was never made can't pass.
type Verdict int

// The verdicts, from "we do not know" upwards.
const (
	Inconclusive Verdict = iota // the evidence is too weak, or the harness broke: nothing is said about the SUT
	Pass                        // every expectation held on sufficient evidence
	Fail                        // an expectation or a budget was broken, or the SUT died
	Skip                        // not run, for a stated reason
)

var verdictNames = [...]string{"inconclusive", "pass", "fail", "skip"}

// String returns the verdict's name as it stands in records.
func (v Verdict) String() string {
	if v < 0 || int(v) >= len(verdictNames) {
		return fmt.Sprintf("verdict(%d)", int(v))
	}
	return verdictNames[v]
}

// MarshalText writes the verdict's name.
func (v Verdict) MarshalText() ([]byte, error) { return []byte(v.String()), nil }

// UnmarshalText reads a verdict's name; an unknown one is an error.
func (v *Verdict) UnmarshalText(b []byte) error {
	for i, n := range verdictNames {
		if n == string(b) {
			*v = Verdict(i)
			return nil
		}
	}
	return fmt.Errorf("unknown verdict %q", b)
}

// Worst combines verdicts: one Fail makes Fail, else one Inconclusive makes Inconclusive, else one Pass makes
// Pass; only skips make Skip, and nothing at all is Inconclusive.
func Worst(vs ...Verdict) Verdict {
	if len(vs) == 0 {
		return Inconclusive
	}
	rank := [...]int{Inconclusive: 2, Pass: 1, Fail: 3, Skip: 0}
	worst := vs[0]
	for _, v := range vs[1:] {
		if rank[v] > rank[worst] {
			worst = v
		}
	}
	return worst
}
