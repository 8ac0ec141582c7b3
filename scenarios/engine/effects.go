package engine

import (
	"context"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/nodefv/nodefv/metrics"
	"github.com/nodefv/nodefv/metrics/report"
	"github.com/nodefv/nodefv/workloads"
)

// Effects returns what must hold in every scenario after every step, without being asked for. The kernel comes before the
// packets: it says which of its objects is wrong.
func Effects(w *World) []Expectation {
	var effects []Expectation
	for _, p := range []Probe{InSync{}, Gauges{}, Routes{}} {
		if w.sees(p) {
			effects = append(effects, Expectation{Probe: p})
		}
	}
	switch {
	case w.Programmer == nil:
	case w.Layout.Foreign():
		effects = append(effects, Expectation{Probe: Counts{w.Programmer}})
	default:
		effects = append(effects, Expectation{Probe: Programmed{w.Programmer}})
	}
	if w.Tracked != nil {
		effects = append(effects, Expectation{Probe: Forgotten{}})
	}
	effects = append(effects, Expectation{Probe: Connections{}})
	if w.Node != nil {
		effects = append(effects, Expectation{Probe: NodeConnections{*w.Node}})
	}
	return effects
}

// sees reports whether the SUT lets a probe see what it looks at.
func (w *World) sees(p Probe) bool {
	switch p.(type) {
	case InSync:
		return w.SUT.Shows(metrics.InSync)
	case Gauges:
		return w.SUT.Shows(metrics.Endpoints) && w.SUT.Shows(metrics.LocalEndpoints)
	case Routes:
		return w.Routed
	}
	return true
}

// InSync wants the SUT to say that it has seen the whole datastore.
type InSync struct{}

// Name returns the probe's name.
func (InSync) Name() string { return "in sync" }

// Want returns that it is.
func (InSync) Want(workloads.State) Facts { return Facts{string(metrics.InSync): "1"} }

// About says that all else follows from it.
func (InSync) About(string) report.Topic { return report.Topic{Aspect: report.Heard} }

// Got scrapes the SUT.
func (InSync) Got(ctx context.Context, w *World) (Facts, error) {
	return gauges(ctx, w, metrics.InSync)
}

// Gauges wants the SUT to count the endpoints that the model holds. They are numbers of its calculation: they
// never prove that anything is programmed.
type Gauges struct{}

// Name returns the probe's name.
func (Gauges) Name() string { return "gauges" }

// Want counts the model's pods that have an address.
func (Gauges) Want(s workloads.State) Facts {
	var all, local int
	for _, p := range s.Pods {
		if len(p.IPs) == 0 {
			continue
		}
		all++
		if p.Node == s.LocalNode {
			local++
		}
	}
	return Facts{string(metrics.Endpoints): strconv.Itoa(all), string(metrics.LocalEndpoints): strconv.Itoa(local)}
}

// About says that these counts are of what the SUT has heard, not of what it has made of it.
func (Gauges) About(string) report.Topic { return report.Topic{Aspect: report.Heard} }

// Got scrapes the SUT.
func (Gauges) Got(ctx context.Context, w *World) (Facts, error) {
	return gauges(ctx, w, metrics.Endpoints, metrics.LocalEndpoints)
}

func gauges(ctx context.Context, w *World, names ...metrics.Gauge) (Facts, error) {
	snap, err := w.SUT.Gauges(ctx)
	if err != nil {
		return nil, err
	}
	facts := Facts{}
	for _, n := range names {
		if v, ok := snap[n]; ok {
			facts[string(n)] = strconv.FormatFloat(v, 'f', -1, 64)
		}
	}
	return facts, nil
}

// Routes wants one host route to the right interface for each address of each local pod, and none else. Of an address that several
// pods have it wants nothing.
type Routes struct{}

// Name returns the probe's name.
func (Routes) Name() string { return "routes" }

