package engine

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"

	corev1 "k8s.io/api/core/v1"

	"github.com/nodefv/nodefv/metrics"
	"github.com/nodefv/nodefv/workloads"
)

// SampledPods is how many pods, at most, take part in the connection check: SampledPods² flows and port.
const SampledPods = 8

// Ports are what every sampled pod listens on.
var Ports = []uint16{8080, 9090}

// Effects returns what must hold in every scenario after every step, without being asked for. The kernel comes before the
// packets: it says which of its objects is wrong.
func Effects(w *World) []Expectation {
	effects := []Expectation{{Probe: InSync{}}, {Probe: Gauges{}}, {Probe: Routes{}}}
	if w.Programmer != nil {
		effects = append(effects, Expectation{Probe: Programmed{w.Programmer}})
	}
	return append(effects, Expectation{Probe: Connections{}})
}

// InSync wants the SUT to say that it has seen the whole datastore.
type InSync struct{}

// Name returns the probe's name.
func (InSync) Name() string { return "in sync" }

// Want returns that it is.
func (InSync) Want(workloads.State) Facts { return Facts{string(metrics.InSync): "1"} }

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

// Routes wants one host route to the right interface for each address of each local pod, and none else.
type Routes struct{}

// Name returns the probe's name.
func (Routes) Name() string { return "routes" }

// Want lists the addresses of the local pods that have a veth. The interface's name is the target's to say, so Want leaves it to Got,
// which replaces the name of the interface by its pod.
func (Routes) Want(s workloads.State) Facts {
	facts := Facts{}
	for _, p := range s.LocalPods() {
		if p.Bare {
			continue
		}
		for _, ip := range p.IPs {
			facts[fmt.Sprintf("%s/%d", ip, ip.BitLen())] = "dev of " + p.String()
		}
	}
	return facts
}

// Got dumps the kernel's main table; routes outside the pools are not looked at.
func (Routes) Got(_ context.Context, w *World) (Facts, error) {
	routes, err := w.Kernel.Routes()
	if err != nil {
		return nil, err
	}
	pod := map[string]string{}
	for _, p := range w.Fleet.State().LocalPods() {
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
	return facts, nil
}

// Connections wants TCP connections between a sample of the local pods, and between them and the wired remote ones, in both
// directions and on each of Ports, to end as the policies in force say.
type Connections struct{}

// Name returns the probe's name.
func (Connections) Name() string { return "connections" }

// Want asks the oracle.
func (Connections) Want(s workloads.State) Facts {
	facts, x := Facts{}, workloads.NewIndex(s)
	for _, f := range sampleFlows(s) {
		d := x.Passes(endpoint(s, f.From, f.V6), endpoint(s, f.To, f.V6), corev1.ProtocolTCP, f.Port)
		facts[f.String()] = string(Dropped)
		if d.Allowed {
			facts[f.String()] = string(Connected)
		}
	}
	return facts
}

// endpoint is a pod with the address by which a connection of that family reaches it.
func endpoint(s workloads.State, pod workloads.Key, v6 bool) workloads.Endpoint {
	for _, ip := range s.Pods[pod].IPs {
		if ip.Is6() == v6 {
			return workloads.Endpoint{Pod: pod, Addr: ip}
		}
	}
	return workloads.Endpoint{Pod: pod}
}

// Got connects.
func (Connections) Got(ctx context.Context, w *World) (Facts, error) {
	return connect(ctx, w, sampleFlows(w.Fleet.State()))
}

func connect(ctx context.Context, w *World, flows []Flow) (Facts, error) {
	outcomes, err := w.Connector.Connect(ctx, flows)
	if err != nil {
		return nil, err
	}
	facts := Facts{}
	for f, o := range outcomes {
		facts[f.String()] = string(o)
	}
	return facts, nil
}

// sampleFlows draws pods at even distances of the sorted list, so that first and last are always among them. Flows between
// remote pods are not the local node's.
func sampleFlows(s workloads.State) []Flow {
	var pods []workloads.Pod
	for _, p := range append(s.LocalPods(), s.WiredPods()...) {
		if len(p.IPs) > 0 && !p.Bare {
			pods = append(pods, p)
		}
	}
	if n := len(pods); n > SampledPods {
		sample := make([]workloads.Pod, 0, SampledPods)
		for i := range SampledPods {
			sample = append(sample, pods[i*(n-1)/(SampledPods-1)])
		}
		pods = sample
	}
	var flows []Flow
	for _, from := range pods {
		for _, to := range pods {
			if from.Key == to.Key || from.Node != s.LocalNode && to.Node != s.LocalNode {
				continue
			}
			for _, port := range Ports {
				for _, v6 := range []bool{false, true} {
					if has(from, v6) && has(to, v6) {
						flows = append(flows, Flow{From: from.Key, To: to.Key, Port: port, V6: v6})
					}
				}
			}
		}
	}
	return flows
}

func has(p workloads.Pod, v6 bool) bool {
	return slices.ContainsFunc(p.IPs, func(ip netip.Addr) bool { return ip.Is6() == v6 })
}

// Residue wants the kernel's links to be those of its Baseline.
type Residue struct{ Baseline []string }

// Name returns the probe's name.
func (Residue) Name() string { return "residue" }

// Want returns the links that were there before.
func (r Residue) Want(workloads.State) Facts { return linkFacts(r.Baseline) }

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
		facts["api "+l] = "differs"
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

func sortedFacts(f Facts) []string { return slices.Sorted(maps.Keys(f)) }
