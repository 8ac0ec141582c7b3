package workloads

import (
	"maps"
	"net/netip"
	"slices"
)

// Vacated returns the addresses that local pods had and nobody has now, and whose each was last.
func (f *Fleet) Vacated() map[netip.Addr]Key {
	f.mu.Lock()
	defer f.mu.Unlock()
	return maps.Clone(f.vacated)
}

// AgentRestarted tells the fleet that the agent has begun anew: nothing tells it of addresses whose veths went while it was away, so they
// are vacated no more.
func (f *Fleet) AgentRestarted() {
	f.mu.Lock()
	defer f.mu.Unlock()
	maps.DeleteFunc(f.vacated, func(_ netip.Addr, last Key) bool {
		return !f.plugged[last] || len(f.state.Pods[last].IPs) > 0
	})
}

// vacate notes the addresses that local pods have lost, but for those that pods of the state have. The lock is held.
func (f *Fleet) vacate(s State, lost map[netip.Addr]Key) {
	if len(lost) == 0 {
		return
	}
	maps.Copy(f.vacated, lost)
	for _, p := range s.Pods {
		f.occupy(p)
	}
}

// occupy notes that a pod has its addresses. The lock is held.
func (f *Fleet) occupy(p Pod) {
	for _, ip := range p.IPs {
		delete(f.vacated, ip)
	}
}

// lose adds the addresses of a pod that has a veth, but for those that it keeps.
func (s State) lose(lost map[netip.Addr]Key, p Pod, kept ...netip.Addr) {
	for _, ip := range p.IPs {
		if s.plugged(p) && !slices.Contains(kept, ip) {
			lost[ip] = p.Key
		}
	}
}
