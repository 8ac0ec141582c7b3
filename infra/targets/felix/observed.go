package felix

import (
	"fmt"
	"hash/maphash"
	"slices"
	"strings"

	networkingv1 "k8s.io/api/networking/v1"

	"github.com/nodefv/nodefv/metrics/report"
	"github.com/nodefv/nodefv/workloads"
	"github.com/nodefv/nodefv/workloads/kernel"
)

// Observed tells what is there, in the words of Programmed. Names say nothing: a chain is known by what leads to it and by what it says, a set by
// the rule that looks it up; rules are told apart by what else they say and by what their sets hold.
func (f felix) Observed(s workloads.State, k *kernel.State) map[report.Fact]string {
	o := f.observe(s, k)
	for _, c := range o.want.chains {
		o.chain(c)
	}
	o.sets()
	o.leftOver()
	return o.facts
}

// observe finds its way from the interfaces to the chains.
func (f felix) observe(s workloads.State, k *kernel.State) *observed {
	o := &observed{
		felix: f, want: f.wanted(s), k: k, facts: map[report.Fact]string{}, tied: map[tie][]string{}, known: map[kernel.ID]bool{}, digests: map[kernel.ID]digest{},
		leads: map[leading]string{}, titles: map[kernel.ID]string{}, chains: map[leading]kernel.ID{},
	}
	o.interfaces()
	for _, family := range kernel.Families {
		for _, w := range felixWays {
			o.dispatch(family, w)
		}
		for _, w := range felixWays {
			o.strayed(family, w)
			o.recognise(family, w)
		}
	}
	return o
}

type observed struct {
	felix
	want    *wanted
	k       *kernel.State
	facts   map[report.Fact]string
	tied    map[tie][]string // to the names of the kernel's sets
	known   map[kernel.ID]bool
	digests map[kernel.ID]digest

	leads  map[leading]string    // from an interface, to the chain of its endpoint
	titles map[kernel.ID]string  // what each chain is that the endpoints' chains lead to
	chains map[leading]kernel.ID // the same, the other way round: from a title
	astray []kernel.ID           // chains of endpoints to which nothing leads
}

// leading begins at an interface or a title, in one direction and family.
type leading struct {
	from   string
	way    networkingv1.PolicyType
	family kernel.Family
}

// tie is a wanted set in one family.
type tie struct {
	key    string
	family kernel.Family
}

func (o *observed) interfaces() {
	rest := map[string]bool{}
	for name := range o.k.Interfaces {
		rest[name] = strings.HasPrefix(name, "cali")
	}
	for _, k := range o.want.ahead {
		delete(rest, o.HostInterface(k.Namespace, k.Name))
	}
	for _, p := range o.want.local {
		name := o.HostInterface(p.Namespace, p.Name)
		i, ok := o.k.Interfaces[name]
		delete(rest, name)
		if !ok {
			continue
		}
		iface := interfaceFact(p)
		o.facts[iface] = "down"
		if i.Up {
			o.facts[iface] = "up"
		}
		if len(p.IPs) == 0 {
			continue
		}
		for setting, want := range felixSysctls {
			got, ok := i.Sysctls[setting]
			if ok && want == "default" && got == o.k.Sysctls["ipv4.conf.default.rp_filter"] {
				got = want
			}
			if ok {
				o.facts[sysctlFact(iface, setting)] = got
			}
		}
	}
	for name, ours := range rest {
		if ours {
			o.facts[report.Fact{Aspect: report.Links, Kind: report.Interface, Subject: "interface " + name}] = "of no pod"
		}
	}
}

