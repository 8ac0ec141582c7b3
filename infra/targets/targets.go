// Package targets holds what the SUTs have in common: what each brings, by which words it is known, and the list of those that there are.
//
// A SUT is a package below this one, which registers itself. A target is immutable and safe for concurrent use.
package targets

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/nodefv/nodefv/infra"
	"github.com/nodefv/nodefv/infra/mutants"
	"github.com/nodefv/nodefv/metrics"
	"github.com/nodefv/nodefv/workloads"
)

// Options choose how a target is run. Each target refuses what it can't do.
type Options struct {
	DataPlane string   // how it programs the kernel; empty: its standard
	Version   string   // of the agent, such as "v3.31.0"; empty: unknown
	Extras    []string // words of the parts that are started besides
	Manifests []string // files, or folders of them, with its CRDs and its role; the driver needs none
	Command   []string // replaces the agent's command, for an image of the user's
	Settings  []workloads.Setting
	Env       map[string]string // more of the agent's environment, which wins over the target's
	Memory    int64             // limit on the agent's memory in bytes; 0: none
}

// Presentation is how pods are presented to a target.
type Presentation struct {
	// OneWrite: a pod's address is in what Decorate adds, so that it is one from its first write on. Else its status is written as well.
	OneWrite bool
	// Routes: the target routes to the pods. Else whoever plugs them does.
	Routes bool
	// Rejects: what policies deny is refused. Else it is dropped.
	Rejects bool
}

// Driven is the driver's half of what is specific to a SUT.
type Driven interface {
	HostInterface(namespace, pod string) string // name it expects for the host end of a pod's veth
	Decorate(obj any)                           // adds its annotations to a *corev1.Pod or *corev1.Node
	Presentation() Presentation
	// Gauges are our words for its metrics. Of those that every scenario looks at (see effects.Set) it may lack some.
	Gauges() map[metrics.Gauge]metrics.Selector
	Quiesce(ctx context.Context, addr netip.Addr) error // it releases what it can before an occupancy reading
	Features() []workloads.Feature                      // what some release of it has; of policies' kinds it has those that the cluster knows
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

// IsAgent reports whether a target is an agent of the node: it neither routes requests nor configures who does.
func IsAgent(t Target) bool {
	_, routes := t.(Router)
	_, configures := t.(Configurer)
	return !routes && !configures
}

// Has reports whether a target has a feature, as far as no cluster and no session decides that.
func Has(t Target, f workloads.Feature) bool {
	if f == workloads.PodNetwork {
		return IsAgent(t)
	}
	return slices.Contains(t.Features(), f)
}

// Component is a part of a target that is built, or given by the user.
type Component struct {
	Name     string   // a folder of docker/
	Title    string   // for people, such as "etcd"
	Module   string   // whose version is the component's
	Variable string   // FV_…IMAGE and FV_…COMMAND name an image of the user's and its command
	Extra    string   // the word that asks for it; empty: it always runs
	Doc      string   // of Extra
	Releases []string // that are built from modules, the pinned one last; empty: the pinned one alone
	Checkout bool     // it can be built from a checkout of its repository
	Given    bool     // it is never built: who asks for it gives it
	CRDs     bool     // it brings manifests: CRDs, and a role
}

// Info is what there is to know of a target before one is made.
type Info struct {
	Name       string
	DataPlanes []string    // how it can program the kernel; the first is its standard
	Components []Component // the first is the agent, whose name is the target's
	New        func(Options) (Target, error)
	Mutants    *mutants.Table // nil: none
}

// Agent is the component that is the agent.
func (i Info) Agent() Component { return i.Components[0] }

// Running returns the names of the components that run with these extras.
func (i Info) Running(extras []string) []string {
	var names []string
	for _, c := range i.Components {
		if c.Extra == "" || slices.Contains(extras, c.Extra) {
			names = append(names, c.Name)
		}
	}
	return names
}

var known []Info

// Register makes a target known; each package of one calls it once, when it is initialised.
func Register(i Info) bool {
	known = append(known, i)
	slices.SortFunc(known, func(a, b Info) int { return strings.Compare(a.Name, b.Name) })
	return true
}

// All returns what there is, by name.
func All() []Info { return slices.Clone(known) }

// Find returns what is known of the target of that name.
func Find(name string) (Info, error) {
	var names []string
	for _, i := range known {
		if i.Name == name {
			return i, nil
		}
		names = append(names, i.Name)
	}
	return Info{}, fmt.Errorf("unknown target %q; there are: %s", name, strings.Join(names, ", "))
}

// New returns the target of that name.
func New(name string, o Options) (Target, error) {
	i, err := Find(name)
	if err != nil {
		return nil, err
	}
	if o.DataPlane == "" {
		o.DataPlane = i.DataPlanes[0]
	}
	if !slices.Contains(i.DataPlanes, o.DataPlane) {
		return nil, fmt.Errorf("%s has no data plane %q; there are: %s", name, o.DataPlane, strings.Join(i.DataPlanes, ", "))
	}
	return i.New(o)
}
