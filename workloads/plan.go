package workloads

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// Where addresses come from. All are computed from an index, so that a seed repeats them; none is ever used outside the
// node's network namespace.
var (
	PoolV4   = netip.MustParsePrefix("10.128.0.0/10")
	PoolV6   = netip.MustParsePrefix("fd00:f00d::/96")
	poolNode = netip.MustParsePrefix("198.18.0.0/16") // for benchmarks (RFC 2544): no bridge is in it
)

// The capacities of the pools; the first address of each is left out.
const (
	maxPods  = 1<<22 - 2
	maxNodes = 1<<16 - 2
)

// roles are the values of the label role, dealt to the pods of a namespace in turn.
var roles = []string{"web", "api", "db", "cache"}

// InPool reports whether a route's prefix lies in a pool of pod addresses.
func InPool(prefix string) bool {
	p, err := netip.ParsePrefix(prefix)
	return err == nil && (PoolV4.Contains(p.Addr()) || PoolV6.Contains(p.Addr()))
}

// Plan gives names and addresses to a topology. The same topology always gets the same. It is safe for concurrent use.
type Plan struct {
	topology  Topology
	localNode string
	prefix    string

	mu   sync.Mutex
	next int // index of the next unused address and pod name
}

// NewPlan checks the topology and plans it. Names carry the seed, so that runs can be told apart.
func NewPlan(seed uint64, t Topology, localNode string) (*Plan, error) {
	pods := t.Namespaces * t.PodsPerNamespace
	switch {
	case t.Namespaces < 1 || t.PodsPerNamespace < 1:
		return nil, fmt.Errorf("%d namespaces of %d pods: there must be at least one of each", t.Namespaces, t.PodsPerNamespace)
	case t.RemoteNodes < 0:
		return nil, fmt.Errorf("%d nodes: there must be at least one, the local one", t.RemoteNodes+1)
	case t.RemoteNodes > maxNodes:
		return nil, fmt.Errorf("%d nodes: there are addresses for %d", t.RemoteNodes+1, maxNodes+1)
	case t.Namespaces > maxPods || t.PodsPerNamespace > maxPods || pods > maxPods:
		return nil, fmt.Errorf("%d namespaces of %d pods: there are addresses for %d pods", t.Namespaces, t.PodsPerNamespace, maxPods)
	case t.DualStack && t.IPv6Only:
		return nil, fmt.Errorf("pods with both families and with IPv6 alone: choose one")
	case t.Local < -1 || t.Local > pods:
		return nil, fmt.Errorf("%d local pods of %d: want -1 (all) to %d", t.Local, pods, pods)
	case t.RemoteNodes == 0 && t.Local != -1 && t.Local != pods:
		return nil, fmt.Errorf("%d local pods of %d, but there is no other node: add nodes or make all local", t.Local, pods)
	}
	return &Plan{topology: t, localNode: localNode, prefix: fmt.Sprintf("fv-%x-", seed&0xffff), next: pods}, nil
}

// State returns the whole topology as desired state. The local pods are spread evenly over the list of all pods, the
// others go to the remote nodes in turn.
func (p *Plan) State() State {
	s := NewState(p.localNode)
	for i := range p.topology.RemoteNodes {
		n := Node{Name: fmt.Sprintf("%snode-%d", p.prefix, i+1), IP: address(poolNode, i+1)}
		s.Put(n)
	}
	total, remote := p.topology.Namespaces*p.topology.PodsPerNamespace, 0
	local := p.topology.Local
	if local < 0 {
		local = total
	}
	for i := range p.topology.Namespaces {
		team := string(rune('a' + i%26))
		ns := Namespace{Name: p.prefix + "team-" + team, Labels: map[string]string{"team": team}}
		if i >= 26 {
			ns.Name += fmt.Sprintf("-%d", i/26)
		}
		s.Put(ns)
		for j := range p.topology.PodsPerNamespace {
			n := i*p.topology.PodsPerNamespace + j
			node := p.localNode
			if (n+1)*local/total == n*local/total { // exactly `local` of `total` numbers pass
				node = fmt.Sprintf("%snode-%d", p.prefix, remote%p.topology.RemoteNodes+1)
				remote++
			}
			pod := p.pod(n, ns.Name, node)
			s.Put(pod)
		}
	}
	return s
}

