package effects

import (
	"context"
	"net/netip"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/nodefv/nodefv/scenarios/engine"
	"github.com/nodefv/nodefv/workloads"
)

// Which pods take part in the connection checks: all of a cluster that has no more than WholeCluster, else so many local and remote
// ones at most.
const (
	WholeCluster  = 24
	SampledPods   = 8
	SampledRemote = 3
)

// Ports are tried between all sampled pods, by each of Protocols; what else policies name, between some of them.
var Ports = []uint16{8080, 9090}

// Protocols are what flows are tried by.
var Protocols = []corev1.Protocol{corev1.ProtocolTCP, corev1.ProtocolUDP}

// Connections wants TCP connections and UDP exchanges between the local pods, and between them and the remote ones, in both directions
// and on each of Ports and some ports that the policies name, to end as the policies in force say; in a large cluster, between a sample of them.
type Connections struct{ Dial Dialer }

// Dialer makes connections and returns what became of each.
type Dialer func(ctx context.Context, flows []Flow) (Outcomes, error)

// Name returns the probe's name.
func (Connections) Name() string { return "connections" }

// Want asks the oracle.
func (Connections) Want(s workloads.State) engine.Facts {
	facts, x := engine.Facts{}, workloads.NewIndex(s)
	for _, f := range sampleFlows(s) {
		facts[f.fact()] = outcome(passes(x, f, s)).String()
	}
	return facts
}

// Got connects.
func (p Connections) Got(ctx context.Context, s workloads.State) (engine.Facts, error) {
	got, err := p.Dial(ctx, sampleFlows(s))
	return got.factsBeside(p.Want(s)), err
}

// NodeConnections wants flows between the node and its pods, and between it and remote pods, to end as the SUT's rules for the node
// and the policies in force say.
type NodeConnections struct {
	Node Node
	Dial Dialer
}

// Name returns the probe's name.
func (NodeConnections) Name() string { return "connections of the node" }

// Want asks the oracle where policies decide.
func (p NodeConnections) Want(s workloads.State) engine.Facts {
	facts, x := engine.Facts{}, workloads.NewIndex(s)
	for _, f := range p.flows(s) {
		var allowed bool
		switch node := (workloads.Key{}); {
		case f.From.Key == node && (f.To.Remote || p.Node.Sends):
			allowed = true
		case f.To.Key == node && !f.From.Remote && !p.Node.Listens:
		default:
			allowed = passes(x, f, s)
		}
		facts[f.fact()] = outcome(allowed).String()
	}
	return facts
}

// Got connects.
func (p NodeConnections) Got(ctx context.Context, s workloads.State) (engine.Facts, error) {
	got, err := p.Dial(ctx, p.flows(s))
	return got.factsBeside(p.Want(s)), err
}

func (p NodeConnections) flows(s workloads.State) []Flow {
	node := workloads.Pod{Node: s.LocalNode, IPs: []netip.Addr{p.Node.Addr}}
	local, remote := samplePods(s)
	var flows []Flow
	for _, pod := range append(spread(local, 2), spread(remote, 1)...) {
		flows = append(append(flows, flowsBetween(s, node, pod)...), flowsBetween(s, pod, node)...)
	}
	return flows
}

// passes asks the oracle of s, of which x is the index.
func passes(x *workloads.Index, f Flow, s workloads.State) bool {
	return x.Passes(endpoint(f.From, s), endpoint(f.To, s), f.Protocol, f.Port).Allowed
}

func outcome(allowed bool) Outcome {
	if allowed {
		return Outcome{Kind: Connected}
	}
	return Outcome{Kind: Dropped}
}

// samplePods chooses local and remote pods that can talk.
func samplePods(s workloads.State) (local, remote []workloads.Pod) {
	local, remote = talkers(s)
	if len(local)+len(remote) <= WholeCluster {
		return local, remote
	}
	return spread(local, SampledPods), spread(remote, SampledRemote)
}

// talkers are the local and remote pods that have an address of their own and, if they are local, a veth. What is sent to an address that
// several pods have may reach any of them.
func talkers(s workloads.State) (local, remote []workloads.Pod) {
	shared := s.Shared()
	silent := func(p workloads.Pod) bool { return mute(p, func(ip netip.Addr) bool { return shared[ip] }) }
	return slices.DeleteFunc(s.LocalPods(), silent), slices.DeleteFunc(s.RemotePods(), silent)
}

// mute reports whether a pod is not to talk.
func mute(p workloads.Pod, shared func(netip.Addr) bool) bool {
	return len(p.IPs) == 0 || p.Bare || slices.ContainsFunc(p.IPs, shared)
}

// spread draws up to n elements at even distances of the list, so that first and last are always among them.
func spread[T any](all []T, n int) []T {
	if len(all) <= n {
		return all
	}
	sample := make([]T, 0, n)
	for i := range n {
		sample = append(sample, all[i*(len(all)-1)/max(n-1, 1)])
	}
	return sample
}

// sampleFlows are the flows between the sampled pods.
func sampleFlows(s workloads.State) []Flow {
	local, remote := samplePods(s)
	return flowsAmong(s, local, remote)
}

// flowsAmong are all flows between the pods by Protocols and Ports, and some by what else the policies name.
func flowsAmong(s workloads.State, local, remote []workloads.Pod) []Flow {
	pods := slices.Concat(local, remote)
	return append(eachPair(s, pods, flowsBetween), slices.Concat(namedFlowsAmong(s, pods, namedPorts(s))...)...)
}

// eachPair are the flows between every two pods, but for those between two remote ones: these are not the local node's.
func eachPair(s workloads.State, pods []workloads.Pod, between func(s workloads.State, from, to workloads.Pod) []Flow) []Flow {
	var flows []Flow
	for _, from := range pods {
		for _, to := range pods {
			if from.Key != to.Key && (from.Node == s.LocalNode || to.Node == s.LocalNode) {
				flows = append(flows, between(s, from, to)...)
			}
		}
	}
	return flows
}

// flowsBetween are the flows between two pods by Protocols and Ports.
func flowsBetween(s workloads.State, from, to workloads.Pod) []Flow {
	var flows []Flow
	for _, f := range pairsBetween(s, from, to) {
		for _, protocol := range Protocols {
			for _, port := range Ports {
				f.Protocol, f.Port = protocol, port
				flows = append(flows, f)
			}
		}
	}
	return flows
}

// pairsBetween are the addresses of two pods, those of each family, as flows without protocol and port.
func pairsBetween(s workloads.State, from, to workloads.Pod) []Flow {
	var all []Flow
	for _, v6 := range []bool{false, true} {
		a, aHas := end(s, from, v6)
		b, bHas := end(s, to, v6)
		if aHas && bHas {
			all = append(all, Flow{From: a, To: b})
		}
	}
	return all
}

// end is a pod with its address of a family, if it has one.
func end(s workloads.State, p workloads.Pod, v6 bool) (End, bool) {
	for _, ip := range p.IPs {
		if ip.Is6() == v6 {
			return End{Key: p.Key, Addr: ip, Remote: p.Node != s.LocalNode}, true
		}
	}
	return End{}, false
}
