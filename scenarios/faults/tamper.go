package faults

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/nodefv/nodefv/metrics"
	"github.com/nodefv/nodefv/metrics/report"
	"github.com/nodefv/nodefv/scenarios/effects"
	"github.com/nodefv/nodefv/scenarios/engine"
	"github.com/nodefv/nodefv/workloads"
	"github.com/nodefv/nodefv/workloads/kernel"
)

// stranger is a pod address that no plan deals out: the last of the pool.
const stranger = "10.191.255.254"

// rulesMissing is the cause where the chain of a pod lacks rules.
var rulesMissing = Cause{Probe: "kernel", Aspect: report.Rules, Kind: report.Pod, Change: report.Missing}

// What is changed in the kernel behind the SUT's back.
var _ = register(
	Fault{Name: "a rule deleted", Want: metrics.Fail, Causes: []Cause{rulesMissing}, Break: onChain(deleteRule)},
	Fault{Name: "a chain flushed", Want: metrics.Fail, Causes: []Cause{rulesMissing}, Break: onChain(flush)},
	Fault{Name: "a set member removed", Want: metrics.Fail, Causes: []Cause{{Probe: "kernel", Aspect: report.Members, Kind: report.Set, Change: report.Missing}}, Break: onSet(removeMember)},
	Fault{Name: "a set member added", Want: metrics.Fail, Causes: []Cause{{Probe: "kernel", Aspect: report.Members, Kind: report.Set, Part: stranger, Change: report.TooMany}}, Break: onSet(addMember)},
	Fault{Name: "a route removed", Want: metrics.Fail, Causes: []Cause{{Probe: "routes", Kind: report.Route, Change: report.Missing}}, Break: onPod(func(ip netip.Addr, dev string) []string {
		return []string{"ip", "route", "del", ip.String() + "/32", "dev", dev}
	})},
	Fault{Name: "a wrong route added", Want: metrics.Fail, Causes: []Cause{{Probe: "routes", Kind: report.Route, Subject: stranger + "/32", Change: report.TooMany}}, Break: onPod(func(_ netip.Addr, dev string) []string {
		return []string{"ip", "route", "add", stranger + "/32", "dev", dev}
	})},
	Fault{Name: "an interface down", Want: metrics.Fail, Causes: []Cause{{Probe: "kernel", Aspect: report.Links, Kind: report.Interface, Want: "up", Got: "down"}}, Break: onPod(func(_ netip.Addr, dev string) []string {
		return []string{"ip", "link", "set", dev, "down"}
	})},
)

// DeleteRule deletes the first rule of the first chain that is named after the pod's interface.
func DeleteRule(ctx context.Context, w *engine.World, s Saboteur, pod workloads.Key) error {
	return onChainOf(ctx, w, s, effects.Of(w).HostInterface(pod.Namespace, pod.Name), deleteRule)
}

// PutMember adds an address to a set.
func PutMember(ctx context.Context, s Saboteur, set kernel.ID, member netip.Addr) error {
	family := "ip"
	if set.Family == kernel.IPv6 {
		family = "ip6"
	}
	command := []string{"nft", "add", "element", family, set.Table, set.Name, "{ " + member.String() + " }"}
	if iptables(s.Backend()) != "" {
		command = []string{"ipset", "add", set.Name, member.String()}
	}
	_, err := s.Run(ctx, command...)
	return err
}

// DeleteRoute removes the route to an address.
func DeleteRoute(ctx context.Context, s Saboteur, to netip.Addr) error {
	_, err := s.Run(ctx, "ip", map[bool]string{false: "-4", true: "-6"}[to.Is6()], "route", "del", netip.PrefixFrom(to, to.BitLen()).String())
	return err
}

// victim is the first local pod.
func victim(w *engine.World) (workloads.Pod, string) {
	pod := w.Fleet.State().LocalPods()[0]
	return pod, effects.Of(w).HostInterface(pod.Namespace, pod.Name)
}

func onPod(command func(ip netip.Addr, dev string) []string) func(context.Context, *engine.World, Saboteur) error {
	return func(ctx context.Context, w *engine.World, s Saboteur) error {
		pod, dev := victim(w)
		_, err := s.Run(ctx, command(pod.IPs[0], dev)...)
		return err
	}
}