func (p *Plan) pod(index int, namespace, node string) Pod {
	role := roles[index%len(roles)]
	pod := Pod{
		Key: Key{namespace, podName(role, index)}, Node: node,
		Labels: map[string]string{"role": role, "shard": fmt.Sprint(index % 3)},
	}
	if node != p.localNode {
		pod.Name = podName(role+"-remote", index)
	}
	if !p.topology.IPv6Only {
		pod.IPs = append(pod.IPs, address(PoolV4, index+1))
	}
	if p.topology.DualStack || p.topology.IPv6Only {
		pod.IPs = append(pod.IPs, address(PoolV6, index+1))
	}
	return pod
}

// PodAddresses returns the addresses of both families at an index from 1 to 4,194,302: those that plans deal out.
func PodAddresses(index int) (v4, v6 netip.Addr) {
	return address(PoolV4, index), address(PoolV6, index)
}

// NodeAddress returns the address of a node at an index from 1 to 65,534.
func NodeAddress(index int) netip.Addr { return address(poolNode, index) }

// address returns the address at an index that the caller has checked against the pool's capacity.
func address(pool netip.Prefix, index int) netip.Addr {
	bytes := pool.Addr().AsSlice()
	for i := len(bytes) - 1; index > 0; i-- {
		sum := int(bytes[i]) + index&0xff
		bytes[i] = byte(sum)
		index = index>>8 + sum>>8
	}
	addr, _ := netip.AddrFromSlice(bytes)
	return addr
}

// podName is the name of a pod in its part, such as web-12: numbers count up over the whole plan.
func podName(part string, index int) string { return fmt.Sprintf("%s-%d", part, index) }

// partOf takes the number off a pod's name; one that has none comes before all others.
func partOf(name string) (part string, number int) {
	i := strings.LastIndexByte(name, '-')
	if number, err := strconv.Atoi(name[i+1:]); i > 0 && err == nil {
		return name[:i], number
	}
	return name, -1
}

// InPart returns the pod of a plan with the name that it has in a part.
func (p Pod) InPart(part string) Pod {
	_, number := partOf(p.Name)
	p.Name = podName(part, number)
	return p
}

// Ring lists the pods oldest first.
func (p *Plan) Ring(s State) []Pod {
	pods := s.Pods().List()
	SortByAge(pods)
	return pods
}

// SortByAge puts pods of a plan into the order in which they were planned.
func SortByAge(pods []Pod) {
	slices.SortFunc(pods, func(a, b Pod) int {
		_, i := partOf(a.Name)
		_, j := partOf(b.Name)
		return cmp.Or(cmp.Compare(i, j), strings.Compare(a.Name, b.Name))
	})
}

// Successor returns a pod with a name and an address never used before, in the namespace and on the node of the old one and with
// its labels. The name tells the part that the old one had. It is an error if the addresses are used up.
func (p *Plan) Successor(old Pod) (Pod, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.next >= maxPods {
		return Pod{}, fmt.Errorf("all %d pod addresses are used up", maxPods)
	}
	pod := p.pod(p.next, old.Namespace, old.Node)
	part, _ := partOf(old.Name)
	pod.Name, pod.Labels = podName(part, p.next), maps.Clone(old.Labels)
	p.next++
	return pod, nil
}

// Successors returns a Successor of each, in their order.
func (p *Plan) Successors(old []Pod) ([]Pod, error) {
	fresh := make([]Pod, 0, len(old))
	for _, o := range old {
		pod, err := p.Successor(o)
		if err != nil {
			return nil, err
		}
		fresh = append(fresh, pod)
	}
	return fresh, nil
}
