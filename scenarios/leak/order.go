// Package leak churns objects up and down to the same state, cycle after cycle, and reads what the SUT and the kernel hold after each, so that
// metrics/leak can tell whether that grows, and metrics/sites where.
//
// It owns the kinds of churn, one file each, and what is read. It knows no SUT. What it makes in a cycle it removes in it.
package leak

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nodefv/nodefv/scenarios/engine"
	"github.com/nodefv/nodefv/workloads"
)

// Identities say whether the names and addresses of what is churned return.
const (
	Fresh = "fresh" // each cycle has new ones, as in a real cluster
	Same  = "same"  // each cycle has those of the first: what is kept by name hides
)

// Order says what is churned, and for how long.
type Order struct {
	Churn      string        `json:"churn"`                // one of Churns
	Objects    int           `json:"objects,omitempty"`    // in each cycle; 0: the churn's own number
	Identities string        `json:"identities,omitempty"` // Fresh or Same; empty: Fresh
	Cycles     int           `json:"cycles,omitempty"`     // end after so many; 0: only For ends it
	For        time.Duration `json:"for_ns,omitempty"`     // begin no cycle after this time; 0: only Cycles ends it
	UntilSure  bool          `json:"until_sure,omitempty"` // end at the first look that says leak or none
	See        float64       `json:"see,omitempty"`        // bytes of heap kept for each object that must be told from none; 0: the churn's own
}

// SeeBytes is the leak that a run must be able to see, in bytes for each churned object; of restarts, SeeRestartBytes.
const (
	SeeBytes        = 1 << 10
	SeeRestartBytes = 64 << 10
)

// churn is one way to bring objects and to remove them again.
type churn struct {
	name, doc string
	thing     string  // one object, in a word
	objects   int     // in each cycle, if the order does not say
	see       float64 // bytes of each that must be seen; 0: SeeBytes
	topology  workloads.Topology
	bare      bool // nothing stands meanwhile but the cluster
	needs     []workloads.Feature
	stand     func(context.Context, *engine.World) error // makes what stands besides; nil: a policy in each namespace
	// turn brings the objects of a cycle, or takes away what stands. Then all effects must hold, and what it returns undoes that; nil: that is done.
	turn func(context.Context, *engine.World, *course) (down func() error, err error)
}

var churns []churn

// register makes a kind of churn known; each file calls it once, when the package is initialised.
func register(c churn) bool {
	churns = append(churns, c)
	slices.SortFunc(churns, func(a, b churn) int { return strings.Compare(a.name, b.name) })
	return true
}

// Churns returns the names of all kinds of churn, each with what it does.
func Churns() (names, docs []string) {
	for _, c := range churns {
		names, docs = append(names, c.name), append(docs, c.doc)
	}
	return names, docs
}

// Possible returns the names of the kinds of churn that a SUT with some features can do.
func Possible(has func(workloads.Feature) bool) (names []string) {
	for _, c := range churns {
		if !slices.ContainsFunc(c.needs, func(f workloads.Feature) bool { return !has(f) }) {
			names = append(names, c.name)
		}
	}
	return names
}

// onNode is what a churn of pods and policies needs, ofRoutes what one of routes does.
var (
	onNode   = []workloads.Feature{workloads.PodNetwork}
	ofRoutes = []workloads.Feature{workloads.HTTPRouting}
)

// course is one run of an order: what its cycles share.
type course struct {
	order   Order
	churn   churn
	cycle   int // from 1
	objects int // in each cycle
	pods    []workloads.Pod
	reader  reader
}

// number tells the cycles' identities apart: 0 for all if names return.
func (c *course) number() int {
	if c.order.Identities == Same {
		return 0
	}
	return c.cycle
}

// successors returns as many pods as are churned, like these: new ones, or those of the first cycle.
func (c *course) successors(w *engine.World, like []workloads.Pod, count int) ([]workloads.Pod, error) {
	if c.pods != nil && c.order.Identities == Same {
		return c.pods, nil
	}
	if len(like) == 0 {
		return nil, fmt.Errorf("%s: there is no pod to take after", c.churn.name)
	}
	var old []workloads.Pod
	for i := range count {
		old = append(old, like[i%len(like)])
	}
	pods, err := w.Plan.Successors(old)
	c.pods = pods
	return pods, err
}

// Check completes an order, or says why it can't be carried out.
func (o Order) Check() (Order, error) {
	o.Identities = cmp.Or(o.Identities, Fresh)
	if o.Identities != Fresh && o.Identities != Same {
		return o, fmt.Errorf("identities %q: want %s or %s", o.Identities, Fresh, Same)
	}
	if o.Objects < 0 || o.Cycles < 0 || o.For < 0 || o.See < 0 {
		return o, fmt.Errorf("numbers of objects and cycles, times and sizes must not be negative")
	}
	if o.Cycles == 0 && o.For == 0 {
		return o, fmt.Errorf("neither a number of cycles nor a time ends it")
	}
	c, err := o.find()
	if err != nil {
		return o, err
	}
	o.See = cmp.Or(o.See, c.see, SeeBytes)
	return o, nil
}

func (o Order) find() (churn, error) {
	for _, c := range churns {
		if c.name == o.Churn {
			return c, nil
		}
	}
	names, _ := Churns()
	return churn{}, fmt.Errorf("unknown churn %q; there are: %s", o.Churn, strings.Join(names, ", "))
}
