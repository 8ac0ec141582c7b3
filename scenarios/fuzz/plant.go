package fuzz

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/nodefv/nodefv/scenarios/effects"
	"github.com/nodefv/nodefv/scenarios/engine"
	"github.com/nodefv/nodefv/scenarios/faults"
	"github.com/nodefv/nodefv/workloads"
	"github.com/nodefv/nodefv/workloads/kernel"
)

// Plant is a fault that is made behind the SUT's back when its condition on the state comes, as if the SUT had it: by it the fuzzer
// is tested. It is planted anew whenever a cluster begins anew.
type Plant struct {
	Name string
	Doc  string
	// Begin returns what is called after each batch whose comparison agreed, and says whether it broke something just now.
	Begin func() func(context.Context, Look) (broke bool, err error)
}

// Look is what a plant sees after a batch, and how it breaks what it sees.
type Look struct {
	World    *engine.World
	Saboteur faults.Saboteur
	Now      workloads.State
}

// plants are those that a comparison at rest can find, one that ends the agent, and two that only a judgement of every packet can.
var plants = []Plant{
	{Name: "rule deleted", Doc: "a rule of a local pod goes when there are seven policies", Begin: ruleDeleted},
	{Name: "member left", Doc: "the address of a pod that goes stays in a set", Begin: memberLeft},
	{Name: "route lost", Doc: "the second route of a local pod with two addresses goes", Begin: routeLost},
	{Name: "agent killed", Doc: "the agent dies when there are three policies", Begin: agentKilled},
	{Name: "let through", Doc: "no policy holds for 50 ms, once, when there are three (iptables)", Begin: letThrough},
	{Name: "one in a thousand", Doc: "of a thousand UDP packets one passes whatever the policies, from three policies on (iptables)", Begin: oneInAThousand},
}

// FindPlant returns the plant of that name.
func FindPlant(name string) (Plant, error) {
	var names []string
	for _, p := range plants {
		if p.Name == name {
			return p, nil
		}
		names = append(names, p.Name)
	}
	return Plant{}, fmt.Errorf("there is no plant %q; there are: %s", name, strings.Join(names, ", "))
}

// served returns the local pods that the SUT serves.
func served(s workloads.State) []workloads.Pod {
	return slices.DeleteFunc(s.LocalPods(), func(p workloads.Pod) bool { return p.Bare || len(p.IPs) == 0 })
}

func ruleDeleted() func(context.Context, Look) (bool, error) {
	done := false
	return func(ctx context.Context, l Look) (bool, error) {
		pods := served(l.Now)
		if done || l.Now.Policies().Len() < 7 || len(pods) == 0 {
			return false, nil
		}
		done = true
		return true, faults.DeleteRule(ctx, l.World, l.Saboteur, pods[0].Key)
	}
}

// memberLeft remembers which set had which pod's address.
func memberLeft() func(context.Context, Look) (bool, error) {
	var before *kernel.State
	owned := map[netip.Addr]bool{}
	return func(ctx context.Context, l Look) (bool, error) {
		k, err := effects.Of(l.World).Kernel.Programmed(ctx)
		if err != nil {
			return false, err
		}
		now := map[netip.Addr]bool{}
		for _, p := range l.Now.Pods().All() {
			for _, ip := range p.IPs {
				now[ip] = true
			}
		}
		was, had := before, owned
		before, owned = k, now
		if was == nil {
			return false, nil
		}
		for id, set := range was.Sets {
			if _, stays := k.Sets[id]; !stays {
				continue
			}
			for _, m := range set.Members {
				if ip, err := netip.ParseAddr(m); err == nil && had[ip] && !now[ip] {
					return true, faults.PutMember(ctx, l.Saboteur, id, ip)
				}
			}
		}
		return false, nil
	}
}

func routeLost() func(context.Context, Look) (bool, error) {
	return func(ctx context.Context, l Look) (bool, error) {
		for _, p := range served(l.Now) {
			if len(p.IPs) == 2 {
				return true, faults.DeleteRoute(ctx, l.Saboteur, p.IPs[1])
			}
		}
		return false, nil
	}
}

func agentKilled() func(context.Context, Look) (bool, error) {
	return func(_ context.Context, l Look) (bool, error) {
		if l.Now.Policies().Len() < 3 {
			return false, nil
		}
		return true, l.Saboteur.Signal(syscall.SIGKILL)
	}
}

// leak is a rule before those of the SUT that lets packets pass; how, iptables puts it first ("-I") or deletes it ("-D").
func leak(ctx context.Context, l Look, how string, match ...string) error {
	if l.Saboteur.Backend() == kernel.NFTables {
		return errors.New("it needs a data plane of iptables: what nftables drops in its own table is dropped")
	}
	command := append([]string{string(l.Saboteur.Backend()), "-w", how, "FORWARD"}, match...)
	_, err := l.Saboteur.Run(ctx, append(command, "-j", "ACCEPT")...)
	return err
}

func letThrough() func(context.Context, Look) (bool, error) {
	done := false
	return func(ctx context.Context, l Look) (bool, error) {
		if done || l.Now.Policies().Len() < 3 {
			return false, nil
		}
		done = true
		if err := leak(ctx, l, "-I"); err != nil {
			return false, err
		}
		time.Sleep(50 * time.Millisecond)
		return true, leak(ctx, l, "-D")
	}
}

func oneInAThousand() func(context.Context, Look) (bool, error) {
	match := []string{"-p", "udp", "-m", "statistic", "--mode", "nth", "--every", "1000", "--packet", "0"}
	return func(ctx context.Context, l Look) (bool, error) {
		_ = leak(ctx, l, "-D", match...) // of the batch before, or of the cluster before: the SUT has put its own rules before it since
		if l.Now.Policies().Len() < 3 {
			return false, nil
		}
		return true, leak(ctx, l, "-I", match...)
	}
}
