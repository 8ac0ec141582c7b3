package effects

import (
	"net/netip"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/nodefv/nodefv/workloads"
	"github.com/nodefv/nodefv/workloads/snapshot"
)

// sampler draws streams from one version of the model after the other, in the time of what has changed. Its zero value is ready for use. It is
// for one goroutine.
type sampler struct {
	model         workloads.State
	tenants       map[netip.Addr]map[workloads.Key]bool
	ports         map[workloads.NamedPort]int                 // how many pods call a port so
	local, remote snapshot.Map[workloads.Key, *workloads.Pod] // that can talk, see talkers
	pods          []*workloads.Pod                            // of the last draw
	streams       []Flow
}

// draw returns the streams of a model. If nothing has changed that has a say in them, they are those of the last draw.
func (s *sampler) draw(model workloads.State) []Flow {
	again := s.advance(model)
	local, remote := s.chosen()
	pods := slices.Concat(local, remote)
	if !again && slices.Equal(pods, s.pods) {
		return s.streams
	}
	s.pods, s.streams = pods, streamsAmong(model, values(pods), s.ports)
	return s.streams
}

// advance takes in what has changed, and reports whether something has that has a say in the streams besides the pods that are chosen.
func (s *sampler) advance(model workloads.State) (again bool) {
	if s.tenants == nil {
		s.tenants, s.ports, again = map[netip.Addr]map[workloads.Key]bool{}, map[workloads.NamedPort]int{}, true
	}
	before := s.model
	s.model = model
	concerned := map[workloads.Key]bool{}
	for part := range before.Moved(model) {
		if part.Kind != workloads.PodKind {
			again = true
			continue
		}
		was, is := before.Pods().Get(part.Key), model.Pods().Get(part.Key)
		again = again || len(was.Ports)+len(is.Ports) > 0
		concerned[part.Key] = true
		for _, ip := range slices.Concat(was.IPs, is.IPs) {
			for k := range s.tenants[ip] {
				concerned[k] = true
			}
		}
		s.count(was, -1)
		s.count(is, 1)
	}
	for k := range concerned {
		s.place(k)
	}
	return again
}

// count adds a pod's addresses and ports, or takes them away.
func (s *sampler) count(p workloads.Pod, by int) {
	for _, ip := range p.IPs {
		if s.tenants[ip] == nil {
			s.tenants[ip] = map[workloads.Key]bool{}
		}
		if s.tenants[ip][p.Key] = true; by < 0 {
			delete(s.tenants[ip], p.Key)
		}
		if len(s.tenants[ip]) == 0 {
			delete(s.tenants, ip)
		}
	}
	for _, port := range p.Ports {
		if s.ports[port] += by; s.ports[port] == 0 {
			delete(s.ports, port)
		}
	}
}

// place puts a pod among those that can talk, or takes it from them.
func (s *sampler) place(k workloads.Key) {
	s.local.Delete(k)
	s.remote.Delete(k)
	p, there := s.model.Pods().Lookup(k)
	if !there || mute(p, func(ip netip.Addr) bool { return len(s.tenants[ip]) > 1 }) {
		return
	}
	if p.Node == s.model.LocalNode {
		s.local.Put(k, &p)
	} else {
		s.remote.Put(k, &p)
	}
}

// chosen are the pods that samplePods chooses.
func (s *sampler) chosen() (local, remote []*workloads.Pod) {
	here, elsewhere := s.local.Len(), s.remote.Len()
	if here+elsewhere > WholeCluster {
		here, elsewhere = SampledPods, SampledRemote
	}
	return spreadOf(s.local, here), spreadOf(s.remote, elsewhere)
}

// spreadOf is spread of what a map holds.
func spreadOf[V comparable](all snapshot.Map[workloads.Key, V], n int) []V {
	n = min(n, all.Len())
	sample := make([]V, 0, n)
	for i := range n {
		sample = append(sample, all.At(i*(all.Len()-1)/max(n-1, 1)))
	}
	return sample
}

func values[T any](pointers []*T) []T {
	all := make([]T, 0, len(pointers))
	for _, p := range pointers {
		all = append(all, *p)
	}
	return all
}

// streamsAmong draws flows of both protocols at even distances of those that are tried after each step by Protocols and Ports, and besides
// one of each way of a few that policies name: which these are has no say in the others, so that they go on while policies change.
func streamsAmong(s workloads.State, pods []workloads.Pod, ports map[workloads.NamedPort]int) []Flow {
	udp, tcp := byProtocol(eachPair(s, pods, flowsBetween))
	var named []Flow
	for _, row := range namedFlowsAmong(s, pods, ports) {
		named = append(named, row[:min(len(row), 1)]...)
	}
	namedUDP, namedTCP := byProtocol(named)
	return slices.Concat(spread(udp, streamLimit), spread(tcp, attemptLimit),
		namedUDP[:min(len(namedUDP), namedStreamLimit)], namedTCP[:min(len(namedTCP), namedAttemptLimit)])
}

func byProtocol(flows []Flow) (udp, tcp []Flow) {
	for _, f := range flows {
		if f.Protocol == corev1.ProtocolUDP {
			udp = append(udp, f)
		} else {
			tcp = append(tcp, f)
		}
	}
	return udp, tcp
}
