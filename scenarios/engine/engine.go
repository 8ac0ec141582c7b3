// Package engine runs scenarios and judges what they left in the record.
//
// It owns Scenario, Step, Probe, the order in which a scenario unfolds, and Judge, which is a pure function of the record.
// It knows no policy and no packet: what must hold comes as Effects, and it reaches the SUT through the small interfaces in
// World. So it links neither netlink nor a container engine. One scenario runs at a time.
package engine

import (
	"context"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/nodefv/nodefv/metrics"
	"github.com/nodefv/nodefv/metrics/report"
	"github.com/nodefv/nodefv/workloads"
)

// Scenario is one load pattern with what must hold under it. It is a value: running it twice with one seed does
// the same twice.
type Scenario struct {
	Name     string // unique; lower case words
	Doc      string // one sentence
	Source   string // file and line that it is written in, such as "scenarios/pod_churn.go:15"; empty: not known
	Labels   []Label
	Needs    []workloads.Feature // else the scenario is skipped with that reason
	Timeout  time.Duration
	Topology workloads.Topology     // deployed before the first step
	Arrange  func(*workloads.State) // gives the planned pods and namespaces labels and ports of its own before they are deployed; nil: none
	Load     workloads.Load         // how fast changes are made; zero: as fast as possible
	// Instances of the SUT run side by side during the scenario; 0: one. Where the SUT can't, the scenario is skipped with that reason.
	Instances int
	Steps     []Step
	Budgets   []metrics.Budget
	// Explain looks into what broke the scenario, after that was recorded and diagnosed and before anything is undone; the verdict
	// stays. It is not called once the SUT has died or the run has ended. nil: none.
	Explain func(context.Context, *World)
}

// Begin is the scenario's part of the record as it begins.
func (sc Scenario) Begin(at time.Time) *report.Scenario {
	return &report.Scenario{Name: sc.Name, Doc: sc.Doc, Labels: sc.LabelNames(), Source: sc.Source, Started: at, Budgets: sc.Budgets}
}

// LabelNames returns the labels as plain words.
func (sc Scenario) LabelNames() []string {
	names := make([]string, 0, len(sc.Labels))
	for _, l := range sc.Labels {
		names = append(names, string(l))
	}
	return names
}

// Label is a word by which scenarios are chosen.
type Label string

// Step is one part of a scenario. After each execution the world's Effects must hold.
type Step struct {
	Name   string
	Repeat int // cycles; 0 means one
	Do     func(context.Context, *World) error
	Moves  Moves // what the step moves: all else must stay as it is, all the time; nil: not looked at
	Settle bool  // take a settled occupancy reading after each cycle
	// Read looks at what is there after each cycle, once the effects hold; nil: nothing more.
	Read func(context.Context, *World) error
	// Enough is asked after each cycle and ends the step before Repeat does; nil: it does not.
	Enough func() bool

	Patience time.Duration // how long each effect may take to hold; 0 means DefaultBound
}

// Moves is a step's own prediction of what it moves.
type Moves interface {
	// Watch begins to watch what must not move, just before the step, and returns once all of it has been looked at.
	Watch(context.Context, *World) Motion
}

// ManyWatched is a Watch of a SUT of several instances. What Leave and Back note is of the first.
type ManyWatched interface {
	Watch
	// Instance returns what judges the n-th, from 1.
	Instance(n int) Watch
}

// Motion is what is watched during a step.
type Motion interface {
	// Judge ends the watch and tells note what moved that should not have. Its error wraps ErrBroken if something did.
	Judge(ctx context.Context, note func(report.Finding)) error
	// End ends the watch, if Judge has not, and waits until it has ended.
	End()
}

// Facts are what a probe compares: fact to value. A fact that is absent from one side differs.
type Facts map[report.Fact]string

// Probe is one kind of observation. Want predicts it from the model alone. Got reads it from the world: of the model it knows no more
// than the state that it is given, which is that of Want.
type Probe interface {
	Name() string
	Want(workloads.State) Facts
	Got(context.Context, workloads.State) (Facts, error)
}

// Tentative is a probe of which it must be found out whether it applies to the SUT at all.
type Tentative interface {
	Probe
	// Doubtful reports whether that is still open.
	Doubtful() bool
	// ExpectAmong does what World.Expect does, and decides beside the other effects what it means. It is called while Doubtful.
	ExpectAmong(ctx context.Context, w *World, others []Probe, patience time.Duration, note func(report.Finding)) error
}

