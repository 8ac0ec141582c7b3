package effects

import (
	"github.com/nodefv/nodefv/metrics/report"
	"github.com/nodefv/nodefv/scenarios/engine"
)

// Outcome is what became of a connection.
type Outcome struct {
	Kind OutcomeKind
	Seen string // of ConnectedFrom the address, of Failed the error
}

// OutcomeKind says how a connection ended.
type OutcomeKind string

// The kinds of outcomes.
const (
	Connected     OutcomeKind = "connected"
	ConnectedFrom OutcomeKind = "connected from" // another address than the sender's
	Dropped       OutcomeKind = "dropped"        // no answer
	Refused       OutcomeKind = "refused"
	Unplugged     OutcomeKind = "not plugged"                        // one of its pods has no veth, or not yet, or no more
	PassedLate    OutcomeKind = "passed after it was judged dropped" // it is dropped now, and was judged to be before, too early
	Failed        OutcomeKind = "failed"                             // for a reason that is none of these
	// Uncertain is that of a flow without an answer whose path is so bad, by order, that this says nothing.
	Uncertain OutcomeKind = "lost on an impaired path"
)

// String returns the outcome as it stands in facts.
func (o Outcome) String() string {
	switch o.Kind {
	case ConnectedFrom:
		return string(o.Kind) + " " + o.Seen
	case Failed:
		return o.Seen
	}
	return string(o.Kind)
}

// Answered reports whether something came back, be it a refusal.
func (o Outcome) Answered() bool {
	return o.Kind == Connected || o.Kind == ConnectedFrom || o.Kind == Refused
}

// Outcomes are what became of some flows.
type Outcomes map[Flow]Outcome

// silent are the facts on flows that had no answer.
func (o Outcomes) silent() map[report.Fact]bool {
	facts := map[report.Fact]bool{}
	for f, is := range o {
		if !is.Answered() {
			facts[f.fact()] = true
		}
	}
	return facts
}

// factsBeside are the facts, of which those that are uncertain are as they should be.
func (o Outcomes) factsBeside(want engine.Facts) engine.Facts {
	facts := o.facts()
	for f, is := range o {
		if is.Kind == Uncertain {
			facts[f.fact()] = want[f.fact()]
		}
	}
	return facts
}

func (o Outcomes) facts() engine.Facts {
	facts := make(engine.Facts, len(o))
	for f, is := range o {
		facts[f.fact()] = is.String()
	}
	return facts
}