// onChain works on the first chain that is named after the victim's interface.
func onChain(do func(context.Context, Saboteur, kernel.ID) error) func(context.Context, *engine.World, Saboteur) error {
	return func(ctx context.Context, w *engine.World, s Saboteur) error {
		_, dev := victim(w)
		return onChainOf(ctx, w, s, dev, do)
	}
}

func onChainOf(ctx context.Context, w *engine.World, s Saboteur, dev string, do func(context.Context, Saboteur, kernel.ID) error) error {
	k, err := effects.Of(w).Kernel.Programmed(ctx)
	if err != nil {
		return err
	}
	var chains []kernel.ID
	for id, c := range k.Chains {
		if id.Family == kernel.IPv4 && strings.HasSuffix(id.Name, "-"+dev) && len(c.Rules) > 0 {
			chains = append(chains, id)
		}
	}
	if len(chains) == 0 {
		return fmt.Errorf("no chain is named after %s", dev)
	}
	return do(ctx, s, slices.MinFunc(chains, compare))
}

// onSet works on the first set that has the address of a pod as a member.
func onSet(do func(ctx context.Context, s Saboteur, set kernel.ID, member string) error) func(context.Context, *engine.World, Saboteur) error {
	return func(ctx context.Context, w *engine.World, s Saboteur) error {
		k, err := effects.Of(w).Kernel.Programmed(ctx)
		if err != nil {
			return err
		}
		members := map[kernel.ID]string{}
		for _, pod := range w.Fleet.State().LocalPods() {
			for id, set := range k.Sets {
				if slices.Contains(set.Members, pod.IPs[0].String()) {
					members[id] = pod.IPs[0].String()
				}
			}
		}
		if len(members) == 0 {
			return fmt.Errorf("no set has a local pod as a member")
		}
		var sets []kernel.ID
		for id := range members {
			sets = append(sets, id)
		}
		set := slices.MinFunc(sets, compare)
		return do(ctx, s, set, members[set])
	}
}

func compare(a, b kernel.ID) int { return strings.Compare(a.String(), b.String()) }

// iptables names the program of a backend; empty: it is nft.
func iptables(b kernel.Backend) string {
	if b == kernel.NFTables {
		return ""
	}
	return string(b)
}

func deleteRule(ctx context.Context, s Saboteur, chain kernel.ID) error {
	if program := iptables(s.Backend()); program != "" {
		_, err := s.Run(ctx, program, "-w", "-t", chain.Table, "-D", chain.Name, "1")
		return err
	}
	out, err := s.Run(ctx, "nft", "-j", "list", "chain", "ip", chain.Table, chain.Name)
	if err != nil {
		return err
	}
	var dump struct {
		Nftables []struct{ Rule *struct{ Handle int } }
	}
	if err := json.Unmarshal(out, &dump); err != nil {
		return fmt.Errorf("read chain %s: %w", chain, err)
	}
	for _, o := range dump.Nftables {
		if o.Rule != nil {
			_, err := s.Run(ctx, "nft", "delete", "rule", "ip", chain.Table, chain.Name, "handle", strconv.Itoa(o.Rule.Handle))
			return err
		}
	}
	return fmt.Errorf("chain %s has no rule", chain)
}

func flush(ctx context.Context, s Saboteur, chain kernel.ID) error {
	command := []string{"nft", "flush", "chain", "ip", chain.Table, chain.Name}
	if program := iptables(s.Backend()); program != "" {
		command = []string{program, "-w", "-t", chain.Table, "-F", chain.Name}
	}
	_, err := s.Run(ctx, command...)
	return err
}

func removeMember(ctx context.Context, s Saboteur, set kernel.ID, member string) error {
	command := []string{"nft", "delete", "element", "ip", set.Table, set.Name, "{ " + member + " }"}
	if iptables(s.Backend()) != "" {
		command = []string{"ipset", "del", set.Name, member}
	}
	_, err := s.Run(ctx, command...)
	return err
}

func addMember(ctx context.Context, s Saboteur, set kernel.ID, _ string) error {
	return PutMember(ctx, s, set, netip.MustParseAddr(stranger))
}
