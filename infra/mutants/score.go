package mutants

import (
	"fmt"
	"strings"
)

// Score counts a table's rows.
type Score struct {
	Classes      map[Class]Count `json:"classes"`
	Named        Count           `json:"named"`      // of those caught: the first line told names the cause
	FuzzAlone    []string        `json:"fuzz_alone"` // what the set passed and the fuzzer caught
	Escaped      []string        `json:"escaped"`    // without equivalents
	Inconclusive []string        `json:"inconclusive"`
	Unmet        []string        `json:"unmet"` // what escaped, and the SUT never came by what they change
	False        []string        `json:"false"` // equivalents that were caught: the claim is wrong, or the alarm
}

// Count is so many of so many.
type Count struct {
	Caught int `json:"caught"`
	Of     int `json:"of"`
}

func (c *Count) add(caught bool) {
	c.Of++
	if caught {
		c.Caught++
	}
}

func (c Count) String() string {
	if c.Of == 0 {
		return "none of 0"
	}
	return fmt.Sprintf("%d of %d (%d %%)", c.Caught, c.Of, 100*c.Caught/c.Of)
}

// NewScore counts the rows; the control is none.
func NewScore(rows []Row) Score {
	s := Score{Classes: map[Class]Count{}}
	for _, r := range rows {
		if r.Class == "" {
			continue
		}
		caught := r.Outcome == Caught
		c := s.Classes[r.Class]
		c.add(caught)
		s.Classes[r.Class] = c
		switch {
		case r.Class == Equivalent:
			if caught {
				s.False = append(s.False, r.Mutant)
			}
			continue
		case caught:
			s.Named.add(r.Named)
			if r.Stage == Fuzz {
				s.FuzzAlone = append(s.FuzzAlone, r.Mutant)
			}
		case r.Outcome == Escaped:
			s.Escaped = append(s.Escaped, r.Mutant)
			if !r.Passed {
				s.Unmet = append(s.Unmet, r.Mutant)
			}
		default:
			s.Inconclusive = append(s.Inconclusive, r.Mutant)
		}
	}
	return s
}

// InKernel counts the mutants that change what is programmed, those that open it included.
func (s Score) InKernel() Count {
	a, b := s.Classes[FailOpen], s.Classes[Programmed]
	return Count{Caught: a.Caught + b.Caught, Of: a.Of + b.Of}
}

// Lines tells the score.
func (s Score) Lines() []string {
	lines := []string{
		"caught of those that change what is programmed: " + s.InKernel().String(),
		"caught of those that fail open: " + s.Classes[FailOpen].String(),
		"caught of wrong gauges: " + s.Classes[Gauge].String(),
		"caught of leaks: " + s.Classes[Leak].String(),
		"the first line told names the cause: " + s.Named.String(),
	}
	for _, l := range []struct {
		title string
		names []string
	}{
		{"caught by the fuzzer alone", s.FuzzAlone},
		{"escaped", s.Escaped},
		{"escaped, and what they change was never run", s.Unmet},
		{"without a verdict", s.Inconclusive},
		{"equivalent, and yet caught", s.False},
	} {
		if len(l.names) > 0 {
			lines = append(lines, l.title+": "+strings.Join(l.names, ", "))
		}
	}
	return lines
}
