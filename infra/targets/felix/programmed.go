package felix

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	networkingv1 "k8s.io/api/networking/v1"

	"github.com/nodefv/nodefv/metrics/report"
	"github.com/nodefv/nodefv/workloads"
	"github.com/nodefv/nodefv/workloads/kernel"
)

// Backend returns the data plane.
func (f felix) Backend() kernel.Backend { return kernel.Backend(f.DataPlane) }

// felixReleases are those whose rules the model was held against (docs/releases.md).
var felixReleases = regexp.MustCompile(`^v3\.(30|31|32)\.`)

// Fits goes by the release: a build that names none is taken for one that is not known.
func (f felix) Fits() bool { return felixReleases.MatchString(f.Version) }

// felixSysctls are what Felix sets on the host interface of a workload; rp_filter is as the kernel's default.
var felixSysctls = map[string]string{
	"ipv4.conf.*.forwarding": "1", "ipv4.conf.*.proxy_arp": "1", "ipv4.conf.*.route_localnet": "1", "ipv4.conf.*.rp_filter": "default",
	"ipv6.conf.*.forwarding": "1", "ipv6.conf.*.proxy_ndp": "1", "ipv6.conf.*.accept_ra": "0",
}

// wanted is the whole of what Felix must have programmed.
type wanted struct {
	local  []workloads.Pod // with and without address
	ahead  []workloads.Key // veths that Felix must let be
	chains []wantedChain
	sets   map[string]*wantedSet
	owner  map[string]string // address to pod
	allow  map[string]bool   // titles of policies that do nothing but allow: in which order they are asked makes no difference
}

// wantedChain is a chain of one family. In its rules, chains are named by their titles and sets by their keys.
type wantedChain struct {
	family kernel.Family
	way    networkingv1.PolicyType
	iface  string      // of an endpoint's chain, the host interface that leads to it
	kind   report.Kind // of whom it is for
	title  string
	rules  []kernel.Rule
}

func (c wantedChain) String() string { return c.title + " " + string(c.family) }

// wanted predicts, in a fixed order.
func (f felix) wanted(s workloads.State) *wanted {
	x := workloads.NewIndex(s)
	want := &wanted{local: s.LocalPods(), ahead: s.Ahead.Keys(), sets: map[string]*wantedSet{}, owner: map[string]string{}, allow: map[string]bool{}}
	for _, p := range s.Pods().All() {
		for _, ip := range p.IPs {
			name := "pod " + p.String()
			if other, ok := want.owner[ip.String()]; !ok || name < other {
				want.owner[ip.String()] = name
			}
		}
	}
	type use struct {
		pod      workloads.Pod
		policies [2][]*workloads.Ruleset // by direction
	}
	var endpoints []use
	for _, p := range want.local {
		if len(p.IPs) == 0 {
			continue
		}
		u := use{pod: p}
		selecting := x.Selecting(p)
		for i, w := range felixWays {
			u.policies[i] = slices.DeleteFunc(slices.Clone(selecting), func(p *workloads.Ruleset) bool { return !holds(p, w.kind) })
		}
		endpoints = append(endpoints, u)
	}
	active := map[string]*workloads.Ruleset{}
	for _, family := range kernel.Families {
		for i, w := range felixWays {
			done := map[string]bool{}
			add := func(iface string, kind report.Kind, title string, rules func() []kernel.Rule) {
				if !done[title] {
					done[title] = true
					want.chains = append(want.chains, wantedChain{family, w.kind, iface, kind, title, rules()})
				}
			}
			for _, u := range endpoints {
				for _, p := range u.policies[i] {
					active[p.String()], want.allow[policyTitle(p, w)] = p, p.Tier == workloads.NetworkTier
					add("", report.Policy, policyTitle(p, w), func() []kernel.Rule { return wantedRules(x, p, w, family, want.sets) })
				}
				add("", report.Namespace, profileTitle(u.pod.Namespace, w), func() []kernel.Rule {
					return []kernel.Rule{{Do: kernel.SetMark, Mark: kernel.Mark{Set: felixAccepted}}}
				})
				add(f.HostInterface(u.pod.Namespace, u.pod.Name), report.Pod, endpointTitle(u.pod, w), func() []kernel.Rule {
					return want.sorted(endpointRules(u.pod, u.policies[i], w))
				})
			}
		}
	}
	// Rules of a direction that a policy does not enforce make no chain, but Felix keeps their sets.
	for _, name := range slices.Sorted(maps.Keys(active)) {
		p := active[name]
		for _, w := range felixWays {
			for _, family := range kernel.Families {
				wantedRules(x, p, w, family, want.sets)
			}
		}
	}
	return want
}