// DefaultBound is how long facts may take to agree if the step does not say.
const DefaultBound = 30 * time.Second

// Effects are what must hold in every scenario without being asked for.
type Effects interface {
	// Ready must hold before anything is deployed.
	Ready(*World) []Probe
	// Always must hold after every step, in the order in which they explain each other.
	Always(*World) []Probe
	// Residue reads what is there before anything is deployed, and returns what wants it to be all that is left at the end.
	Residue(*World) (Probe, error)
	// Watch begins to judge what can be judged all along; nil: nothing.
	Watch(context.Context, *World) Watch
}

// Watch judges all along, from the beginning of a scenario to its end.
type Watch interface {
	// Agreed notes that all effects, compared from that time on, have agreed.
	Agreed(since time.Time)
	// Tell tells note what was seen since the last call. Its error wraps ErrBroken if that was wrong.
	Tell(note func(report.Finding)) error
	// Leave and Back note that the SUT's program is kept from running, and that it runs again.
	Leave()
	Back()
	// Stop ends what is looked at. It is called once.
	Stop()
	// Drain waits until all is known that was looked at so far, and tells what Tell has not told yet. After Stop, that is all.
	Drain(note func(report.Finding)) error
}

// SUT is the system under test as the engine sees it.
type SUT interface {
	Gauges(ctx context.Context) (metrics.Snapshot, error) // one scrape of its own metrics
	Quiesce(ctx context.Context) error                    // asks it to release what it can
	Shows(metrics.Gauge) bool                             // it has a metric for it
	HasFeature(workloads.Feature) bool
}

// Agent is the SUT's program on the node.
type Agent interface {
	Stop(ctx context.Context) error  // kills it, for as long as Start is not called; then its end is no death
	End(ctx context.Context) error   // the same, but asks it to end before it kills it
	Start(ctx context.Context) error // returns once it is ready
}

// Upgradable is an Agent that can be started in several releases, if the harness has them; see workloads.Upgrades.
type Upgradable interface {
	Agent
	Releases() []string                                // first the one that runs when a scenario begins
	Make(ctx context.Context, release string) error    // what it is started from, which may take minutes
	StartAs(ctx context.Context, release string) error // Start in another release, which it has from then on
}

// World is what a step may use.
type World struct {
	Fleet   *workloads.Fleet
	Plan    *workloads.Plan
	Rand    *rand.Rand // seeded; the same draws for the same seed
	SUT     SUT
	Effects Effects
	Agent   Agent // nil: it can't be stopped, see workloads.Restarts and Away
	// Others are the SUT's instances besides Agent, which is the first; see Scenario.Instances and AwayOf.
	Others []Agent
	// Freeze keeps the SUT's program from running while it is done, as a machine does that has no processor for it; never nil. See Away.
	Freeze func(do func() error) error
	Wake   <-chan struct{} // fires when the kernel announced a change; nil: poll
	// Overflows counts what the machine lost for want of room, by the setting that limits it; nil: not known. If there was
	// some during a scenario, it is inconclusive.
	Overflows func() (map[string]uint64, error)
	Cycle     int // of the running step, from 1

	run   *run  // nil: no scenario runs
	watch Watch // nil: nothing is judged all along
	waits atomic.Pointer[string]
}

// WaitsFor tells in some words which expectation does not hold yet; empty: none is waited for. It is safe for concurrent use.
func (w *World) WaitsFor() string {
	if what := w.waits.Load(); what != nil {
		return *what
	}
	return ""
}

// Converge checks every effect in the midst of a step, as is done after it. A step returns its error.
func (w *World) Converge(ctx context.Context) error { return w.Check(ctx, 0, w.Note) }

// Note records a finding under the running step, for a step that compares by itself (see Check). Without a running scenario it does nothing.
func (w *World) Note(f report.Finding) {
	if w.run != nil {
		w.run.find(f)
	}
}

// Record writes an entry down under the running scenario. Without one it does nothing.
func (w *World) Record(e report.Entry) {
	if w.run != nil {
		e.Scenario = w.run.sc.Name
		w.run.Write(e)
	}
}

// Measure records what a scenario or an effect measured. What has the same name, unit and labels adds up.
func (w *World) Measure(m metrics.Measurement) { w.Record(report.Entry{Measurement: &m}) }

// Watching returns what judges all along; nil: nothing.
func (w *World) Watching() Watch { return w.watch }
