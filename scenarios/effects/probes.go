package effects

import (
	"context"
	"fmt"
	"net/netip"
	"strconv"

	"github.com/nodefv/nodefv/metrics"
	"github.com/nodefv/nodefv/metrics/report"
	"github.com/nodefv/nodefv/scenarios/engine"
	"github.com/nodefv/nodefv/workloads"
)

// InSync wants the SUT to say that it has seen the whole datastore.
type InSync struct{ SUT engine.SUT }

// Name returns the probe's name.
func (InSync) Name() string { return "in sync" }

// Want returns that it is.
func (InSync) Want(workloads.State) engine.Facts { return engine.Facts{heard(metrics.InSync): "1"} }

// Got scrapes the SUT.
func (p InSync) Got(ctx context.Context, _ workloads.State) (engine.Facts, error) {
	return gauges(ctx, p.SUT, metrics.InSync)
}

// Gauges wants the SUT to count the endpoints that the model holds. They are numbers of its calculation: they
// never prove that anything is programmed.
type Gauges struct{ SUT engine.SUT }

// Name returns the probe's name.
func (Gauges) Name() string { return "gauges" }

// Want counts the model's pods that have an address.
func (Gauges) Want(s workloads.State) engine.Facts {
	var all, local int
	for _, p := range s.Pods().All() {
		if len(p.IPs) == 0 {
			continue
		}
		all++
		if p.Node == s.LocalNode {
			local++
		}
	}
	return engine.Facts{heard(metrics.Endpoints): strconv.Itoa(all), heard(metrics.LocalEndpoints): strconv.Itoa(local)}
}

// Got scrapes the SUT.
func (p Gauges) Got(ctx context.Context, _ workloads.State) (engine.Facts, error) {
	return gauges(ctx, p.SUT, metrics.Endpoints, metrics.LocalEndpoints)
}

// heard is a fact of a gauge that counts what the SUT has heard, not what it has made of it: all else follows from it.
func heard(g metrics.Gauge) report.Fact {
	return report.Fact{Aspect: report.Heard, Kind: report.Gauge, Subject: string(g)}
}

func gauges(ctx context.Context, sut engine.SUT, names ...metrics.Gauge) (engine.Facts, error) {
	snap, err := sut.Gauges(ctx)
	if err != nil {
		return nil, err
	}
	facts := engine.Facts{}
	for _, n := range names {
		if v, ok := snap[n]; ok {
			facts[heard(n)] = strconv.FormatFloat(v, 'f', -1, 64)
		}
	}
	return facts, nil
}

// Routes wants one host route to the right interface for each address of each local pod, and none else. Of an address that several
// pods have it wants nothing.
type Routes struct {
	Dump          func() (map[string]string, error) // of the kernel: prefix to interface
	HostInterface func(namespace, pod string) string
}

// Name returns the probe's name.
func (Routes) Name() string { return "routes" }

// Want lists the addresses of the local pods that have a veth. The interface's name is the target's to say, so Want leaves it to Got,
// which replaces the name of the interface by its pod.
func (Routes) Want(s workloads.State) engine.Facts {
	facts, shared := engine.Facts{}, s.Shared()
	for _, p := range s.LocalPods() {
		for _, ip := range p.IPs {
			if !p.Bare && !shared[ip] {
				facts[route(hostRoute(ip))] = "dev of " + p.String()
			}
		}
	}
	return facts
}

// Got dumps the kernel's main table; routes outside the pools are not looked at.
func (p Routes) Got(_ context.Context, s workloads.State) (engine.Facts, error) {
	routes, err := p.Dump()
	if err != nil {
		return nil, err
	}
	pods := map[string]string{}
	for _, pod := range s.LocalPods() {
		pods[p.HostInterface(pod.Namespace, pod.Name)] = "dev of " + pod.String()
	}
	facts := engine.Facts{}
	for prefix, dev := range routes {
		if !workloads.InPool(prefix) {
			continue
		}
		if owner, ok := pods[dev]; ok {
			dev = owner
		}
		facts[route(prefix)] = dev
	}
	for ip := range s.Shared() {
		delete(facts, route(hostRoute(ip)))
	}
	return facts, nil
}

func route(prefix string) report.Fact {
	return report.Fact{Aspect: report.Routes, Kind: report.Route, Subject: prefix}
}

func hostRoute(ip netip.Addr) string { return netip.PrefixFrom(ip, ip.BitLen()).String() }

// Forgotten wants the kernel to track no connection of an address that local pods had and nobody has now: who gets it next would
// inherit them, and with them the leave to go past its policies.
type Forgotten struct {
	Vacated func() map[netip.Addr]workloads.Key // such addresses, with who had each
	Tracked func(asked func(netip.Addr) bool) (map[netip.Addr][]string, error)
}

// Name returns the probe's name.
func (Forgotten) Name() string { return "conntrack" }

// Want returns nothing: no connection is wanted.
func (Forgotten) Want(workloads.State) engine.Facts { return nil }

// Got lists the connections of such addresses, by address; without any, the kernel is not asked.
func (p Forgotten) Got(context.Context, workloads.State) (engine.Facts, error) {
	gone := p.Vacated()
	if len(gone) == 0 {
		return nil, nil
	}
	tracked, err := p.Tracked(func(ip netip.Addr) bool { _, asked := gone[ip]; return asked })
	if err != nil {
		return nil, err
	}
	facts := engine.Facts{}
	for ip, connections := range tracked {
		facts[report.Fact{Aspect: report.Tracked, Kind: report.Address, Subject: fmt.Sprintf("connections of %s, which pod %s had", ip, gone[ip])}] = fmt.Sprintf("%d, such as %s", len(connections), connections[0])
	}
	return facts, nil
}

// Residue wants the kernel's links to be those of its Baseline, and the API to have what the model has.
type Residue struct {
	Baseline []string
	Links    func() ([]string, error)
	Verify   func(context.Context) ([]string, error)
}

// Name returns the probe's name.
func (Residue) Name() string { return "residue" }

// Want returns the links that were there before.
func (r Residue) Want(workloads.State) engine.Facts { return linkFacts(r.Baseline) }

// Got lists the links, and the API objects that the model does not have.
func (r Residue) Got(ctx context.Context, _ workloads.State) (engine.Facts, error) {
	links, err := r.Links()
	if err != nil {
		return nil, err
	}
	facts := linkFacts(links)
	left, err := r.Verify(ctx)
	if err != nil {
		return nil, err
	}
	for _, l := range left {
		facts[report.Fact{Aspect: report.Heard, Kind: report.Object, Subject: "api " + l}] = "differs"
	}
	return facts, nil
}

func linkFacts(links []string) engine.Facts {
	facts := engine.Facts{}
	for _, l := range links {
		facts[report.Fact{Aspect: report.Links, Kind: report.Interface, Subject: "link " + l}] = "present"
	}
	return facts
}
