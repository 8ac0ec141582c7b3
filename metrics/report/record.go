// Package report is the run's record: the data that a run leaves behind, the journal that keeps it while the
// run goes on, and the formats that people and tools read. One file per format.
//
// A Journal is safe for concurrent use; everything else is plain data and pure functions of it.
package report

import (
	"time"

	"github.com/nodefv/nodefv/metrics"
)

// Schema is the version of the record's layout. A reader refuses a newer one. Records of version 1 are read but for what was measured in them.
const Schema = 2

// Record is everything that a run left behind. Verdicts are a pure function of the rest (see engine.Judge).
type Record struct {
	Schema    int             `json:"schema"`
	Run       Run             `json:"run"`
	Scenarios []Scenario      `json:"scenarios"`
	Points    []metrics.Point `json:"points,omitempty"`
	Events    []Event         `json:"events,omitempty"`
	Verdict   metrics.Verdict `json:"verdict"`
	Reason    string          `json:"reason,omitempty"`
}

// Run says what was run, with what, and where.
type Run struct {
	ID         string            `json:"id"`
	Started    time.Time         `json:"started"`
	Ended      time.Time         `json:"ended,omitzero"`
	Seed       uint64            `json:"seed"`
	Command    string            `json:"command"` // repeats the run
	Target     string            `json:"target"`
	Runtime    string            `json:"runtime"`
	Parameters map[string]string `json:"parameters,omitempty"`
	Versions   map[string]string `json:"versions,omitempty"`  // component to version
	Known      []KnownIssue      `json:"known,omitempty"`     // issues of the SUT's release, which are excused
	Unexcused  string            `json:"unexcused,omitempty"` // why none is, though some of the SUT are known
	Machine    Machine           `json:"machine"`
}

// Machine is where the run took place.
type Machine struct {
	Kernel      string `json:"kernel"`
	OS          string `json:"os"`
	Arch        string `json:"arch"`
	CPU         string `json:"cpu"`
	CPUs        int    `json:"cpus"`
	MemoryBytes uint64 `json:"memory_bytes"`
	Engine      string `json:"engine,omitempty"` // container engine and its version
}

// Scenario is one scenario's part of the record.
type Scenario struct {
	Name         string                `json:"name"`
	Doc          string                `json:"doc,omitempty"`
	Labels       []string              `json:"labels,omitempty"`
	Started      time.Time             `json:"started"`
	Ended        time.Time             `json:"ended,omitzero"` // zero: it never ended, so it is inconclusive
	Steps        []Step                `json:"steps,omitempty"`
	Operations   []Operation           `json:"operations,omitempty"`
	Findings     []Finding             `json:"findings,omitempty"`
	Measurements []metrics.Measurement `json:"measurements,omitempty"`
	Budgets      []metrics.Budget      `json:"budgets,omitempty"`
	Skipped      string                `json:"skipped,omitempty"` // why it was not run
	Verdict      metrics.Verdict       `json:"verdict"`
	Reason       string                `json:"reason,omitempty"`
}

// Step is one execution of a step; a repeated step has one per cycle, counted from 1.
type Step struct {
	Name    string    `json:"name"`
	Cycle   int       `json:"cycle,omitempty"`
	Started time.Time `json:"started"`
	Ended   time.Time `json:"ended,omitzero"`
}

// Operation is a batch of equal changes made to the API or to the kernel.
type Operation struct {
	At      time.Time     `json:"at"`
	Step    string        `json:"step,omitempty"`
	Cycle   int           `json:"cycle,omitempty"`
	Verb    string        `json:"verb"`              // such as "create pod", "plug", "delete namespace"
	Objects []string      `json:"objects,omitempty"` // at most 20 of them, as examples
	Count   int           `json:"count"`
	Took    time.Duration `json:"took_ns"`
	Error   string        `json:"error,omitempty"`
}

// FindingKind says what a finding is about, and so who is to blame.
type FindingKind string

