package effects

import (
	"net/netip"
	"slices"

	"github.com/nodefv/nodefv/workloads"
)

// verdict asks the oracle of a state that consists of some parts. A packet's sender and receiver are whoever has the address. While an address
// passes on, several pods have it: either of them may be meant, at each side independently.
func verdict(f Flow, s workloads.State, parts []any) legal {
	var allowed legal
	from, missing := senders(f, s, parts)
	allowed |= missing
	to, missing := receivers(f, s, parts)
	allowed |= missing
	if len(from) == 0 || len(to) == 0 {
		return allowed
	}
	x, self := s.Assemble(parts), endpoint(f.From, s)
	var leaves, enters legal
	for _, receiver := range to {
		if f.From.Remote {
			leaves |= mayPass // its own node has let it pass
		} else {
			leaves |= passing(x.Leaves(self, receiver, f.Protocol, f.Port))
		}
		for _, sender := range from {
			enters |= passing(x.Enters(sender, receiver, f.Protocol, f.Port))
		}
	}
	if len(from)+len(to) > 2 && slices.ContainsFunc(parts, ordered) {
		return either // a rule that comes first may hold for the one, and the next for the other
	}
	return allowed | leaves&enters&mayPass | (leaves|enters)&mayDrop
}

func passing(passes bool) legal {
	if passes {
		return mayPass
	}
	return mayDrop
}

// ordered reports whether a part is a policy whose rules can do more than allow.
func ordered(part any) bool {
	r, ok := part.(*workloads.Ruleset)
	return ok && r.Tier != workloads.NetworkTier
}

// endpoint is an end as the oracle knows it.
func endpoint(e End, s workloads.State) workloads.Endpoint {
	if e.Key == (workloads.Key{}) {
		return workloads.Endpoint{Node: s.LocalNode, Addr: e.Addr}
	}
	return workloads.Endpoint{Pod: e.Key, Addr: e.Addr}
}

// senders returns who may be taken for the sender, and the verdict that is legal because it may not be there. A local one sends from its veth,
// and may send nothing when it is gone, or has another address by now; of a remote one there is its address alone, which is there until a local
// pod has it.
func senders(f Flow, s workloads.State, parts []any) (all []workloads.Endpoint, missing legal) {
	if f.From.Key == (workloads.Key{}) {
		return []workloads.Endpoint{endpoint(f.From, s)}, 0
	}
	there := false
	for _, p := range tenants(f.From.Addr, parts) {
		all = append(all, workloads.Endpoint{Pod: p.Key, Addr: f.From.Addr})
		switch here := p.Node == s.LocalNode; {
		case !f.From.Remote && p.Key == f.From.Key && here && !p.Bare:
			there = true
		case f.From.Remote && here, !f.From.Remote && p.Key != f.From.Key:
			missing = mayDrop // the way back leads elsewhere
		}
	}
	switch {
	case f.From.Remote && len(all) == 0:
		return []workloads.Endpoint{{Addr: f.From.Addr}}, 0 // it sends all the same, from an address outside
	case !f.From.Remote && !there:
		return nil, mayDrop
	}
	return all, missing
}

// receivers returns who may be taken for the receiver, and the verdict that is legal because it may not be there.
func receivers(f Flow, s workloads.State, parts []any) (all []workloads.Endpoint, missing legal) {
	if f.To.Key == (workloads.Key{}) {
		return []workloads.Endpoint{endpoint(f.To, s)}, 0
	}
	for _, p := range tenants(f.To.Addr, parts) {
		here := p.Node == s.LocalNode
		if here == f.To.Remote {
			missing = mayDrop // the way to it leads elsewhere
		}
		if here && p.Bare {
			missing = mayDrop
			continue
		}
		all = append(all, workloads.Endpoint{Pod: p.Key, Addr: f.To.Addr})
	}
	if len(all) > 1 {
		missing = mayDrop // it may be the other one's
	}
	if len(all) > 0 {
		return all, missing
	}
	if f.To.Remote {
		return []workloads.Endpoint{{Addr: f.To.Addr}}, missing
	}
	return nil, mayDrop
}

// tenants returns the pods that have an address.
func tenants(addr netip.Addr, parts []any) []workloads.Pod {
	var all []workloads.Pod
	for _, part := range parts {
		if p, ok := part.(workloads.Pod); ok && slices.Contains(p.IPs, addr) {
			all = append(all, p)
		}
	}
	return all
}
