// Package scenarios is the library: one file per scenario.
//
// A scenario states a load and what must hold; it knows neither the SUT nor the runtime that it runs on, only the
// features that it needs. Everything here is a pure function of Params.
package scenarios

import (
	"cmp"
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nodefv/nodefv/scenarios/engine"
	"github.com/nodefv/nodefv/workloads"
)

// Labels that scenarios carry. A run leaves out Slow unless it is asked for.
const (
	Slow  engine.Label = "slow"
	Basic engine.Label = "basic"
	Churn engine.Label = "churn"
	Scale engine.Label = "scale"
	Leak  engine.Label = "leak"
	Calc  engine.Label = "calc" // one input of the calculation graph each
	// Policy marks what is about policies.
	Policy engine.Label = "policy"
	// Identity marks names and addresses that return, and lives that are short.
	Identity engine.Label = "identity"
	// Clock marks what measures how long changes take to hold.
	Clock engine.Label = "clock"
	// Traffic marks what accounts for every message of continuous traffic.
	Traffic engine.Label = "traffic"
	// Network marks what makes the network bad between the agent, or another client, and the API server.
	Network engine.Label = "network"
	// Requests marks what routes requests.
	Requests engine.Label = "requests"
)

// Params are the user's changes to the scenarios' defaults; a nil field leaves the default.
type Params struct {
	Nodes       *int     // all nodes of the cluster, the local one included
	Namespaces  *int     // namespaces
	Pods        *int     // pods in each namespace
	Local       *int     // pods on the local node; -1: all
	Cycles      *int     // repetitions of a churning step
	Endpoints   *int     // pods in all, spread evenly over as many namespaces as divide their number
	Policies    *int     // policies in force
	Routes      *int     // routes of requests
	Connections *int     // that ask
	Idle        *int     // connections besides, that only stay open
	Requests    *int     // a second
	Payload     *int     // bytes of an answer
	TLS         *int     // 1: requests by TLS
	Proxies     *int     // instances of the SUT, or bare ones of the reference
	Seconds     *int     // of a load of requests
	Rate        *float64 // changes per second; 0: as fast as possible
}

// param is one parameter as flags, handoff and record know it.
type param struct {
	doc string
	set func(*Params, string) error
}

var params = map[string]param{
	"nodes":       {"nodes of the cluster, the local one included", intParam(1, func(p *Params, n *int) { p.Nodes = n })},
	"namespaces":  {"namespaces", intParam(1, func(p *Params, n *int) { p.Namespaces = n })},
	"pods":        {"pods in each namespace", intParam(1, func(p *Params, n *int) { p.Pods = n })},
	"local":       {"pods on the local node, -1 for all", intParam(-1, func(p *Params, n *int) { p.Local = n })},
	"cycles":      {"repetitions of a churning step", intParam(1, func(p *Params, n *int) { p.Cycles = n })},
	"endpoints":   {"pods in all, instead of --pods", intParam(1, func(p *Params, n *int) { p.Endpoints = n })},
	"policies":    {"policies in force, in scenarios that are made for so many", intParam(0, func(p *Params, n *int) { p.Policies = n })},
	"routes":      {"routes of requests, in scenarios that are made for so many", intParam(1, func(p *Params, n *int) { p.Routes = n })},
	"connections": {"connections that ask, in scenarios of a load of requests", intParam(1, func(p *Params, n *int) { p.Connections = n })},
	"idle":        {"connections besides, that only stay open", intParam(0, func(p *Params, n *int) { p.Idle = n })},
	"requests":    {"requests a second", intParam(1, func(p *Params, n *int) { p.Requests = n })},
	"payload":     {"bytes of an answer", intParam(0, func(p *Params, n *int) { p.Payload = n })},
	"tls":         {"1: requests by TLS", intParam(0, func(p *Params, n *int) { p.TLS = n })},
	"proxies":     {"instances of the SUT in a load of requests, or bare proxies of the reference, 1 to 4", within(1, mostProxies, func(p *Params, n *int) { p.Proxies = n })},
	"seconds":     {"how long a load of requests lasts", intParam(6, func(p *Params, n *int) { p.Seconds = n })},
	"rate":        {"changes per second, 0 for as fast as possible", rateParam},
}

// ParamDocs returns name and meaning of each parameter.
func ParamDocs() map[string]string {
	docs := map[string]string{}
	for name, p := range params {
		docs[name] = p.doc
	}
	return docs
}

// ParseParams reads parameters as users give them, by name. An unknown name, a value that is no number or one out of
// range is an error.
func ParseParams(values map[string]string) (Params, error) {
	var p Params
	for name, value := range values {
		known, ok := params[name]
		if !ok {
			return Params{}, fmt.Errorf("unknown parameter %q", name)
		}
		if err := known.set(&p, value); err != nil {
			return Params{}, fmt.Errorf("--%s %s: %w", name, value, err)
		}
	}
	if p.Endpoints != nil && p.Pods != nil {
		return Params{}, fmt.Errorf("--endpoints and --pods both say how many pods there are: leave one of them out")
	}
	return p, nil
}