// dispatch follows the tree of chains, or the map, from the root to each endpoint's chain.
func (o *observed) dispatch(family kernel.Family, w felixWay) {
	leads := map[string]string{}
	o.follow(family, w, w.dispatch, "*", leads)
	owner := map[string]string{} // of chains
	for _, p := range o.want.local {
		iface := o.HostInterface(p.Namespace, p.Name)
		to, ok := leads[iface]
		delete(leads, iface)
		if !ok {
			continue
		}
		if _, there := o.k.Chains[o.id(family, felixTable, to)]; !there {
			o.facts[dispatchFact(p, w, family)] = to
			continue
		}
		o.leads[leading{iface, w.kind, family}] = to
		o.facts[dispatchFact(p, w, family)] = "its chain"
		if other, ok := owner[to]; ok {
			o.facts[dispatchFact(p, w, family)] = "the chain of pod " + other
		}
		owner[to] = p.String()
	}
	for iface, to := range leads {
		o.facts[dispatchTo(iface, w, family)] = to
	}
}

func (o *observed) follow(family kernel.Family, w felixWay, name, under string, leads map[string]string) {
	id := o.id(family, felixTable, name)
	if o.known[id] {
		return // a loop, or two ways to one chain
	}
	o.known[id] = true
	end := "pass on"
	for _, r := range o.k.Chains[id].Rules {
		if len(r.Where) == 0 && r.Do != kernel.Look {
			end = string(r.Do)
			continue
		}
		if r.Do == kernel.Look {
			for iface, verdict := range o.k.Maps[kernel.ID{Family: family, Table: id.Table, Name: r.Chain}].Verdicts {
				_, chain, _ := strings.Cut(verdict, " ")
				leads[iface] = o.felix.chain(chain)
			}
			continue
		}
		iface, ok := strings.CutPrefix(strings.Join(r.Where, ","), w.iface)
		to := o.felix.chain(r.Chain)
		switch {
		case !ok || r.Do != kernel.Goto:
			leads["an interface by the rule "+r.String()] = to
		case !strings.HasPrefix(iface, strings.TrimSuffix(under, "*")):
			leads[iface] = "never reached, in a branch for " + under
		case strings.HasSuffix(iface, "*"):
			o.follow(family, w, to, iface, leads)
		case leads[iface] == "": // the first rule wins
			leads[iface] = to
		}
	}
	if before := o.facts[strangerFact(w, family)]; before == "" || before == string(kernel.Drop) {
		o.facts[strangerFact(w, family)] = end
	}
}

// chain compares one chain, ties the sets of its rules, and names what it finds by the rules that are wanted.
func (o *observed) chain(c wantedChain) {
	id, ok := o.find(c)
	if !ok {
		return
	}
	got := o.rules(c, id)
	for i, r := range got {
		if r.Do == kernel.Jump || r.Do == kernel.Goto {
			got[i].Chain = o.title(c.family, r.Chain)
		}
	}
	got = o.want.sorted(got)
	named := make([]string, len(got))
	for i, j := range o.pair(c, got) {
		if j < 0 {
			continue
		}
		for n, set := range got[j].Sets {
			if !madeForPolicy(set.Set) {
				continue
			}
			o.tie(tie{c.rules[i].Sets[n].Set, c.family}, set.Set)
		}
		named[j] = c.rules[i].String()
	}
	for j, r := range got {
		if named[j] == "" {
			named[j] = r.String()
		}
	}
	c.countRules(o.facts, named)
	// Where rules lack or are too many, that is said already.
	o.facts[c.orderFact()] = "right"
	wanted := o.want.readable(c.rules)
	if !slices.Equal(wanted, named) && slices.Equal(slices.Sorted(slices.Values(wanted)), slices.Sorted(slices.Values(named))) {
		o.facts[c.orderFact()] = strings.Join(named, "; ")
	}
}

// pair gives each wanted rule the index of the one that is there for it, or -1: first those whose sets hold what they must,
// then, in order, those that say the same but for what their sets hold.
func (o *observed) pair(c wantedChain, got []kernel.Rule) []int {
	pairs := make([]int, len(c.rules))
	free := map[string][]int{}
	exact, alike := make([]string, len(got)), make([]string, len(got))
	for j, r := range got {
		alike[j] = shape(r)
		exact[j] = alike[j]
		for _, s := range r.Sets {
			exact[j] += o.digest(o.setID(c.family, s.Set)).String()
		}
		free[exact[j]] = append(free[exact[j]], j)
	}
	used := make([]bool, len(got))
	for i, r := range c.rules {
		pairs[i] = -1
		key := shape(r)
		for _, s := range r.Sets {
			key += o.want.sets[s.Set].digests[c.family].String()
		}
		if js := free[key]; len(js) > 0 {
			pairs[i], free[key], used[js[0]] = js[0], js[1:], true
		}
	}
	for i, r := range c.rules {
		if pairs[i] >= 0 || len(r.Sets) == 0 {
			continue
		}
		for j := range got {
			if !used[j] && alike[j] == shape(r) {
				pairs[i], used[j] = j, true
				break
			}
		}
	}
	return pairs
}

