package felix

import (
	"slices"
	"strings"

	"github.com/nodefv/nodefv/metrics"
	"github.com/nodefv/nodefv/workloads"
	"github.com/nodefv/nodefv/workloads/kernel"
)

// Gauges that Felix alone has.
const (
	felixHosts            metrics.Gauge = "hosts"             // of which it knows an address or an endpoint
	felixHostEndpoints    metrics.Gauge = "host_endpoints"    // Calico's own objects of that name
	felixPolicies         metrics.Gauge = "policies"          // of every kind, in the whole cluster
	felixProfiles         metrics.Gauge = "profiles"          // one for each namespace, and one that allows all
	felixTierCount        metrics.Gauge = "tiers"             // of policies
	felixIndexedEndpoints metrics.Gauge = "indexed_endpoints" // that selectors are matched with
	felixIndexedSelectors metrics.Gauge = "indexed_selectors" // that are matched with them
	felixRoutes           metrics.Gauge = "wanted_routes"     // that it wants to the pods here
)

// felixOwnProfiles are the profiles that no namespace of the model has: of the four that the API server makes by itself, and Calico's own.
const felixOwnProfiles = 5

// Gauges maps our words to Felix's; sync status 3 is "in sync".
func (f felix) Gauges() map[metrics.Gauge]metrics.Selector {
	inSync := 3.0
	gauges := map[metrics.Gauge]metrics.Selector{
		metrics.Endpoints:      {Metric: "felix_cluster_num_workload_endpoints"},
		metrics.LocalEndpoints: {Metric: "felix_active_local_endpoints"},
		metrics.InSync:         {Metric: "felix_resync_state", OneWhen: &inSync},
		metrics.Chains:         {Metric: "felix_iptables_chains"},
		metrics.Selectors:      {Metric: "felix_active_local_selectors"},
		metrics.Rules:          {Metric: "felix_iptables_rules"},
		metrics.IPSets:         {Metric: "felix_ipsets_calico"},
		metrics.HeapBytes:      {Metric: "go_memstats_heap_alloc_bytes"},
		metrics.HeapObjects:    {Metric: "go_memstats_heap_objects"},
		metrics.Goroutines:     {Metric: "go_goroutines"},
		felixHosts:             {Metric: "felix_cluster_num_hosts"},
		felixHostEndpoints:     {Metric: "felix_cluster_num_host_endpoints"},
		felixPolicies:          {Metric: "felix_cluster_num_policies"},
		felixProfiles:          {Metric: "felix_cluster_num_profiles"},
		felixTierCount:         {Metric: "felix_cluster_num_tiers"},
		felixIndexedEndpoints:  {Metric: "felix_label_index_num_endpoints"},
		felixIndexedSelectors:  {Metric: "felix_label_index_num_active_selectors"},
		felixRoutes:            {Metric: "felix_route_table_num_routes"},
	}
	if f.Backend() == kernel.NFTables {
		gauges[metrics.Chains], gauges[metrics.Rules] = metrics.Selector{Metric: "felix_nft_chains"}, metrics.Selector{Metric: "felix_nft_rules"}
		gauges[metrics.IPSets] = metrics.Selector{Metric: "felix_nft_sets"}
	}
	return gauges
}

// Counted gives Felix's gauges the values that they should have. Left out are those that are known to be wrong (docs/findings.md): rules
// in nftables mode, felix_active_local_policies, felix_ipsets_total; and those that say nothing of what there is (docs/gauges.md).
func (f felix) Counted(s workloads.State, k *kernel.State) map[metrics.Gauge]float64 {
	count := told(s)
	// Felix counts the kernel's own chains to which it adds: 3 of filter, 4 of nat, 5 of mangle, 2 of raw; from v3.32 on those of ARP as well,
	// in nftables mode.
	count[metrics.Chains], count[metrics.Rules], count[metrics.IPSets], count[metrics.Selectors] = float64(len(kernel.Families)*14), 0, 0, 0
	for id, c := range k.Chains {
		if _, name := f.place(id); strings.HasPrefix(name, "cali-") || id.Family == kernel.ARP {
			count[metrics.Chains]++
		}
		for _, r := range c.Rules {
			if strings.HasPrefix(r.Comment, "cali:") {
				count[metrics.Rules]++
			}
		}
	}
	for id := range k.Sets {
		if id.Family == kernel.IPv4 && madeForPolicy(id.Name) {
			count[metrics.Selectors]++
		}
		if slices.ContainsFunc([]string{"cali40", "cali60"}, func(p string) bool { return strings.HasPrefix(id.Name, p) }) {
			count[metrics.IPSets]++
		}
	}
	count[felixIndexedSelectors] = count[metrics.Selectors]
	if f.Backend() == kernel.NFTables {
		delete(count, metrics.Rules)
	}
	return count
}

// told counts what the API tells Felix.
func told(s workloads.State) map[metrics.Gauge]float64 {
	hosts := map[string]bool{s.LocalNode: true}
	for name := range s.Nodes().All() {
		hosts[name.Name] = true
	}
	endpoints, routes := 0, map[string]bool{}
	for _, p := range s.Pods().All() {
		if len(p.IPs) == 0 {
			continue
		}
		endpoints, hosts[p.Node] = endpoints+1, true
		for _, ip := range p.IPs {
			if p.Node == s.LocalNode && !p.Bare {
				routes[ip.String()] = true
			}
		}
	}
	policies := s.Policies().Len()
	for _, p := range workloads.NewIndex(s).ClusterWide() {
		if !lost(p) {
			policies++
		}
	}
	return map[metrics.Gauge]float64{
		felixHosts: float64(len(hosts)), felixHostEndpoints: 0, felixPolicies: float64(policies),
		felixProfiles: float64(felixOwnProfiles + s.Namespaces().Len()), felixTierCount: float64(len(felixTiers)),
		felixIndexedEndpoints: float64(endpoints), felixRoutes: float64(len(routes)),
	}
}
