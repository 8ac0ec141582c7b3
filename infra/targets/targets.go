// Package targets holds the SUTs, one file each: what to start, what to install, and how each names what it programs.
//
// It is the only SUT-specific code. A target is immutable and safe for concurrent use.
package targets

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/nodefv/nodefv/infra"
	"github.com/nodefv/nodefv/metrics"
)

// Options choose how a target is run. Each target refuses what it can't do.
type Options struct {
	DataPlane string            // how it programs the kernel; empty: its standard
	Version   string            // of the agent, such as "v3.31.0"; empty: unknown
	Typha     bool              // put Typha between the API server and Felix
	Manifests []string          // files, or folders of them, with its CRDs and its role; the driver needs none
	Command   []string          // replaces the agent's command, for an image of the user's
	Settings  []string          // words for how the agent shall behave; see NoResync and what follows it
	Env       map[string]string // more of the agent's environment, which wins over the target's
	Memory    int64             // limit on the agent's memory in bytes; 0: none
}

// The words for how an agent can be told to behave, each of which a target may know.
const (
	NoResync         = "no resync"         // it never looks again at what it has programmed
	Panics           = "panics"            // it panics some seconds after its start
	CalculationHangs = "calculation hangs" // it stops working on what it hears, some seconds after its start
	DataPlaneHangs   = "data plane hangs"  // it stops programming, some seconds after its start
)

// ForgetsConnections is the feature of a target that removes the kernel's connection tracking of addresses that its pods lose.
const ForgetsConnections = "forgets-connections"

// Driven is the driver's half of what is specific to a SUT.
type Driven interface {
	HostInterface(namespace, pod string) string         // name it expects for the host end of a pod's veth
	Decorate(obj any)                                   // adds its annotations to a *corev1.Pod or *corev1.Node
	Gauges() map[metrics.Gauge]metrics.Selector         // our words for its metrics
	Quiesce(ctx context.Context, addr netip.Addr) error // it releases what it can before an occupancy reading
	Features() []string                                 // what some release of it has; of policies' kinds it has those that the cluster knows
}

// Host is a target that decides by its own rules what passes between its node and the pods there: whether what the node sends
// reaches them whatever their policies say, and whether they reach the node if their policies let them (else they never do).
type Host interface {
	NodeTraffic() (sends, listens bool)
}

// Target is both halves.
type Target interface {
	infra.Target
	Driven
}

var known = map[string]func(Options) (Target, error){}

// register makes a target known; each file calls it once, when the package is initialised.
func register(name string, make func(Options) (Target, error)) bool {
	known[name] = make
	return true
}

// New returns the target of that name.
func New(name string, o Options) (Target, error) {
	make, ok := known[name]
	if !ok {
		return nil, fmt.Errorf("unknown target %q; there are: %s", name, strings.Join(slices.Sorted(maps.Keys(known)), ", "))
	}
	return make(o)
}
