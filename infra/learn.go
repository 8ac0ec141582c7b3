package infra

import (
	"bytes"
	"context"
	"errors"
	"time"
)

const (
	// learnInterval is how often the log of an agent that is not ready is read.
	learnInterval = time.Second
	// lackingFor is how long an agent must go on complaining of a lack: it may well try before its kinds are served.
	lackingFor = 10 * time.Second
	// silence is how long an agent that says nothing of a lack lacks nothing any more; it complains each second.
	silence = 3 * time.Second
)

// errLacks is what keeps an agent from getting ready that has said itself what it can't go on without.
var errLacks = errors.New("the agent can't start")

// learner returns what reads an agent's log, from time to time and when it is ready: which version it says it is, and what it has said
// for so long that it can't go on without that it won't become ready.
func learner(target Target, agent Container) func(ctx context.Context, ready bool) (version, lacks string) {
	reader, ok := target.(LogReader)
	if !ok {
		return func(context.Context, bool) (string, string) { return "", "" }
	}
	var last time.Time
	var read int // bytes of the log
	var complaints struct {
		first, latest time.Time // zero: it does not complain
		from          int       // of the log
	}
	return func(ctx context.Context, ready bool) (version, lacks string) {
		if !ready && time.Since(last) < learnInterval {
			return "", ""
		}
		var log bytes.Buffer
		if err := agent.Logs(ctx, &log, false); err != nil {
			return "", "" // readiness is told by other means
		}
		last = time.Now()
		all, c := log.Bytes(), &complaints
		switch complains := reader.LacksIn(all[min(read, len(all)):]) != ""; {
		case complains && c.first.IsZero():
			c.first, c.latest, c.from = last, last, read
		case complains:
			c.latest = last
		case last.Sub(c.latest) > silence:
			c.first = time.Time{}
		}
		read = len(all)
		if !c.first.IsZero() && last.Sub(c.first) > lackingFor {
			lacks = reader.LacksIn(all[min(c.from, len(all)):])
		}
		return reader.VersionIn(all), lacks
	}
}

// AgentVersion returns what the agent says it is; empty: it does not.
func (e *Environment) AgentVersion() string { return e.facts().Version }

// facts are the target's, and what has been learned of the agent: what it says of its version counts before what the target takes it for.
func (e *Environment) facts() TargetFacts {
	facts := e.target.Facts()
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.version != "" {
		facts.Version = e.version
	}
	return facts
}