// shape is what a rule says, but for which sets it looks up.
func shape(r kernel.Rule) string {
	sets := slices.Clone(r.Sets)
	for i := range sets {
		sets[i].Set = ""
	}
	r.Sets = sets
	return r.String()
}

func (o *observed) tie(t tie, set string) {
	// A rule for one family alone makes Felix program the set for both.
	o.known[o.setID(kernel.IPv4, "cali4"+set[len("cali4"):])] = true
	o.known[o.setID(kernel.IPv6, "cali6"+set[len("cali6"):])] = true
	if !slices.Contains(o.tied[t], set) {
		o.tied[t] = append(o.tied[t], set)
	}
}

// setID names a set: those of ipset are in no table.
func (o *observed) setID(family kernel.Family, name string) kernel.ID {
	if o.Backend() == kernel.NFTables {
		return kernel.ID{Family: family, Table: "calico", Name: name}
	}
	return kernel.ID{Family: family, Name: name}
}

// sets lists the members of each set that a rule looks up.
func (o *observed) sets() {
	taken := map[kernel.ID]bool{}
	for t, names := range o.tied {
		for _, name := range names {
			taken[o.setID(t.family, name)] = true
		}
	}
	for key, set := range o.want.sets { // one whose rule lacks may still be there
		for _, family := range kernel.Families {
			t, is := tie{key, family}, set.digests[family]
			for id := range o.k.Sets {
				if o.tied[t] == nil && id.Family == family && !taken[id] && madeForPolicy(id.Name) && o.digest(id) == is {
					taken[id] = true
					o.tie(t, id.Name)
				}
			}
		}
	}
	for t, names := range o.tied {
		member := memberFact(o.want.sets[t.key], t.family)
		for i, name := range names {
			id := o.setID(t.family, name)
			if i > 0 && o.digest(id) == o.digest(o.setID(t.family, names[0])) {
				continue
			}
			for _, member.Part = range o.k.Sets[id].Members {
				o.facts[member] = o.want.ownerOf(member.Part)
			}
		}
	}
}

// leftOver names what is there for nothing that the model holds.
func (o *observed) leftOver() {
	reached := o.reached()
	for id := range o.k.Chains {
		if table, name := o.place(id); strings.HasPrefix(name, felixChains) && !reached[id] {
			o.facts[report.Fact{Aspect: report.Rules, Kind: report.Chain, Subject: fmt.Sprintf("chain %s of table %s %s", name, table, id.Family)}] = "left over"
		}
	}
	for id, set := range o.k.Sets {
		if madeForPolicy(id.Name) && !o.known[id] {
			o.facts[report.Fact{Aspect: report.Members, Kind: report.Set, Subject: fmt.Sprintf("set %s %s", id.Name, id.Family)}] = fmt.Sprintf("left over, with %d members", len(set.Members))
		}
	}
}

// digest stands for what a set holds, whatever the order.
type digest struct{ count, sum uint64 }

func (d digest) String() string { return fmt.Sprintf(" %d:%x", d.count, d.sum) }

var seed = maphash.MakeSeed()

func (d digest) with(member string) digest {
	return digest{d.count + 1, d.sum + maphash.String(seed, member)}
}

func (o *observed) digest(id kernel.ID) digest {
	if d, ok := o.digests[id]; ok {
		return d
	}
	var d digest
	for _, m := range o.k.Sets[id].Members {
		d = d.with(m)
	}
	o.digests[id] = d
	return d
}
