package report

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/nodefv/nodefv/metrics"
)

// leastFolded is how many scenarios must be skipped for the same reason to be told in one row.
const leastFolded = 3

// skips are scenarios that were skipped for the same reason.
type skips struct {
	reason string
	names  []string
}

// title stands where a scenario's name would.
func (s skips) title() string { return fmt.Sprintf("%d scenarios", len(s.names)) }

// rows tells which scenarios have a row of their own, in the order that is given, and which share one, those that were first skipped first. One that
// was asked for by its name has its own.
func (rec Record) rows(order []int) (own []int, shared []skips) {
	alike := map[string]int{}
	folds := func(sc Scenario) bool { return sc.Verdict == metrics.Skip && !rec.Run.named(sc.Name) }
	for _, sc := range rec.Scenarios {
		if folds(sc) {
			alike[sc.Reason]++
		}
	}
	for _, i := range order {
		sc := rec.Scenarios[i]
		if !folds(sc) || alike[sc.Reason] < leastFolded {
			own = append(own, i)
			continue
		}
		at := slices.IndexFunc(shared, func(s skips) bool { return s.reason == sc.Reason })
		if at < 0 {
			at, shared = len(shared), append(shared, skips{reason: sc.Reason})
		}
		shared[at].names = append(shared[at].names, sc.Name)
	}
	return own, shared
}

// named reports whether the focus of the run names a scenario in full: by itself, or as one of several.
func (r Run) named(scenario string) bool {
	words := strings.FieldsFunc(r.Focus, func(c rune) bool { return strings.ContainsRune("^$()|", c) })
	return slices.Contains(words, regexp.QuoteMeta(scenario))
}

// inOrder are the indexes of all scenarios.
func (rec Record) inOrder() []int {
	order := make([]int, len(rec.Scenarios))
	for i := range order {
		order[i] = i
	}
	return order
}
