// Package report is the run's record: the data that a run leaves behind, the journal that keeps it while the
// run goes on, and the formats that people and tools read. One file per format.
//
// A Journal is safe for concurrent use; everything else is plain data and pure functions of it.
package report

import (
	"time"

	"github.com/nodefv/nodefv/metrics"
	"github.com/nodefv/nodefv/metrics/leak"
)

// Schema is the version of the record's layout. A reader refuses a newer one. Records of version 1 are read but for what was measured in them.
const Schema = 2

// Record is everything that a run left behind. Verdicts are a pure function of the rest (see engine.Judge). Its JSON has a schema in
// docs/run.schema.json, which is made of these types and their comments. Durations are in nanoseconds.
type Record struct {
	Schema    int              `json:"schema"`    // version of this layout
	Run       Run              `json:"run"`       // what was run, with what, and where
	Scenarios []Scenario       `json:"scenarios"` // in the order in which they began
	Points    []metrics.Point  `json:"points,omitempty"`
	Vitals    []metrics.Vitals `json:"vitals,omitempty"` // what may falsify figures, by time
	Events    []Event          `json:"events,omitempty"`
	Notes     []Note           `json:"notes,omitempty"` // of the user, in the order in which they were written
	// Environment is what of the machine bounds a load; absent: nobody looked.
	Environment *Environment    `json:"environment,omitempty"`
	Files       []string        `json:"files,omitempty"`    // logs and diagnostics beside the record, as paths within its folder
	Verdict     metrics.Verdict `json:"verdict"`            // of the whole run: the worst of all
	Reason      string          `json:"reason,omitempty"`   // of the verdict, in one line
	Validity    string          `json:"validity,omitempty"` // "sound", "degraded: …" with the scenarios, or empty: nobody watched; whether the figures can be believed
}

// Run says what was run, with what, and where.
type Run struct {
	ID         string            `json:"id"`                   // when it began, and some letters
	Started    time.Time         `json:"started"`              // the harness began to set the environment up
	Ended      time.Time         `json:"ended,omitzero"`       // absent: its end was not recorded
	Seed       uint64            `json:"seed"`                 // of all that is drawn
	Command    string            `json:"command"`              // repeats the run; {focus} stands for a scenario's name
	Focus      string            `json:"focus,omitempty"`      // the regular expression by which scenarios were chosen
	Target     string            `json:"target"`               // the SUT
	Runtime    string            `json:"runtime"`              // where containers run: "docker" or "local"
	Parameters map[string]string `json:"parameters,omitempty"` // of the harness, by name
	Ceilings   []metrics.Ceiling `json:"ceilings,omitempty"`   // budgets that the user set for the run
	Versions   map[string]string `json:"versions,omitempty"`   // component to version
	Known      []KnownIssue      `json:"known,omitempty"`      // issues of the SUT's release, which are excused
	Unexcused  string            `json:"unexcused,omitempty"`  // why some that are known of the SUT are not
	Machine    Machine           `json:"machine"`
}

// Machine is where the run took place.
type Machine struct {
	Kernel      string `json:"kernel"`           // its release
	OS          string `json:"os"`               // name and version of the distribution
	Arch        string `json:"arch"`             // as Go names it, such as "amd64"
	CPU         string `json:"cpu"`              // its model
	CPUs        int    `json:"cpus"`             // how many the harness may use
	MemoryBytes uint64 `json:"memory_bytes"`     // all there is
	Engine      string `json:"engine,omitempty"` // container engine and its version
}

// Scenario is one scenario's part of the record.
type Scenario struct {
	Name         string                `json:"name"`             // unique among those of a suite
	Doc          string                `json:"doc,omitempty"`    // what it does and proves, in a sentence
	Labels       []string              `json:"labels,omitempty"` // by which it is chosen
	Source       string                `json:"source,omitempty"` // file and line of the project that it is written in, such as "scenarios/pod_churn.go:15"
	Started      time.Time             `json:"started"`          // skipped or begun
	Ended        time.Time             `json:"ended,omitzero"`   // absent: it never ended, so it is inconclusive
	Steps        []Step                `json:"steps,omitempty"`
	Operations   []Operation           `json:"operations,omitempty"`
	Findings     []Finding             `json:"findings,omitempty"`
	Measurements []metrics.Measurement `json:"measurements,omitempty"`
	Courses      []metrics.Course      `json:"courses,omitempty"` // how something went, drawn as curves
	Budgets      []metrics.Budget      `json:"budgets,omitempty"`
	Leak         *leak.Trial           `json:"leak,omitempty"`        // what was read to learn whether the SUT leaks
	Skipped      string                `json:"skipped,omitempty"`     // why it was not run
	Unexcused    string                `json:"unexcused,omitempty"`   // why no known issue excuses anything in it
	Verdict      metrics.Verdict       `json:"verdict"`               // what follows from all the rest
	Reason       string                `json:"reason,omitempty"`      // of the verdict, in one line
	Validity     string                `json:"validity,omitempty"`    // "sound", "degraded: why" or empty: nobody watched; whether its figures can be believed
	Connections  *Connections          `json:"connections,omitempty"` // of one that failed
}

// Step is one execution of a step; a repeated step has one per cycle.
type Step struct {
	Name    string    `json:"name"`            // unique in the scenario
	Cycle   int       `json:"cycle,omitempty"` // from 1
	Started time.Time `json:"started"`         // its changes began
	Ended   time.Time `json:"ended,omitzero"`  // its effects held; absent: what broke the scenario broke it here
}

