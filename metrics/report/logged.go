package report

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// agentLog is where the harness keeps what the agent logged, within the record's folder.
const agentLog = "logs/agent.log"

const (
	// around is how long before and after a difference the agent's log is still of interest: its lines are later than what they tell of.
	around = 200 * time.Millisecond
	// maxLogged is how many lines of the log a finding bears.
	maxLogged = 40
)

// quote adds, to each finding that tells when its differences were, what the agent logged meanwhile; to each other that fails, the warnings and
// worse that it logged while agreement was waited for. A record without a log is left as it is.
func (rec *Record) quote(dir string) error {
	var timed []*Finding
	for i := range rec.Scenarios {
		for j := range rec.Scenarios[i].Findings {
			if f := &rec.Scenarios[i].Findings[j]; len(f.windows()) > 0 || f.waited() {
				timed = append(timed, f)
			}
		}
	}
	if len(timed) == 0 {
		return nil
	}
	file, err := os.Open(filepath.Join(dir, agentLog))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read the agent's log: %w", err)
	}
	defer func() { _ = file.Close() }() // it was only read
	for _, f := range timed {
		f.Log = nil
	}
	lines, more := bufio.NewReader(file), make([]int, len(timed))
	for {
		line, err := lines.ReadString('\n')
		if at, ok := stamp(line); ok {
			for i, f := range timed {
				switch {
				case !f.covers(at) && !(f.awaits(at) && f.waited() && severityOf(line) >= warning):
				case len(f.Log) < maxLogged:
					f.Log = append(f.Log, strings.TrimRight(line, "\r\n"))
				default:
					more[i]++
				}
			}
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return fmt.Errorf("read the agent's log: %w", err)
		}
	}
	for i, f := range timed {
		if more[i] > 0 {
			f.Log = append(f.Log, fmt.Sprintf("and %d more lines in %s", more[i], agentLog))
		}
	}
	return nil
}

// waited reports whether the finding fails by what was waited for in vain.
func (f Finding) waited() bool { return f.fails() && f.Took > 0 && len(f.windows()) == 0 }

// awaits reports whether agreement was waited for at a time.
func (f Finding) awaits(at time.Time) bool {
	return !at.Before(f.At.Add(-f.Took-around)) && !at.After(f.At.Add(around))
}

// windows returns the differences that were for a time.
func (f Finding) windows() []Difference { return windowsOf(f.Differences) }

// windowsOf returns those of differences that were for a time.
func windowsOf(all []Difference) []Difference {
	var some []Difference
	for _, d := range all {
		if !d.From.IsZero() {
			some = append(some, d)
		}
	}
	return some
}

// covers reports whether one of the differences was at about a time. It is asked of every line of a log, so it copies none.
func (f *Finding) covers(at time.Time) bool {
	for i := range f.Differences {
		d := &f.Differences[i]
		if !d.From.IsZero() && !at.Before(d.From.Add(-around)) && !at.After(d.Until.Add(around)) {
			return true
		}
	}
	return false
}

// stamps are the layouts of the times with which log lines begin, in UTC unless they say otherwise.
var stamps = []string{"2006-01-02 15:04:05.000", "2006-01-02T15:04:05.999999999Z07:00"}

// stamp reads the time with which a line of a log begins; false if it begins with none.
func stamp(line string) (time.Time, bool) {
	words := strings.SplitN(line, " ", 3)
	for _, layout := range stamps {
		n := strings.Count(layout, " ") + 1
		if len(words) < n {
			continue
		}
		if at, err := time.Parse(layout, strings.TrimRight(strings.Join(words[:n], " "), "\r\n")); err == nil {
			return at, true
		}
	}
	return time.Time{}, false
}
