package leak

import (
	"context"
	"net/netip"
	"slices"
	"strings"

	"github.com/nodefv/nodefv/scenarios/effects"
	"github.com/nodefv/nodefv/scenarios/engine"
	"github.com/nodefv/nodefv/workloads"
	"github.com/nodefv/nodefv/workloads/kernel"
)

// counted are the classes of which the numbers are judged. eBPF objects belong to the whole machine, and say nothing of the SUT.
var counted = []kernel.Class{
	kernel.Chains, kernel.Rules, kernel.Sets, kernel.Members, kernel.RouteEntries, kernel.PolicyRules, kernel.Neighbours, kernel.Links, kernel.Connections, kernel.Mounts,
	kernel.Namespaces,
}

// passing are the classes whose names come and go by themselves, so that their numbers alone are judged.
var passing = []kernel.Class{kernel.Neighbours, kernel.Connections, kernel.Descriptors, kernel.BPFMaps, kernel.BPFPrograms}

// left is what the last two censuses have more or less than the first.
func (r *reader) left() []string {
	if r.previous == nil {
		return nil
	}
	both := map[string]bool{}
	for _, c := range r.previous.Since(r.before) {
		both[c.String()] = true
	}
	var all []string
	for _, c := range r.last.Since(r.before) {
		if both[c.String()] && !slices.Contains(passing, c.Class) {
			all = append(all, c.String())
		}
	}
	return all
}

// census counts what the kernel holds; of neighbours and connections, those of addresses that pods had and no pod has.
func census(ctx context.Context, w *engine.World) (kernel.Census, error) {
	c, err := effects.InspectorOf(w).Census(ctx)
	if err != nil {
		return nil, err
	}
	gone := gone(w)
	told := func(word string) bool {
		addr, err := netip.ParseAddr(word)
		if ends, e := netip.ParseAddrPort(word); err != nil && e == nil {
			addr = ends.Addr()
		}
		return addr.IsValid() && gone(addr)
	}
	for _, class := range []kernel.Class{kernel.Neighbours, kernel.Connections} {
		for name := range c[class] {
			if !slices.ContainsFunc(strings.Fields(name), told) {
				delete(c[class], name)
			}
		}
	}
	return c, nil
}

// gone tells the addresses of which no pod has any now.
func gone(w *engine.World) func(netip.Addr) bool {
	present := map[netip.Addr]bool{}
	for _, p := range w.Plan.Ring(w.Fleet.State()) {
		for _, ip := range p.IPs {
			present[ip] = true
		}
	}
	return func(a netip.Addr) bool { return inPool(a) && !present[a] }
}

func inPool(a netip.Addr) bool { return workloads.InPool(netip.PrefixFrom(a, a.BitLen()).String()) }