// sorted brings jumps to policies that only allow, each with what follows it, into the order of their titles.
func (w *wanted) sorted(rules []kernel.Rule) []kernel.Rule {
	var all []kernel.Rule
	for rest := rules; len(rest) > 0; {
		n := 0
		for n+1 < len(rest) && rest[n].Do == kernel.Jump && w.allow[rest[n].Chain] && rest[n+1].String() == acceptedReturn.String() && rest[n].String() == asking(rest[n].Chain).String() {
			n += 2
		}
		pairs := slices.Collect(slices.Chunk(rest[:n], 2))
		slices.SortFunc(pairs, func(a, b []kernel.Rule) int { return strings.Compare(a[0].Chain, b[0].Chain) })
		all = append(all, slices.Concat(pairs...)...)
		if n == 0 {
			all, n = append(all, rest[0]), 1
		}
		rest = rest[n:]
	}
	return all
}

func profileTitle(namespace string, w felixWay) string {
	return fmt.Sprintf("profile of namespace %s %s", namespace, w.word)
}

func endpointTitle(p workloads.Pod, w felixWay) string {
	return fmt.Sprintf("pod %s %s", p.Key, w.word)
}

// Programmed predicts interfaces, dispatch, chains and sets.
func (f felix) Programmed(s workloads.State) map[report.Fact]string {
	want, facts := f.wanted(s), map[report.Fact]string{}
	for _, p := range want.local {
		iface := interfaceFact(p)
		if !p.Bare {
			facts[iface] = "up"
		}
		if len(p.IPs) == 0 {
			continue
		}
		if !p.Bare {
			for name, value := range felixSysctls {
				facts[sysctlFact(iface, name)] = value
			}
		}
		for _, family := range kernel.Families {
			for _, w := range felixWays {
				facts[dispatchFact(p, w, family)] = "its chain"
			}
		}
	}
	for _, c := range want.chains {
		facts[c.orderFact()] = "right"
		c.countRules(facts, want.readable(c.rules))
	}
	for _, family := range kernel.Families {
		for _, w := range felixWays {
			facts[strangerFact(w, family)] = string(kernel.Drop)
		}
		for _, set := range want.sets {
			member := memberFact(set, family)
			for member.Part = range set.members[family] {
				facts[member] = want.ownerOf(member.Part)
			}
		}
	}
	return facts
}

// orderFact is on the order of a chain's rules.
func (c wantedChain) orderFact() report.Fact {
	return report.Fact{Aspect: report.Order, Kind: c.kind, Subject: c.String(), Part: "order"}
}

func interfaceFact(p workloads.Pod) report.Fact {
	return report.Fact{Aspect: report.Links, Kind: report.Interface, Subject: "interface of pod " + p.String()}
}

// sysctlFact is on a setting of an interface.
func sysctlFact(iface report.Fact, name string) report.Fact {
	iface.Aspect, iface.Part = report.Settings, name
	return iface
}

func dispatchFact(p workloads.Pod, w felixWay, f kernel.Family) report.Fact {
	return dispatchTo("pod "+p.String(), w, f)
}

func strangerFact(w felixWay, f kernel.Family) report.Fact {
	return dispatchTo("an unknown interface", w, f)
}

func dispatchTo(whom string, w felixWay, f kernel.Family) report.Fact {
	return report.Fact{Aspect: report.Dispatch, Kind: report.Interface, Subject: "dispatch " + w.reached + " " + whom + " " + string(f)}
}

// memberFact is on a member of a set, which is its part.
func memberFact(s *wantedSet, f kernel.Family) report.Fact {
	return report.Fact{Aspect: report.Members, Kind: report.Set, Subject: "set of " + s.title + " " + string(f)}
}

// countRules makes a fact of each different rule: how often it stands in the chain.
func (c wantedChain) countRules(facts map[report.Fact]string, rules []string) {
	seen := make(map[string]int, len(rules))
	for _, r := range rules {
		seen[r]++
	}
	rule := report.Fact{Aspect: report.Rules, Kind: c.kind, Subject: c.String()}
	for r, n := range seen {
		rule.Part = r
		facts[rule] = strconv.Itoa(n)
	}
}

// readable writes rules whose sets are keys.
func (w *wanted) readable(rules []kernel.Rule) []string {
	all := make([]string, 0, len(rules))
	for _, r := range rules {
		all = append(all, r.String())
	}
	return all
}

func (w *wanted) ownerOf(member string) string {
	if owner, ok := w.owner[member]; ok {
		return owner
	}
	return "no pod's"
}