// Want lists the addresses of the local pods that have a veth. The interface's name is the target's to say, so Want leaves it to Got,
// which replaces the name of the interface by its pod.
func (Routes) Want(s workloads.State) Facts {
	facts, shared := Facts{}, s.Shared()
	for _, p := range s.LocalPods() {
		for _, ip := range p.IPs {
			if !p.Bare && !shared[ip] {
				facts[hostRoute(ip)] = "dev of " + p.String()
			}
		}
	}
	return facts
}

// About says that facts are routes.
func (Routes) About(string) report.Topic { return report.Topic{Aspect: report.Routes} }

// Got dumps the kernel's main table; routes outside the pools are not looked at.
func (Routes) Got(_ context.Context, w *World) (Facts, error) {
	routes, err := w.Kernel.Routes()
	if err != nil {
		return nil, err
	}
	pod, s := map[string]string{}, w.Fleet.State()
	for _, p := range s.LocalPods() {
		pod[w.HostInterface(p.Namespace, p.Name)] = "dev of " + p.String()
	}
	facts := Facts{}
	for prefix, dev := range routes {
		if !workloads.InPool(prefix) {
			continue
		}
		if owner, ok := pod[dev]; ok {
			dev = owner
		}
		facts[prefix] = dev
	}
	for ip := range s.Shared() {
		delete(facts, hostRoute(ip))
	}
	return facts, nil
}

func hostRoute(ip netip.Addr) string { return netip.PrefixFrom(ip, ip.BitLen()).String() }

// Forgotten wants the kernel to track no connection of an address that local pods had and nobody has now: who gets it next would
// inherit them, and with them the leave to go past its policies.
type Forgotten struct{}

// Name returns the probe's name.
func (Forgotten) Name() string { return "conntrack" }

// Want returns nothing: no connection is wanted.
func (Forgotten) Want(workloads.State) Facts { return nil }

// About says that facts are connections that are tracked.
func (Forgotten) About(string) report.Topic { return report.Topic{Aspect: report.Tracked} }

// Got lists the connections of such addresses, by address; without any, the kernel is not asked.
func (Forgotten) Got(_ context.Context, w *World) (Facts, error) {
	gone := w.Fleet.Vacated()
	if len(gone) == 0 {
		return nil, nil
	}
	tracked, err := w.Tracked(func(ip netip.Addr) bool { _, asked := gone[ip]; return asked })
	if err != nil {
		return nil, err
	}
	facts := Facts{}
	for ip, connections := range tracked {
		facts[fmt.Sprintf("connections of %s, which pod %s had", ip, gone[ip])] = fmt.Sprintf("%d, such as %s", len(connections), connections[0])
	}
	return facts, nil
}

// apiFact begins a fact on an object of the API.
const apiFact = "api "

// Residue wants the kernel's links to be those of its Baseline.
type Residue struct{ Baseline []string }

// Name returns the probe's name.
func (Residue) Name() string { return "residue" }

// Want returns the links that were there before.
func (r Residue) Want(workloads.State) Facts { return linkFacts(r.Baseline) }

// About tells objects of the API, which all else follows from, from links.
func (Residue) About(fact string) report.Topic {
	if strings.HasPrefix(fact, apiFact) {
		return report.Topic{Aspect: report.Heard}
	}
	return report.Topic{Aspect: report.Links}
}

// Got lists the links, and the API objects that the model does not have.
func (r Residue) Got(ctx context.Context, w *World) (Facts, error) {
	links, err := w.Kernel.Links()
	if err != nil {
		return nil, err
	}
	facts := linkFacts(links)
	left, err := w.Fleet.Verify(ctx)
	if err != nil {
		return nil, err
	}
	for _, l := range left {
		facts[apiFact+l] = "differs"
	}
	return facts, nil
}

func linkFacts(links []string) Facts {
	facts := Facts{}
	for _, l := range links {
		facts["link "+l] = "present"
	}
	return facts
}
