package sites

import (
	"cmp"
	"slices"

	"github.com/nodefv/nodefv/metrics"
	"github.com/nodefv/nodefv/metrics/leak"
)

// Series are the tables of the same kind over a run's cycles. The zero value is empty. It is not safe for concurrent use.
type Series struct {
	cycles []float64
	tables []Table
}

// Add takes the table of a cycle, which is later than those before.
func (s *Series) Add(cycle int, t Table) {
	s.cycles, s.tables = append(s.cycles, float64(cycle)), append(s.tables, t)
}

// Last returns the newest table; the zero Table if there is none.
func (s *Series) Last() Table {
	if len(s.tables) == 0 {
		return Table{}
	}
	return s.tables[len(s.tables)-1]
}

// Cycles returns those whose tables were taken.
func (s *Series) Cycles() []float64 { return slices.Clone(s.cycles) }

// Growing is a site that holds more with each cycle.
type Growing struct {
	Site
	Objects, Bytes int64       // that it holds more in the last cycle than at the end of the warm-up
	Stack          []string    // of most of them, from the inside
	BytesPerCycle  float64     // on average
	Answer         leak.Answer // on its objects
	Values         []float64   // objects after each cycle
}

// Growing returns the sites whose objects grow, those with the most bytes first. level is the share of runs in which any of them may be named
// wrongly, whatever their number.
func (s *Series) Growing(level float64) []Growing {
	n := len(s.tables)
	if n == 0 {
		return nil
	}
	var all []Growing
	last := s.tables[n-1].Held
	for site, held := range last {
		values := make([]float64, n)
		for i, t := range s.tables {
			values[i] = float64(t.Held[site].Objects)
		}
		if values[n-1] <= values[n/2] {
			continue // most places: this costs less
		}
		a := leak.Judge(leak.Question{Gauge: "objects", Quantum: 1}, s.cycles, values, level/float64(len(last)))
		if a.Verdict != metrics.Fail {
			continue
		}
		begin := s.tables[a.WarmUp].Held[site]
		cycles := s.cycles[n-1] - s.cycles[a.WarmUp]
		all = append(all, Growing{
			Site: site, Objects: held.Objects - begin.Objects, Bytes: held.Bytes - begin.Bytes, Stack: held.Stack,
			BytesPerCycle: float64(held.Bytes-begin.Bytes) / cycles, Answer: a, Values: values,
		})
	}
	slices.SortFunc(all, func(a, b Growing) int {
		return cmp.Or(cmp.Compare(b.Bytes, a.Bytes), cmp.Compare(b.Objects, a.Objects), cmp.Compare(a.Site.String(), b.Site.String()))
	})
	return all
}