// The kinds of findings.
const (
	Expectation FindingKind = "expectation" // a probe compared with the model: its Differences decide
	Life        FindingKind = "life"        // the SUT exited, panicked, was killed or restarted unasked: a failure
	Harness     FindingKind = "harness"     // the harness or the environment broke: inconclusive
	Overflow    FindingKind = "overflow"    // the machine lost packets for want of room: inconclusive, whatever else was found
)

// Finding is one check's result as it was observed; whether it passes follows from it.
type Finding struct {
	At    time.Time     `json:"at"`
	Kind  FindingKind   `json:"kind"`
	Step  string        `json:"step,omitempty"`
	Cycle int           `json:"cycle,omitempty"`
	Name  string        `json:"name"`              // the probe's name, or what broke
	Facts int           `json:"facts,omitempty"`   // how many facts were compared: those of both sides
	Took  time.Duration `json:"took_ns,omitempty"` // until they agreed, or until the bound
	Bound time.Duration `json:"bound_ns,omitempty"`
	// Differences lists the facts that still differed at the bound, what explains the others first (see Rank), at most 50; Differing is
	// their true number.
	Differences []Difference  `json:"differences,omitempty"`
	Differing   int           `json:"differing,omitempty"`
	Excused     []Excused     `json:"excused,omitempty"` // differences that a known issue of the SUT's release explains; they don't decide
	Packets     *PacketCounts `json:"packets,omitempty"` // of a check that judges packets
	// Note is what a reader should know though it decides nothing.
	Note string `json:"note,omitempty"`
	// Log is what the agent logged while those of its differences were that are over.
	Log []string `json:"log,omitempty"`
	// Error is why the probe could not be read (inconclusive), or the cause of a Life, Harness or Overflow finding.
	Error string `json:"error,omitempty"`
}

// Difference is one fact on which the model and the world disagree. An empty Want means that the fact should not
// be there; an empty Got that it is missing.
type Difference struct {
	Fact string `json:"fact"`
	Want string `json:"want,omitempty"`
	Got  string `json:"got,omitempty"`

	Aspect  Aspect `json:"aspect,omitempty"`
	Subject string `json:"subject,omitempty"` // see Topic
	Alike   int    `json:"alike,omitempty"`   // how many of the subject differ in the same way, this one among them; 0: it alone
	// From and Until are the first and the last time at which it was seen; zero unless it was over before it was told.
	From  time.Time `json:"from,omitzero"`
	Until time.Time `json:"until,omitzero"`
	// Violation says the same of packets as data; nil: it is of another kind.
	Violation *Violation `json:"violation,omitempty"`
}

// Event is something that the harness saw happen to a container.
type Event struct {
	At        time.Time `json:"at"`
	Container string    `json:"container"` // its role: agent, driver, etcd, apiserver, …
	What      string    `json:"what"`      // such as "exited", "restarted"
	ExitCode  int       `json:"exit_code,omitempty"`
	OOM       bool      `json:"oom,omitempty"`
	Extra     bool      `json:"extra,omitempty"` // the SUT runs it besides the agent
	Asked     bool      `json:"asked,omitempty"` // the harness itself, or a scenario, asked for it
	Cause     string    `json:"cause,omitempty"` // why, as far as its own log tells; see LastWords
	Log       []string  `json:"log,omitempty"`   // last lines
}

// Entry is one line of a journal: exactly one of its fields is set. Scenario-level entries name their scenario.
type Entry struct {
	Scenario    string               `json:"scenario,omitempty"`
	Run         *Run                 `json:"run,omitempty"`
	Begin       *Scenario            `json:"begin,omitempty"` // a scenario begins (or was skipped)
	Step        *Step                `json:"step,omitempty"`  // a step began, or (Ended set) ended
	Operation   *Operation           `json:"operation,omitempty"`
	Finding     *Finding             `json:"finding,omitempty"`
	Measurement *metrics.Measurement `json:"measurement,omitempty"` // adds to that of the same name, unit and labels in the scenario
	Point       *metrics.Point       `json:"point,omitempty"`
	Event       *Event               `json:"event,omitempty"`
	End         *time.Time           `json:"end,omitempty"` // the scenario ended; without a scenario: the run ended
}