func intParam(least int, set func(*Params, *int)) func(*Params, string) error {
	return func(p *Params, s string) error {
		n, err := strconv.Atoi(s)
		if err != nil {
			return fmt.Errorf("not a whole number")
		}
		if n < least {
			return fmt.Errorf("must be at least %d", least)
		}
		set(p, &n)
		return nil
	}
}

// mostProxies is how many instances of a proxy there may be side by side.
const mostProxies = 4

// within is intParam of what has a most, too.
func within(least, most int, set func(*Params, *int)) func(*Params, string) error {
	return func(p *Params, s string) error {
		if n, err := strconv.Atoi(s); err == nil && n > most {
			return fmt.Errorf("must be at most %d", most)
		}
		return intParam(least, set)(p, s)
	}
}

func rateParam(p *Params, s string) error {
	r, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return fmt.Errorf("not a number")
	}
	if err := (workloads.Load{Rate: r}).Validate(); err != nil {
		return err
	}
	p.Rate = &r
	return nil
}

var library []func(Params) engine.Scenario

// register adds a scenario to the library; each file calls it once, when the package is initialised.
func register(build func(Params) engine.Scenario) bool { return registerFrom(source(1), build) }

// registerFrom does so for a file and line of the project.
func registerFrom(source string, build func(Params) engine.Scenario) bool {
	library = append(library, func(p Params) engine.Scenario {
		sc := build(p)
		sc.Source = source
		return sc
	})
	return true
}

// source is where the function is called that stands so many calls above the one that asks.
func source(above int) string {
	_, file, line, ok := runtime.Caller(above + 1)
	i := strings.LastIndex(file, "/scenarios/")
	if !ok || i < 0 {
		return ""
	}
	return fmt.Sprintf("%s:%d", file[i+1:], line)
}

// All returns every scenario with p applied, the quick ones first. Two of one name are an error. Whether p is possible for a scenario,
// Possible says.
func All(p Params) ([]engine.Scenario, error) {
	var all []engine.Scenario
	for _, build := range library {
		sc := build(p)
		if slices.ContainsFunc(all, func(other engine.Scenario) bool { return other.Name == sc.Name }) {
			return nil, fmt.Errorf("two scenarios are named %q: give one of them another name", sc.Name)
		}
		if p.Rate != nil && *p.Rate > 0 {
			sc.Load = workloads.Load{Rate: *p.Rate}
		}
		all = append(all, sc)
	}
	slices.SortStableFunc(all, func(a, b engine.Scenario) int {
		return cmp.Or(cmp.Compare(size(a), size(b)), strings.Compare(a.Name, b.Name))
	})
	return all, nil
}

// Possible returns an error that names the first scenario whose cluster can't be made, which only parameters of the user's can bring about.
func Possible(chosen []engine.Scenario) error {
	for _, sc := range chosen {
		if _, err := workloads.NewPlan(0, sc.Topology, "local"); err != nil {
			return fmt.Errorf("scenario %q: %w", sc.Name, err)
		}
	}
	return nil
}

func size(sc engine.Scenario) int {
	n := sc.Topology.Namespaces * sc.Topology.PodsPerNamespace
	if slices.Contains(sc.Labels, Slow) {
		n += 1 << 30
	}
	return n
}

// topology applies the user's parameters to a scenario's own shape.
func (p Params) topology(t workloads.Topology) workloads.Topology {
	t.Namespaces = or(p.Namespaces, t.Namespaces)
	t.PodsPerNamespace = or(p.Pods, t.PodsPerNamespace)
	if p.Endpoints != nil {
		t.Namespaces = divisor(*p.Endpoints, t.Namespaces)
		t.PodsPerNamespace = *p.Endpoints / t.Namespaces
	}
	t.RemoteNodes = or(p.Nodes, t.RemoteNodes+1) - 1
	t.Local = or(p.Local, min(t.Local, t.Namespaces*t.PodsPerNamespace))
	if t.RemoteNodes == 0 {
		t.Local = -1
	}
	return t
}

// divisor returns the largest number, not above most, that divides n.
func divisor(n, most int) int {
	d := max(1, min(n, most))
	for n%d != 0 {
		d--
	}
	return d
}

// Heeds reports whether a scenario is another with each of two values of a parameter, as far as that can be told without running it.
func Heeds(name, parameter, a, b string) bool {
	shape := func(value string) string {
		p, err := ParseParams(map[string]string{parameter: value})
		if err != nil {
			return ""
		}
		all, err := All(p)
		i := slices.IndexFunc(all, func(sc engine.Scenario) bool { return sc.Name == name })
		if err != nil || i < 0 {
			return ""
		}
		var steps []string
		for _, s := range all[i].Steps {
			steps = append(steps, fmt.Sprintf("%s ×%d", s.Name, s.Repeat))
		}
		return fmt.Sprint(all[i].Topology, all[i].Load, all[i].Instances, steps)
	}
	return shape(a) != shape(b)
}

func or(chosen *int, standard int) int {
	if chosen != nil {
		return *chosen
	}
	return standard
}

// brief is the timeout of a scenario that takes seconds.
const brief = 5 * time.Minute
