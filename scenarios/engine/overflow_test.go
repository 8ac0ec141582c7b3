package engine

import (
	"strings"
	"testing"

	"github.com/nodefv/nodefv/metrics/report"
)

func TestOverflowDuringAScenarioIsFound(t *testing.T) {
	var found []report.Finding
	s := &run{Runner: &Runner{World: &World{}, Write: func(e report.Entry) { found = append(found, *e.Finding) }}}
	s.overflowed(s.overflows(), s.overflows())
	s.World.Overflows = func() (map[string]uint64, error) { return map[string]uint64{"arp": 3, "ndisc": 7}, nil }
	before := s.overflows()
	s.overflowed(before, s.overflows())
	if len(found) > 0 {
		t.Errorf("nothing overflowed, found %+v", found)
	}
	before["ndisc"] = 5
	s.overflowed(before, s.overflows())
	if len(found) != 1 || found[0].Kind != report.Overflow || !strings.Contains(found[0].Error, "2 times") || !strings.Contains(found[0].Error, "raise ndisc") {
		t.Errorf("found %+v", found)
	}
}
