package workloads

import (
	"maps"
	"net/netip"

	"github.com/nodefv/nodefv/workloads/snapshot"
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
		return !f.plugged[last] || len(f.state.Pods().Get(last).IPs) > 0
	})
}

// readdressed notes which addresses pods have lost and got as the model changed. The lock is held.
func (f *Fleet) readdressed(before, after State) {
	lost := map[netip.Addr]Key{}
	for _, d := range snapshot.Diff(before.objects, after.objects) {
		was, is := d.Was.pod(), d.Is.pod()
		for _, ip := range was.IPs {
			if f.tenants[ip]--; f.tenants[ip] == 0 {
				delete(f.tenants, ip)
			}
			if before.plugged(was) {
				lost[ip] = was.Key
			}
		}
		for _, ip := range is.IPs {
			f.tenants[ip]++
			delete(f.vacated, ip)
		}
	}
	for ip, last := range lost {
		if f.tenants[ip] == 0 {
			f.vacated[ip] = last
		}
	}
}

// pod returns the pod that is held; its zero value if it is none.
func (h *held) pod() (p Pod) {
	if h != nil {
		p, _ = h.object.(Pod)
	}
	return p
}
