package report

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/nodefv/nodefv/metrics/report/page"
)

// Environment is what of the machine bounds a load: settings of the kernel against what was needed of them, and which limits were hit.
type Environment struct {
	At       time.Time         `json:"at"`                 // it was first read
	Settings []Setting         `json:"settings,omitempty"` // those of the largest load
	Counters map[string]uint64 `json:"counters,omitempty"` // the kernel's counters of limits that were hit, as they were first
	Hit      map[string]uint64 `json:"hit,omitempty"`      // those that grew until it was last read, and by how much
}

// Setting is one of the kernel's, or a limit of a process.
type Setting struct {
	Name    string `json:"name"`              // such as "net.core.somaxconn"
	Value   string `json:"value"`             // as the kernel says it
	Has     uint64 `json:"has,omitempty"`     // what it amounts to, such as how many ports a range has
	Needs   uint64 `json:"needs,omitempty"`   // of it, by the load; absent: no load was made
	Command string `json:"command,omitempty"` // that mends it; absent: it suffices
	Doc     string `json:"doc,omitempty"`     // what it bounds
}

// Lacks reports whether a load needs more than there is.
func (s Setting) Lacks() bool { return s.Needs > s.Has }

// merge takes in another reading: the largest need of each setting, and what the counters have grown by.
func (e *Environment) merge(o Environment) {
	if e.At.IsZero() {
		*e = o
		return
	}
	for _, s := range o.Settings {
		i := slices.IndexFunc(e.Settings, func(have Setting) bool { return have.Name == s.Name })
		switch {
		case i < 0:
			e.Settings = append(e.Settings, s)
		case s.Needs >= e.Settings[i].Needs:
			e.Settings[i] = s
		}
	}
	for name, n := range o.Counters {
		if was, known := e.Counters[name]; known && n > was && n-was > e.Hit[name] {
			if e.Hit == nil {
				e.Hit = map[string]uint64{}
			}
			e.Hit[name] = n - was
		}
	}
}

// environment says what bounds a load here, and which limits were hit.
func (rec Record) environment() (facts []page.Fact) {
	e := rec.Environment
	if e == nil {
		return nil
	}
	for _, s := range e.Settings {
		value := s.Value
		if s.Needs > 0 {
			value += fmt.Sprintf("; the load needs %d", s.Needs)
		}
		if s.Command != "" {
			value += ": " + s.Command
		}
		facts = append(facts, page.Fact{Name: s.Name, Value: value})
	}
	return append(facts, page.Fact{Name: "limits that were hit", Value: e.hits()})
}

// hits are the limits that were hit, in words.
func (e *Environment) hits() string {
	var words []string
	for _, name := range slices.Sorted(maps.Keys(e.Hit)) {
		words = append(words, fmt.Sprintf("%s %d times", name, e.Hit[name]))
	}
	if len(words) == 0 {
		return "none"
	}
	return strings.Join(words, ", ")
}

func writeEnvironment(b *bytes.Buffer, rec Record) {
	if rec.Environment == nil {
		return
	}
	b.WriteString("\n| setting | is | the load needs | command that mends it |\n|---|---|---:|---|\n")
	for _, s := range rec.Environment.Settings {
		needs := ""
		if s.Needs > 0 {
			needs = fmt.Sprint(s.Needs)
		}
		fmt.Fprintf(b, "| %s | %s | %s | %s |\n", cell(s.Name), cell(s.Value), needs, cell(s.Command))
	}
	fmt.Fprintf(b, "\nLimits that were hit, by the kernel's counters: %s.\n", rec.Environment.hits())
}
