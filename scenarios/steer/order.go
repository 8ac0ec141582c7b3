// Package steer lets a user steer a cluster that stands: start and stop traffic and churn, impair a link or one connection, put policies in
// force, take the agent away. It tells how all stands meanwhile, and can do again what was done.
//
// It owns the orders, which are data, the session that carries them out in a scenario, what is told of it, and the source of a scenario that
// repeats it. It knows neither page nor wire. A Session is safe for concurrent use; orders are carried out one after the other.
package steer

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nodefv/nodefv/scenarios/effects"
	"github.com/nodefv/nodefv/scenarios/leak"
	"github.com/nodefv/nodefv/workloads/load"
)

// Order is one thing to do: exactly one of its fields besides After is set.
type Order struct {
	After time.Duration `json:"after,omitzero"` // when it is due, from the beginning; only Replay heeds it

	Traffic      *Traffic `json:"traffic,omitempty"`     // start it
	StopTraffic  string   `json:"stopTraffic,omitempty"` // by its name
	Impair       *Impair  `json:"impair,omitempty"`      // put it in force, or change the one of its name
	Mend         string   `json:"mend,omitempty"`        // the impairment of that name; Everything: all
	Churn        *Churn   `json:"churn,omitempty"`       // start it, or change its pace
	StopChurn    string   `json:"stopChurn,omitempty"`   // by its kind
	Policy       *Policy  `json:"policy,omitempty"`      // put it in force
	RemovePolicy string   `json:"removePolicy,omitempty"`
	Agent        *Agent   `json:"agent,omitempty"`
}

// Everything is the name of all impairments.
const Everything = "*"

// Traffic is continuous traffic: connections, spread over all pairs of who talks with whom. Pods are named as Short does.
type Traffic struct {
	Name        string        `json:"name"`
	Pattern     Pattern       `json:"pattern"`
	From        string        `json:"from,omitempty"` // pod; of OnePair
	To          string        `json:"to,omitempty"`   // pod; of OnePair and AllToOne
	Protocol    load.Protocol `json:"protocol"`
	Connections int           `json:"connections,omitempty"` // of each pair; 0: 1
	Rate        float64       `json:"rate"`                  // messages a second, of each connection
	Size        int           `json:"size,omitempty"`        // bytes of a message; 0: 64
	Budget      load.Budget   `json:"budget,omitzero"`       // what it may suffer; only Replay heeds it
}

// Pattern says who talks with whom.
type Pattern string

// The patterns.
const (
	OnePair    Pattern = "pair"       // From with To
	AllToOne   Pattern = "all to one" // every pod of this node with To
	Namespaces Pattern = "namespaces" // in each namespace, every pod with the first that is on this node
	Ring       Pattern = "ring"       // every pod of this node with the next
)

// Impair makes a path worse: one connection of traffic, the link between two pods, or all of a pod's packets.
type Impair struct {
	Name       string `json:"name"`
	Traffic    string `json:"traffic,omitempty"`    // with Connection: that connection of it
	Connection int    `json:"connection,omitempty"` // its number
	From       string `json:"from,omitempty"`       // pod; with To: what both say to each other; alone: all of its packets
	To         string `json:"to,omitempty"`
	Way        Way    `json:"way"`
	effects.Quality
}

// Way is which packets are impaired, as who begins the connection sees it; of a pod, as the pod does.
type Way string

// The ways. The zero Way is There.
const (
	There Way = "there"
	Back  Way = "back"
	Both  Way = "both"
)

// Churn is what comes and goes, again and again, besides what stands.
type Churn struct {
	Kind    string        `json:"kind"` // one of leak.Kinds
	Objects int           `json:"objects,omitempty"`
	Every   time.Duration `json:"every"` // how long a cycle takes at least
}

// Policy says who may talk to pods of a namespace.
type Policy struct {
	Name      string `json:"name"`
	Namespace string `json:"namespace"`
	Role      string `json:"role,omitempty"` // of the pods; empty: all of them
	Let       string `json:"let"`            // Nobody, Neighbours, or a role of pods of any namespace
}

// Whom a policy lets talk, besides roles.
const (
	Nobody     = "nobody"
	Neighbours = "namespace" // pods of the same namespace
)

// Agent does something to the agent, for a time.
type Agent struct {
	Do  AgentDeed     `json:"do"`
	For time.Duration `json:"for,omitzero"` // 0: no longer than it takes
}

// AgentDeed is what is done to the agent.
type AgentDeed string

// What can be done to the agent: it is killed and started again after the time, or stopped by a signal for it.
const (
	Restart AgentDeed = "restart"
	Freeze  AgentDeed = "freeze"
)

// The bounds of orders: what a page can show, and what cannot be waited for.
const (
	MostConnections = 1000
	LongestAway     = time.Minute
	shortestCycle   = 100 * time.Millisecond
)

