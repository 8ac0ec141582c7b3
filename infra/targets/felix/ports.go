package felix

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/nodefv/nodefv/workloads"
)

// portList is what a rule says of ports for one protocol.
type portList struct {
	numbers []portRange // ordered, without overlap
	named   []string
}

type portRange struct{ first, last int32 }

func (p portRange) String() string {
	if p.first == p.last {
		return strconv.Itoa(int(p.first))
	}
	return fmt.Sprintf("%d-%d", p.first, p.last)
}

// felixPorts sorts a rule's ports by protocol; no ports at all are the protocol "". A port without a number stands for all
// of its protocol.
func felixPorts(ports []workloads.Port) map[string]portList {
	if len(ports) == 0 {
		return map[string]portList{"": {}}
	}
	all, every := map[string]portList{}, map[string]bool{}
	for _, p := range ports {
		proto := strings.ToLower(string(p.Protocol))
		list := all[proto]
		switch {
		case p.Name != "":
			list.named = append(list.named, p.Name)
		case p.Last == 0:
			every[proto] = true
		default:
			list.numbers = append(list.numbers, portRange{int32(p.First), int32(p.Last)})
		}
		all[proto] = list
	}
	for proto, list := range all {
		if every[proto] {
			list = portList{}
		}
		all[proto] = portList{merged(list.numbers), list.named}
	}
	return all
}

// merged orders ranges and joins those that touch.
func merged(ranges []portRange) []portRange {
	slices.SortFunc(ranges, func(a, b portRange) int { return cmp.Or(cmp.Compare(a.first, b.first), cmp.Compare(a.last, b.last)) })
	var out []portRange
	for _, r := range ranges {
		if n := len(out); n > 0 && r.first <= out[n-1].last+1 {
			out[n-1].last = max(out[n-1].last, r.last)
			continue
		}
		out = append(out, r)
	}
	return out
}

// split deals the ports to matches of fifteen places, of which a range takes two: a limit of iptables.
func (l portList) split() []string {
	const places = 15
	var all []string
	var now []string
	free := places
	for _, r := range l.numbers {
		need := 2
		if r.first == r.last {
			need = 1
		}
		if free < need {
			all, now, free = append(all, strings.Join(now, ",")), nil, places
		}
		now, free = append(now, r.String()), free-need
	}
	if len(now) > 0 {
		all = append(all, strings.Join(now, ","))
	}
	return all
}
