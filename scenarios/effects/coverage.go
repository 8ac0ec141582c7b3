package effects

import (
	"fmt"
	"time"

	"github.com/nodefv/nodefv/metrics/report"
)

// longEnough is how long streams that could have been open must have been wanted until it is a fault that none was.
const longEnough = time.Second

// coverage is whether there was anything to be seen, and whether it was.
type coverage struct {
	most   int       // streams of a sample
	since  time.Time // there has been one to be opened
	ended  time.Time // none is sent any more; zero: they go on
	there  bool      // a comparison agreed while there was: both ends were there
	judged bool      // a packet was
}

// drawn notes that a sample has been drawn.
func (a *coverage) drawn(streams int, at time.Time) {
	if a.most = max(a.most, streams); streams > 0 && a.since.IsZero() {
		a.since = at
	}
}

// agreed notes that a comparison has agreed on a model with a sample of so many streams.
func (a *coverage) agreed(streams int) { a.there = a.there || streams > 0 }

// missed tells that streams were wanted and no packet of them was judged: who reads of a scenario that passed takes its packets for
// watched. If there was time enough for it, that is not known of the SUT, and no pass; else it is noted.
func (v *streamWatch) missed() (f report.Finding, missed bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	a := v.wanted
	if a.judged || a.most == 0 {
		return f, false
	}
	f = report.Finding{Kind: report.Expectation, Name: neverWrong}
	if a.ended.IsZero() {
		a.ended = time.Now()
	}
	lasted := a.ended.Sub(a.since)
	told := fmt.Sprintf("of up to %d streams that were wanted within %v no packet was judged", a.most, lasted.Round(time.Millisecond))
	if a.there && lasted >= longEnough {
		f.Error = told
	} else {
		f.Note = told
	}
	return f, true
}