// Check says what is wrong with the order, all at once, as far as that can be known without a cluster.
func (o Order) Check() error {
	var errs []error
	wrong := func(bad bool, format string, args ...any) {
		if bad {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	wrong(o.count() != 1, "an order says one thing to do, this one says %d", o.count())
	if t := o.Traffic; t != nil {
		wrong(t.Name == "", "traffic needs a name")
		wrong(!slices.Contains([]Pattern{OnePair, AllToOne, Namespaces, Ring}, t.Pattern), "pattern %q is not known", t.Pattern)
		wrong(t.Pattern == OnePair && (t.From == "" || t.From == t.To), "say which two pods are to talk")
		wrong((t.Pattern == OnePair || t.Pattern == AllToOne) && t.To == "", "say to which pod")
		wrong(t.Connections < 0 || t.Connections > MostConnections, "%d connections: there may be up to %d", t.Connections, MostConnections)
		wrong(!(t.Rate > 0 && t.Rate <= 10_000), "a rate of %g messages a second: want more than 0, and up to 10000", t.Rate)
		spec := load.Spec{Pairs: []load.Pair{{}}, Protocol: t.Protocol, Size: t.Size}
		errs = append(errs, spec.Check())
	}
	if i := o.Impair; i != nil {
		wrong(i.Name == "" || i.Name == Everything, "an impairment needs a name, which may not be %s", Everything)
		wrong(i.Traffic == "" && i.From == "", "say what is to be impaired: a connection, a link or a pod")
		wrong(!slices.Contains([]Way{"", There, Back, Both}, i.Way), "way %q: want %s, %s or %s", i.Way, There, Back, Both)
		errs = append(errs, i.Quality.Check())
	}
	if c := o.Churn; c != nil {
		kinds, _ := leak.Kinds()
		wrong(!slices.Contains(kinds, c.Kind), "churn %q: there are %s", c.Kind, strings.Join(kinds, ", "))
		wrong(c.Every < shortestCycle, "a cycle each %v: want %v at least", c.Every, shortestCycle)
		wrong(c.Objects < 0 || c.Objects > 1000, "%d objects: want up to 1000", c.Objects)
	}
	if p := o.Policy; p != nil {
		wrong(p.Name == "" || p.Namespace == "" || p.Let == "", "a policy needs a name, a namespace and whom it lets in")
	}
	if a := o.Agent; a != nil {
		wrong(a.Do != Restart && a.Do != Freeze, "the agent: %q is neither %s nor %s", a.Do, Restart, Freeze)
		wrong(a.For < 0 || a.For > LongestAway, "%v: the agent may be away for %v at most", a.For, LongestAway)
	}
	return errors.Join(errs...)
}

func (o Order) count() (n int) {
	for _, set := range []bool{
		o.Traffic != nil, o.StopTraffic != "", o.Impair != nil, o.Mend != "", o.Churn != nil, o.StopChurn != "", o.Policy != nil, o.RemovePolicy != "", o.Agent != nil,
	} {
		if set {
			n++
		}
	}
	return n
}

// String says the order in words.
func (o Order) String() string {
	switch {
	case o.Traffic != nil:
		return o.Traffic.String()
	case o.StopTraffic != "":
		return "stop traffic " + o.StopTraffic
	case o.Impair != nil:
		return o.Impair.String()
	case o.Mend == Everything:
		return "end all impairments"
	case o.Mend != "":
		return "end impairment " + o.Mend
	case o.Churn != nil:
		return fmt.Sprintf("start churn of %s, a cycle each %v", o.Churn.Kind, o.Churn.Every)
	case o.StopChurn != "":
		return "stop churn of " + o.StopChurn
	case o.Policy != nil:
		return o.Policy.String()
	case o.RemovePolicy != "":
		return "remove policy " + o.RemovePolicy
	case o.Agent != nil && o.Agent.For > 0:
		return fmt.Sprintf("%s the agent for %v", o.Agent.Do, o.Agent.For)
	case o.Agent != nil:
		return string(o.Agent.Do) + " the agent"
	}
	return "nothing"
}

// String says the traffic in words.
func (t Traffic) String() string {
	who := map[Pattern]string{
		OnePair: t.From + " to " + t.To, AllToOne: "all to " + t.To, Namespaces: "in each namespace, all to the first", Ring: "each pod to the next",
	}[t.Pattern]
	return fmt.Sprintf("start traffic %s: %s, %d by %s, %g messages/s each", t.Name, who, max(t.Connections, 1), t.Protocol, t.Rate)
}

// String says the impairment in words.
func (i Impair) String() string {
	var what string
	switch {
	case i.Traffic != "":
		what = fmt.Sprintf("connection %d of traffic %s", i.Connection, i.Traffic)
	case i.To != "":
		what = i.From + " to " + i.To
	default:
		what = i.From
	}
	way := map[Way]string{Back: ", back", Both: ", both ways"}[i.Way]
	return fmt.Sprintf("impair %s%s: %s", what, way, i.Quality)
}

// String says the policy in words.
func (p Policy) String() string {
	whom := p.Let
	switch p.Let {
	case Nobody:
	case Neighbours:
		whom = "pods of the namespace"
	default:
		whom = "role " + p.Let
	}
	on := "all pods"
	if p.Role != "" {
		on = "role " + p.Role
	}
	return fmt.Sprintf("policy %s in %s: let %s talk to %s", p.Name, p.Namespace, whom, on)
}
