package report

import (
	"cmp"
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode"

	"github.com/nodefv/nodefv/metrics"
)

// Focus stands in Run.Command where the regular expression for the name of a scenario goes.
const Focus = "{focus}"

// Repeat returns the command that repeats a scenario of the run, fit for a shell.
func (r Run) Repeat(scenario string) string {
	return strings.ReplaceAll(r.Command, Focus, "'^"+strings.ReplaceAll(regexp.QuoteMeta(scenario), "'", `'\''`)+"$'")
}

// Duration returns how long the scenario took, or 0 if it was not run or never ended.
func (sc Scenario) Duration() time.Duration {
	if sc.Ended.IsZero() || sc.Skipped != "" {
		return 0
	}
	return sc.Ended.Sub(sc.Started)
}

// broken reports whether it neither passed nor was skipped.
func (sc Scenario) broken() bool {
	return sc.Verdict == metrics.Fail || sc.Verdict == metrics.Inconclusive
}

func (sc Scenario) includes(t time.Time) bool {
	return !t.Before(sc.Started) && (sc.Ended.IsZero() || !t.After(sc.Ended))
}

// deaths returns the exits that nobody asked for while the scenario ran.
func (rec Record) deaths(sc Scenario) []Event {
	var events []Event
	for _, e := range rec.Events {
		if e.Unasked() && sc.Skipped == "" && sc.includes(e.At) {
			events = append(events, e)
		}
	}
	return events
}

// strays returns the exits that nobody asked for outside of all scenarios.
func (rec Record) strays() []Event {
	var events []Event
next:
	for _, e := range rec.Events {
		for _, sc := range rec.Scenarios {
			if sc.Skipped == "" && sc.includes(e.At) {
				continue next
			}
		}
		if e.Unasked() {
			events = append(events, e)
		}
	}
	return events
}

// Unasked reports whether a program ended, and nobody asked for it.
func (e Event) Unasked() bool { return !e.Asked && (e.What == "exited" || e.OOM) }

// Describe tells an event in one line, why it was first. The target is what runs in the agent's container.
func (e Event) Describe(target string) string {
	who := e.Container
	if who == "agent" {
		who = cmp.Or(target, who)
	}
	if n, ok := strings.CutPrefix(who, InstancePrefix); ok {
		who = "instance " + n + " of " + cmp.Or(target, "agent")
	}
	if e.What != "exited" {
		return who + " " + e.What
	}
	code := fmt.Sprintf("exit code %d", e.ExitCode)
	switch {
	case e.OOM:
		return who + " died: out of memory, " + code
	case killers[e.ExitCode] != "":
		return who + " died: " + killers[e.ExitCode] + ", " + code
	case e.Cause != "":
		return who + " died: " + e.Cause + " (" + code + ")"
	}
	s := who + " died: " + code
	if n := len(e.Log); n > 0 {
		s += "; last log line: " + sentence(e.Log[n-1])
	}
	return s
}

// InstancePrefix begins the name of the container of an instance of the SUT besides the agent; its number follows.
const InstancePrefix = "agent-"

// killers are the signals that leave a program no last word, by the exit codes that they make.
var killers = map[int]string{137: "SIGKILL", 139: "SIGSEGV", 143: "SIGTERM"}

func orNothing(s string) string {
	if s == "" {
		return "nothing"
	}
	return s
}

// title says which check a finding is of.
func (f Finding) title() string {
	s := f.Name
	if f.Step != "" {
		s += fmt.Sprintf(", step %q", f.Step)
	}
	if f.Cycle > 0 {
		s += fmt.Sprintf(", cycle %d", f.Cycle)
	}
	return s
}

// broken says what is wrong with a finding; it is empty if nothing is.
func (f Finding) broken() string {
	switch {
	case f.Kind == Life:
		return "the SUT: " + f.Error
	case f.Kind == Harness:
		return "the harness: " + f.Error
	case f.Kind == Overflow:
		return "the machine: " + f.Error
	case f.Kind == Impairment:
		return f.Void()
	case f.Differing > 0:
		return f.extent()
	case f.Error != "":
		return "could not be read: " + f.Error
	}
	return ""
}

// details lists in plain lines what went wrong in a scenario, what explains the rest first.
func (rec Record) details(sc Scenario) []string {
	var lines []string
	for _, e := range rec.deaths(sc) {
		lines = append(lines, e.lines(rec.Run.Target)...)
	}
	for _, f := range ranked(sc.Findings) {
		if f.broken() == "" {
			continue
		}
		lines = append(lines, plain(f.title()+": "+f.broken()))
		folded, told := inLines(f.Differences)
		for _, line := range folded {
			lines = append(lines, "  "+plain(line))
		}
		if more := f.Differing - told; more > 0 && len(folded) > 0 {
			lines = append(lines, fmt.Sprintf("  and %d more", more))
		}
		lines = append(lines, quoted(f.Log)...)
	}
	return append(lines, sc.Remarks()...)
}

func (e Event) lines(target string) []string {
	return append([]string{plain(e.Describe(target) + " at " + e.At.UTC().Format(time.RFC3339))}, quoted(e.Log)...)
}

// quoted marks lines of a log.
func quoted(log []string) []string {
	var lines []string
	for _, l := range log {
		lines = append(lines, "  | "+plain(l))
	}
	return lines
}

var colours = regexp.MustCompile("\x1b\\[[0-9;]*m")

// plain makes one printable line of any text: log lines carry colours and worse.
func plain(s string) string {
	return strings.TrimRight(strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, colours.ReplaceAllString(strings.ToValidUTF8(s, "?"), "")), " ")
}

func short(d time.Duration) string {
	switch {
	case d == 0:
		return "–"
	case d < time.Second:
		return d.Round(time.Millisecond).String()
	}
	return d.Round(100 * time.Millisecond).String()
}
