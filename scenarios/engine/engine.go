// Package engine runs scenarios and judges what they left in the record.
//
// It owns Scenario, Step, Probe, Expectation, the order in which a scenario unfolds, and Judge, which is a pure
// function of the record. It reaches the SUT, the kernel and the wire through the small interfaces in World, so it links
// neither netlink nor a container engine. One scenario runs at a time.
package engine

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/nodefv/nodefv/metrics"
	"github.com/nodefv/nodefv/metrics/report"
	"github.com/nodefv/nodefv/workloads"
	"github.com/nodefv/nodefv/workloads/kernel"
)

// Scenario is one load pattern with what must hold under it. It is a value: running it twice with one seed does
// the same twice.
type Scenario struct {
	Name     string // unique; lower case words
	Doc      string // one sentence
	Labels   []string
	Needs    []string // features that the target must have, else the scenario is skipped with that reason
	Timeout  time.Duration
	Topology workloads.Topology    // deployed before the first step
	Arrange  func(workloads.State) // gives the planned pods and namespaces labels and ports of its own before they are deployed; nil: none
	Load     workloads.Load        // how fast changes are made; zero: as fast as possible
	Steps    []Step
	Budgets  []metrics.Budget
	// Explain looks into what broke the scenario, after that was recorded and diagnosed and before anything is undone; the verdict
	// stays. It is not called once the SUT has died or the run has ended. nil: none.
	Explain func(context.Context, *World)
}

// Step is one part of a scenario. Besides its own, the effects that every scenario is checked for (see Effects)
// must hold after each execution.
type Step struct {
	Name   string
	Repeat int // cycles; 0 means one
	Do     func(context.Context, *World) error
	Moves  *Moves        // how many facts the step moves: all others must stay as they are, all the time; nil: not looked at
	Then   []Expectation // must hold, each within its bound, once Do is done
	Settle bool          // take a settled occupancy reading after each cycle

	Patience time.Duration // bound of the expectations that have none of their own; 0 means DefaultBound
}

// Facts are what a probe compares: fact to value. A fact that is absent from one side differs.
type Facts map[string]string

// Probe is one kind of observation. Want predicts it from the model alone; Got reads it from the world.
type Probe interface {
	Name() string
	Want(workloads.State) Facts
	Got(context.Context, *World) (Facts, error)
}

// Expectation is a probe whose facts must agree within a bound.
type Expectation struct {
	Probe  Probe
	Within time.Duration // 0 means the step's patience
}

// DefaultBound is how long facts may take to agree if neither expectation nor step says.
const DefaultBound = 30 * time.Second

// SUT is the system under test as the engine sees it.
type SUT interface {
	Gauges(ctx context.Context) (metrics.Snapshot, error) // one scrape of its own metrics
	Quiesce(ctx context.Context) error                    // asks it to release what it can
	Shows(metrics.Gauge) bool                             // it has a metric for it
	HasFeature(name string) bool
}

// Kernel is the node's kernel state.
type Kernel interface {
	Routes() (map[string]string, error) // host routes: prefix to interface
	Links() ([]string, error)
	Programmed(ctx context.Context) (*kernel.State, error) // rules, sets and interfaces
}

// Outcome is what became of a connection.
type Outcome string

// The outcomes of a connection.
const (
	Connected Outcome = "connected"
	Dropped   Outcome = "dropped" // no answer
	Refused   Outcome = "refused"
)

// End is one end of a flow.
type End struct {
	workloads.Key // the zero Key is the local node itself
	Addr          netip.Addr
	Remote        bool // on another node
}

// String returns the pod's namespace and name, or "node".
func (e End) String() string {
	if e.Key == (workloads.Key{}) {
		return "node"
	}
	return e.Key.String()
}

// Flow is one TCP connection, or one UDP datagram and its answer, over the local node: its ends are the node, its pods that have a
// veth, and one pod of another node at most.
type Flow struct {
	From, To End
	Protocol corev1.Protocol
	Port     uint16
}

// String returns the flow as it stands in facts.
func (f Flow) String() string { return fmt.Sprintf("%s > %s %s", f.From, f.To, f.way()) }

// way is protocol, family and port.
func (f Flow) way() string {
	family := strings.ToLower(string(f.Protocol))
	if f.To.Addr.Is6() {
		family += "6"
	}
	return fmt.Sprintf("%s/%d", family, f.Port)
}

// Connector makes real connections.
type Connector interface {
	Connect(ctx context.Context, flows []Flow) (map[Flow]Outcome, error)
}

// Node is what the SUT decides of traffic between its own node and the pods there whatever the policies say.
type Node struct {
	Addr    netip.Addr // the node's
	Sends   bool       // what the node sends reaches its pods; else their policies decide
	Listens bool       // pods reach the node if their policies let them; else never
}

// Agent is the SUT's program on the node.
type Agent interface {
	Stop(ctx context.Context) error  // kills it, for as long as Start is not called; then its end is no death
	Start(ctx context.Context) error // returns once it is ready
}

// Restarts is the need of a scenario that stops and starts the Agent.
const Restarts = "restart of the agent"

// Routing is the need of a scenario in which the SUT alone can know to which pod an address leads.
const Routing = "routing to pods"

// World is what a running scenario acts on.
type World struct {
	Fleet         *workloads.Fleet
	Plan          *workloads.Plan
	Rand          *rand.Rand // seeded; the same draws for the same seed
	SUT           SUT
	Kernel        Kernel
	Programmer    Programmer // nil: the target can't say what it programs
	Layout        *Layout    // of the release's rules; nil: the Programmer is known to fit it
	Connector     Connector
	Node          *Node           // nil: traffic of the node itself is not looked at
	Streamer      Streamer        // nil: no packets are sent but those of Connector
	Converser     Converser       // nil: no established flows are watched
	Wake          <-chan struct{} // fires when the kernel announced a change; nil: poll
	HostInterface func(namespace, pod string) string
	Routed        bool // the SUT routes to the pods; else whoever plugs them does
	Rejects       bool // the SUT refuses what policies deny, and does not only drop it: both count as dropped
	// Overflows counts the packets that the machine lost for want of room, by the setting that limits it; nil: not known. If there were
	// some during a scenario, it is inconclusive.
	Overflows func() (map[string]uint64, error)
	// Known are the issues of the SUT's release that are written down: what they explain of packets is excused, unless JudgeAll was called.
	Known []report.KnownIssue
	// Tracked tells of each address that is asked for which connections the node's kernel tracks that begin there, or whose answers do; nil:
	// the SUT does not promise to forget those of addresses that are gone.
	Tracked func(asked func(netip.Addr) bool) (map[netip.Addr][]string, error)
	Agent   Agent // nil: it can't be stopped, see Restarts and Away
	// Freeze keeps the SUT's program from running while it is done, as a machine does that has no processor for it; never nil. See Away.
	Freeze func(do func() error) error
	Cycle  int // of the running step, from 1
	// Converge checks every effect in the midst of a step, as is done after it. A step returns its error.
	Converge func(context.Context) error
	// Note records a finding under the running step, for a step that compares by itself (see Check).
	Note func(report.Finding)

	witness *witness           // nil: no streams
	record  func(report.Entry) // of the running scenario
}

// Measure records what a scenario or an effect measured. What has the same name, unit and labels adds up.
func (w *World) Measure(m metrics.Measurement) { w.record(report.Entry{Measurement: &m}) }
