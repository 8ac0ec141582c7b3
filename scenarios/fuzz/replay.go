package fuzz

import (
	"context"
	"fmt"

	"github.com/nodefv/nodefv/scenarios/effects"
	"github.com/nodefv/nodefv/scenarios/engine"
)

// replay makes the operations of a failure again, each time on an empty cluster, and counts how often it comes back, and how often
// another does.
func (f *fuzzing) replay(ctx context.Context, w *engine.World) error {
	f.world = w
	effects.JudgeAll(w, "nothing is excused in a replay")
	recorded := f.Replay.Failure
	var same, other int
	var last *Failure
	for i := range f.Times {
		failure, err := f.trial(ctx, f.Replay.Batches, engine.DefaultBound, w.Note)
		switch {
		case err != nil:
			return err
		case failure == nil:
			f.means.Tell("replay %d of %d: passed", i+1, f.Times)
			continue
		case !recorded.known() || failure.like(recorded):
			same++
			f.means.Tell("replay %d of %d: failed: %v", i+1, f.Times, failure)
		default:
			other++
			f.means.Tell("replay %d of %d: failed for another reason than recorded: %v; recorded: %v", i+1, f.Times, failure, recorded)
		}
		last = failure
	}
	if told := compareAgents(f.Replay.Target, f.Target, same, other); told != "" {
		f.means.Tell("%s", told)
	}
	if last == nil {
		return nil
	}
	how := ""
	if other > 0 {
		how = fmt.Sprintf(", %d for another reason than recorded", other)
	}
	return fmt.Errorf("%d of %d replays failed%s, last by %v: %w", same+other, f.Times, how, last, engine.ErrBroken)
}

// compareAgents says what a replay on another agent than the recorded one tells of both; empty if it is the same, or
// not known.
func compareAgents(recorded, now Target, same, other int) string {
	if recorded.Versions[recorded.Name] == "" || recorded.agent() == now.agent() {
		return ""
	}
	told := fmt.Sprintf("recorded on %s, replayed on %s: ", recorded.agent(), now.agent())
	change := recorded.Own && !now.Own // of the user's, against what is pinned
	switch {
	case same > 0 && change:
		return told + "it fails on the unchanged agent too: a finding about " + now.Name + ", not about your change"
	case same > 0:
		return told + "it fails there too"
	case other > 0:
		return told + "it fails there for another reason"
	case change:
		return told + "it does not fail on the unchanged agent: look at your change"
	}
	return told + "it does not fail there"
}
