package mutants

import "github.com/nodefv/nodefv/infra/mutants"

const (
	endpointManager  = "felix/dataplane/linux/endpoint_mgr.go"
	routeTable       = "felix/routetable/route_table.go"
	conntrackTracker = "felix/routetable/conntrack_owner_tracker.go"
)

// endpoints are bugs in interfaces, routes, tracked connections and the files that tell of a pod's state.
var endpoints = []mutants.Mutant{
	{
		Name: "ipv6-route-of-cleared-address", Class: mutants.Programmed,
		Bug:   "when a pod of both families loses its addresses, the route of IPv6 stays",
		Cause: `route`,
		Edits: []mutants.Edit{{
			File: endpointManager,
			Old: `			logCxt.Info("Workload removed, deleting old state.")
			m.routeTable.SetRoutes(oldWorkload.Name, nil)`,
			New: `			logCxt.Info("Workload removed, deleting old state.")
			if !$on || m.ipVersion == 4 {
				m.routeTable.SetRoutes(oldWorkload.Name, nil)
			}`,
		}},
	},
	{
		Name: "proxy-arp-not-set", Class: mutants.Programmed,
		Bug:   "the host does not answer for addresses beyond a pod's interface (proxy_arp)",
		Cause: `proxy_arp`,
		Edits: []mutants.Edit{{
			File: endpointManager,
			Old:  `		err = writeProcSys(fmt.Sprintf("/proc/sys/net/ipv4/conf/%s/proxy_arp", name), "1")`,
			New: `		if !$on {
			err = writeProcSys(fmt.Sprintf("/proc/sys/net/ipv4/conf/%s/proxy_arp", name), "1")
		}`,
		}},
	},
	{
		Name: "late-interface-not-configured", Class: mutants.Programmed,
		Bug:   "an interface that comes up after its pod is known is not given its settings",
		Cause: `interface of pod`,
		Edits: []mutants.Edit{{
			File: endpointManager,
			Old: `					"Workload interface came up, marking for reconfiguration.")
				m.wlIfaceNamesToReconfigure.Add(ifaceName)`,
			New: `					"Workload interface came up, marking for reconfiguration.")
				if !$on {
					m.wlIfaceNamesToReconfigure.Add(ifaceName)
				}`,
		}},
	},
	{
		Name: "groups-not-drawn-anew", Class: mutants.Equivalent,
		Bug: "when a policy selects by other labels now, the groups of policies that it was in are not drawn anew",
		Why: "a pod that the policy holds for before and after keeps the same policies in the same order, grouped otherwise; for another the endpoint changes, and its groups are drawn then",
		Edits: []mutants.Edit{{
			File: endpointManager,
			Old:  `			m.dirtyPolicyIDs.Add(id)`,
			New: `			if !$on {
				m.dirtyPolicyIDs.Add(id)
			}`,
		}},
	},
	{
		Name: "chains-remembered-for-ever", Class: mutants.Leak,
		Bug:   "the chains of a pod that went are removed from the kernel, but kept in memory",
		Cause: `heap|memory|ndpoint\w*Chain`,
		Edits: []mutants.Edit{{
			File: endpointManager,
			Old: `		m.filterTable.RemoveChains(m.activeWlIDToChains[id])
		delete(m.activeWlIDToChains, id)`,
			New: `		if !$on {
			m.filterTable.RemoveChains(m.activeWlIDToChains[id])
		}
		delete(m.activeWlIDToChains, id)`,
		}},
	},
	{
		Name: "late-interface-without-route", Class: mutants.Programmed,
		Bug:   "the routes of an interface that comes up after its pod is known are not made",
		Cause: `route`,
		Edits: []mutants.Edit{{
			File: routeTable,
			Old: `	r.recheckRouteOwnershipsByIface(ifaceName)

	if r.haveMultiPathRoutes {`,
			New: `	if !$on {
		r.recheckRouteOwnershipsByIface(ifaceName)
	}

	if r.haveMultiPathRoutes {`,
		}},
	},
	{
		Name: "shared-address-route-stays", Class: mutants.Programmed,
		Bug:   "of two pods that hold one address one goes, and the route is not given to the other",
		Cause: `route`,
		Edits: []mutants.Edit{{
			File: routeTable,
			Old: `		delete(r.cidrToIfaces[class], cidr)
	}
	r.recalculateDesiredKernelRoute(cidr)`,
			New: `		delete(r.cidrToIfaces[class], cidr)
	} else if $on {
		return
	}
	r.recalculateDesiredKernelRoute(cidr)`,
		}},
	},
	{
		Name: "restart-leaves-routes", Class: mutants.Programmed,
		Bug:   "the route of a pod that went while the agent was down stays as long as the interface does",
		Cause: `route`,
		Edits: []mutants.Edit{{
			File: routeTable,
			Old:  `	return r.time.Since(graceInf.FirstSeen) < r.routeCleanupGracePeriod`,
			New:  `	return $on || r.time.Since(graceInf.FirstSeen) < r.routeCleanupGracePeriod`,
		}},
	},
	{
		Name: "conntrack-entries-kept", Class: mutants.Leak,
		Bug:   "the tracked connections of an address that went are not removed, and hold for who has the address next",
		Cause: `conntrack|tracked`,
		Edits: []mutants.Edit{{
			File: conntrackTracker,
			Old:  `	c.addrsToCleanUp.Add(addr)`,
			New: `	if !$on {
		c.addrsToCleanUp.Add(addr)
	}`,
		}},
	},
	{
		Name: "conntrack-replies-kept", Class: mutants.Leak,
		Bug:   "of an address that went only the connections are removed from conntrack that it began",
		Cause: `conntrack|tracked`,
		Edits: []mutants.Edit{{
			File: "felix/conntrack/conntrack.go",
			Old:  `	for _, direction := range deleteDirections {`,
			New: `	for _, direction := range deleteDirections {
		if $on && direction == "--reply-src" {
			continue
		}`,
		}},
	},
	{
		Name: "clean-up-goroutines-stuck", Class: mutants.Leak,
		Bug:   "the goroutine that cleans up the tracked connections of an address that went never ends",
		Cause: `goroutine`,
		Edits: []mutants.Edit{{
			File: conntrackTracker,
			Old: `	c.cleanUpStaleChannels()
}`,
			New: `	if !$on {
		c.cleanUpStaleChannels()
	}
}`,
		}},
	},
	{
		Name: "status-file-stays", Class: mutants.Gauge,
		Bug:   "the file that tells of a pod's state stays when the pod goes",
		Cause: `status`,
		Edits: []mutants.Edit{{
			File: "felix/statusrep/status_file_reporter.go",
			Old: `		logrus.WithField("remove", e).Debug("Handling WorkloadEndpointStatusRemove")
		fr.statusDirDeltaTracker.Desired().Delete(fn)`,
			New: `		if !$on {
			fr.statusDirDeltaTracker.Desired().Delete(fn)
		}`,
		}},
	},
	{
		Name: "static-neighbours-not-written", Class: mutants.Equivalent,
		Bug: "the hardware addresses of pods are not written to the table of neighbours",
		Why: "a pod of Kubernetes has no hardware address in Felix's model, so there is none to write",
		Edits: []mutants.Edit{{
			File: routeTable,
			Old:  `			err := r.addStaticARPEntry(nl, addr, mac, ifaceIdx)`,
			New: `			var err error
			if !$on {
				err = r.addStaticARPEntry(nl, addr, mac, ifaceIdx)
			}`,
		}},
	},
}