// Operation is a batch of equal changes made to the API or to the kernel.
type Operation struct {
	At      time.Time     `json:"at"`                // the first began
	Step    string        `json:"step,omitempty"`    // during which it was made
	Cycle   int           `json:"cycle,omitempty"`   // of the step
	Verb    string        `json:"verb"`              // such as "create pod", "plug", "delete namespace"
	Objects []string      `json:"objects,omitempty"` // at most 20 of them, as examples
	Count   int           `json:"count"`             // how many objects were changed
	Took    time.Duration `json:"took_ns"`           // until the last was acknowledged
	Rate    float64       `json:"rate,omitempty"`    // objects a second that were asked for; absent: as fast as possible
	Error   string        `json:"error,omitempty"`   // why it failed
}

// FindingKind says what a finding is about, and so who is to blame.
type FindingKind string

// The kinds of findings.
const (
	Expectation FindingKind = "expectation" // a probe compared with the model: its Differences decide
	Life        FindingKind = "life"        // the SUT exited, panicked, was killed or restarted unasked: a failure
	Harness     FindingKind = "harness"     // the harness or the environment broke: inconclusive
	Overflow    FindingKind = "overflow"    // the machine lost packets for want of room: inconclusive, whatever else was found
	Impairment  FindingKind = "impairment"  // links were made worse on purpose: if not as asked, inconclusive, whatever else was found
)

// Finding is one check's result as it was observed; whether it passes follows from it.
type Finding struct {
	At    time.Time     `json:"at"`                 // it was written down
	Kind  FindingKind   `json:"kind"`               // what it is about
	Step  string        `json:"step,omitempty"`     // during or after which it was found
	Cycle int           `json:"cycle,omitempty"`    // of the step
	Name  string        `json:"name"`               // the probe's name, or what broke
	Facts int           `json:"facts,omitempty"`    // how many facts were compared: those of both sides
	Took  time.Duration `json:"took_ns,omitempty"`  // until they agreed, or until the bound
	Bound time.Duration `json:"bound_ns,omitempty"` // for which they were waited for
	// Differences lists the facts that still differed at the bound, what explains the others first (see Rank), at most 50.
	Differences []Difference `json:"differences,omitempty"`
	Differing   int          `json:"differing,omitempty"` // how many facts differed, listed or not; more than 0 fails
	// Violations counts all violations by their class, those that are excused among them. So they can be excused otherwise than they were.
	Violations []ViolationCount `json:"violations,omitempty"`
	Excused    []Excused        `json:"excused,omitempty"`  // violations that a known issue of the SUT's release explains; they don't decide
	Packets    *PacketCounts    `json:"packets,omitempty"`  // of a check that judges packets
	Impaired   []Impaired       `json:"impaired,omitempty"` // what was made worse, of an impairment
	Note       string           `json:"note,omitempty"`     // what a reader should know though it decides nothing
	Log        []string         `json:"log,omitempty"`      // what the agent logged while those of its differences were that are over; of those that remain, its warnings and worse
	Stack      string           `json:"stack,omitempty"`    // of a scenario that panicked
	Error      string           `json:"error,omitempty"`    // why the probe could not be read (inconclusive), or what a finding of another kind is about
}

// Difference is one fact on which the model and the world disagree.
type Difference struct {
	Fact string `json:"fact"`           // in words
	Want string `json:"want,omitempty"` // what the model says; absent: the fact should not be there
	Got  string `json:"got,omitempty"`  // what was read; absent: the fact is missing

	Aspect  Aspect `json:"aspect,omitempty"`  // what of the SUT's work it is about
	Kind    Kind   `json:"kind,omitempty"`    // of its subject
	Subject string `json:"subject,omitempty"` // such as a pod, a set or a flow, in the words that name it
	Part    string `json:"part,omitempty"`    // what of the subject, such as a member of a set; absent: the subject itself
	Alike   int    `json:"alike,omitempty"`   // how many of the subject differ in the same way, this one among them; absent: it alone
	// From and Until are the first and the last time at which it was seen; zero unless it was over before it was told.
	From      time.Time  `json:"from,omitzero"`
	Until     time.Time  `json:"until,omitzero"`      // see From
	Violation *Violation `json:"violation,omitempty"` // the same of packets as data; absent: it is of another kind
}

// Event is something that the harness saw happen to a container.
type Event struct {
	At        time.Time `json:"at"`                  // it was seen
	Container string    `json:"container"`           // its role: agent, driver, etcd, apiserver, …
	What      string    `json:"what"`                // such as "exited", "restarted"
	ExitCode  int       `json:"exit_code,omitempty"` // of an exit
	OOM       bool      `json:"oom,omitempty"`       // it had too little memory
	Extra     bool      `json:"extra,omitempty"`     // the SUT runs it besides the agent
	Asked     bool      `json:"asked,omitempty"`     // the harness itself, or a scenario, asked for it
	Cause     string    `json:"cause,omitempty"`     // why, as far as its own log tells; see LastWords
	Log       []string  `json:"log,omitempty"`       // last lines
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
	Course      *metrics.Course      `json:"course,omitempty"`      // how something of the scenario went
	Connections *Connections         `json:"connections,omitempty"` // between pods, once the scenario has failed
	Leak        *leak.Trial          `json:"leak,omitempty"`        // takes the place of the one before
	Unexcused   string               `json:"unexcused,omitempty"`   // why nothing is excused in the scenario
	Point       *metrics.Point       `json:"point,omitempty"`
	Vitals      *metrics.Vitals      `json:"vitals,omitempty"`
	Event       *Event               `json:"event,omitempty"`
	Note        *Note                `json:"note,omitempty"`        // of the user
	Environment *Environment         `json:"environment,omitempty"` // read once more; counters as they stand
	End         *time.Time           `json:"end,omitempty"`         // the scenario ended; without a scenario: the run ended
}
