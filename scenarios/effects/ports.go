package effects

import (
	"cmp"
	"encoding/binary"
	"hash/fnv"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"

	"github.com/nodefv/nodefv/workloads"
)

const (
	// namedWays is how many protocols and ports are tried at most that policies name, besides Protocols and Ports.
	namedWays = 32
	// namedFlows is how many flows are tried at most by them all together: all flows between all pods by all of them would take too long.
	namedFlows = 512
)

// way is how a flow is tried.
type way struct {
	protocol corev1.Protocol
	port     uint16
}

func compareWays(a, b way) int {
	return cmp.Or(cmp.Compare(a.protocol, b.protocol), cmp.Compare(a.port, b.port))
}

// mention is a port that a rule names.
type mention struct {
	way
	policy *workloads.Ruleset
	kind   networkingv1.PolicyType
	name   string // empty: by its number
}

// mentions lists what the policies name besides Ports, by the ways that it means: each number, both ends of a range and what comes after
// it, and what each pod calls by a name, whichever protocol the policy says. Sockets by SCTP there are none.
func mentions(ports map[workloads.NamedPort]int, policies []*workloads.Ruleset) map[way][]mention {
	all := map[way][]mention{}
	add := func(m mention) {
		if m.port != 0 && slices.Contains(Protocols, m.protocol) && !slices.Contains(Ports, m.port) {
			all[m.way] = append(all[m.way], m)
		}
	}
	for _, p := range policies {
		for _, kind := range []networkingv1.PolicyType{networkingv1.PolicyTypeIngress, networkingv1.PolicyTypeEgress} {
			for _, r := range p.Rules(kind) {
				for _, port := range r.Ports {
					if port.Name != "" {
						for w := range called(ports, port.Name) {
							add(mention{w, p, kind, port.Name})
						}
						continue
					}
					ends := []uint16{port.First}
					if port.First != port.Last {
						ends = append(ends, port.Last, port.Last+1)
					}
					for _, end := range ends {
						add(mention{way{port.Protocol, end}, p, kind, ""})
					}
				}
			}
		}
	}
	return all
}

// called returns the ways that pods call by a name.
func called(ports map[workloads.NamedPort]int, name string) map[way]bool {
	ways := map[way]bool{}
	for named := range ports {
		if named.Name == name {
			ways[way{named.Protocol, named.Port}] = true
		}
	}
	return ways
}

// namedPorts returns how many pods call each port so.
func namedPorts(s workloads.State) map[workloads.NamedPort]int {
	ports := map[workloads.NamedPort]int{}
	for _, p := range s.Pods().All() {
		for _, named := range p.Ports {
			ports[named]++
		}
	}
	return ports
}

// namedFlowsAmong draws flows between the pods by what the policies in force name besides Protocols and Ports, for each way a row: those
// first of which a policy that names it is asked. Ports are those that pods of the whole cluster name. The same state gives the same; as long
// as a way is named and its pods are there, most of its flows stay. Flows between remote pods are not the local node's.
func namedFlowsAmong(s workloads.State, pods []workloads.Pod, ports map[workloads.NamedPort]int) [][]Flow {
	all := s.Rulesets()
	named, policies := mentions(ports, all), map[workloads.Key][]*workloads.Ruleset{}
	if len(named) == 0 {
		return nil
	}
	for _, p := range pods {
		if p.Node != s.LocalNode {
			continue
		}
		for _, r := range all {
			if r.Selects(p, s.Namespaces().Named(p.Namespace)) {
				policies[p.Key] = append(policies[p.Key], r)
			}
		}
	}
	ring, ways := newRing(s, pods), slices.SortedFunc(maps.Keys(named), func(a, b way) int {
		return cmp.Or(cmp.Compare(place(Flow{}, a), place(Flow{}, b)), compareWays(a, b))
	})
	ways = ways[:min(len(ways), namedWays)]
	var rows [][]Flow
	for _, w := range ways {
		rows = append(rows, ring.draw(w, namedFlows/len(ways), asking(pods, w, named[w], policies)))
	}
	return rows
}

// asking returns what says whether a policy that mentions the way is asked of a flow by it.
func asking(pods []workloads.Pod, w way, named []mention, policies map[workloads.Key][]*workloads.Ruleset) func(Flow) bool {
	hears, sends, owns, byNumber := map[workloads.Key]bool{}, map[workloads.Key]bool{}, map[workloads.Key]bool{}, false
	for _, m := range named {
		selected := hears
		if m.kind == networkingv1.PolicyTypeEgress {
			selected = sends
		}
		for k, of := range policies {
			selected[k] = selected[k] || slices.Contains(of, m.policy)
		}
		if m.name == "" {
			byNumber = true
			continue
		}
		for _, p := range pods {
			owns[p.Key] = owns[p.Key] || slices.Contains(p.Ports, workloads.NamedPort{Name: m.name, Protocol: w.protocol, Port: w.port})
		}
	}
	return func(f Flow) bool { return (byNumber || owns[f.To.Key]) && (hears[f.To.Key] || sends[f.From.Key]) }
}

// ring holds the pods' addresses in pairs, as flows without a way, in an order that has nothing to do with their names and in which they stay
// when others come and go.
type ring []placed

type placed struct {
	at   uint64
	flow Flow
}

func newRing(s workloads.State, pods []workloads.Pod) ring {
	var r ring
	for _, f := range eachPair(s, pods, pairsBetween) {
		r = append(r, placed{place(f, way{}), f})
	}
	slices.SortFunc(r, func(a, b placed) int { return cmp.Compare(a.at, b.at) })
	return r
}

// draw goes round the ring from the way's own place, and returns up to n flows by it: first those that are wanted.
func (r ring) draw(w way, n int, wanted func(Flow) bool) []Flow {
	begin, _ := slices.BinarySearchFunc(r, place(Flow{}, w), func(p placed, at uint64) int { return cmp.Compare(p.at, at) })
	var first, rest []Flow
	for i := 0; i < len(r) && len(first) < n; i++ {
		f := r[(begin+i)%len(r)].flow
		f.Protocol, f.Port = w.protocol, w.port
		if wanted(f) {
			first = append(first, f)
		} else if len(rest) < n {
			rest = append(rest, f)
		}
	}
	return append(first, rest[:min(len(rest), n-len(first))]...)
}

// place is where something is on the ring.
func place(f Flow, by way) uint64 {
	from, to := f.From.Addr.As16(), f.To.Addr.As16()
	h := fnv.New64a()
	_, _ = h.Write(from[:])
	_, _ = h.Write(to[:])
	_, _ = h.Write(binary.BigEndian.AppendUint16([]byte(by.protocol), by.port))
	return h.Sum64()
}
