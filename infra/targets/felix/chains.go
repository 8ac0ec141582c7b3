package felix

import (
	"cmp"
	"slices"
	"strings"

	"github.com/nodefv/nodefv/workloads/kernel"
)

// likeness is how much a chain says of what is wanted of another.
type likeness int

const (
	different likeness = iota
	alike              // the same, but for what its sets hold
	exact
)

// candidate is a chain that may be the one with that title.
type candidate struct{ title, chain string }

// recognise finds out what each chain is to which the chains of the endpoints lead: by what it says, and by the places from which it is
// jumped to.
func (o *observed) recognise(family kernel.Family, w felixWay) {
	wanted, votes, like := map[string]wantedChain{}, map[candidate]int{}, map[candidate]likeness{}
	for _, c := range o.want.chains {
		if c.family == family && c.way == w.kind && c.iface == "" {
			wanted[c.title] = c
		}
	}
	vote := func(title, chain string, n int) likeness {
		c := candidate{title, chain}
		l, seen := like[c]
		if !seen {
			l = o.likeness(wanted[title], o.id(family, felixTable, chain))
			like[c] = l
		}
		votes[c] += n
		return l
	}
	for _, c := range o.want.chains {
		id, ok := o.find(c)
		if c.family != family || c.way != w.kind || c.iface == "" || !ok {
			continue
		}
		titles, chains := jumps(c.rules), jumps(o.rules(c, id))
		for i, title := range titles {
			samePlace := len(titles) == len(chains)
			if samePlace && vote(title, o.felix.chain(chains[i]), 2) == exact {
				continue
			}
			for _, chain := range chains {
				vote(title, o.felix.chain(chain), 1)
			}
		}
	}
	o.assign(family, w, votes, like)
}

// assign gives each title the chain that is most like it and, of equal ones, the one with the most votes.
func (o *observed) assign(family kernel.Family, w felixWay, votes map[candidate]int, like map[candidate]likeness) {
	all := make([]candidate, 0, len(votes))
	for c := range votes {
		all = append(all, c)
	}
	slices.SortFunc(all, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(like[b], like[a]), cmp.Compare(votes[b], votes[a]), cmp.Compare(a.title, b.title), cmp.Compare(a.chain, b.chain))
	})
	for _, c := range all {
		from, id := leading{c.title, w.kind, family}, o.id(family, felixTable, c.chain)
		if _, taken := o.chains[from]; taken || o.titles[id] != "" {
			continue
		}
		o.chains[from], o.titles[id] = id, c.title
	}
}

// strayed finds the chains of endpoints that dispatch does not lead to. Nothing but their names tells whose they are. So only the dispatch is
// told as missing, and not all their rules as well.
func (o *observed) strayed(family kernel.Family, w felixWay) {
	led := map[string]bool{}
	for l, chain := range o.leads {
		led[chain] = led[chain] || l.family == family
	}
	for _, c := range o.want.chains {
		l := leading{c.iface, w.kind, family}
		if _, ok := o.leads[l]; ok || c.iface == "" || c.family != family || c.way != w.kind {
			continue
		}
		name := w.chains + c.iface
		id := o.id(family, felixTable, name)
		if _, there := o.k.Chains[id]; there && !led[name] {
			o.leads[l], o.astray = name, append(o.astray, id)
		}
	}
}

// find returns the chain that there is for a wanted one.
func (o *observed) find(c wantedChain) (id kernel.ID, ok bool) {
	if c.iface == "" {
		id = o.chains[leading{c.title, c.way, c.family}]
	} else if name := o.leads[leading{c.iface, c.way, c.family}]; name != "" {
		id = o.id(c.family, felixTable, name)
	}
	_, ok = o.k.Chains[id]
	return id, ok
}

// title names the chain that a rule leads to.
func (o *observed) title(family kernel.Family, chain string) string {
	name := o.felix.chain(chain)
	if title, ok := o.titles[o.id(family, felixTable, name)]; ok {
		return title
	}
	return "chain " + name
}

// rules returns those of a chain without what says nothing; those of groups of policies stand in the endpoints' chains.
func (o *observed) rules(c wantedChain, id kernel.ID) []kernel.Rule {
	var all []kernel.Rule
	for _, r := range o.k.Chains[id].Rules {
		r.Where = slices.DeleteFunc(slices.Clone(r.Where), func(w string) bool { return strings.HasSuffix(w, " 0.0.0.0/0") || strings.HasSuffix(w, " ::/0") })
		if led := o.group(c, r); led != nil {
			all = append(all, led...)
			continue
		}
		all = append(all, r)
	}
	return all
}

// group returns what the rule of an endpoint's chain does that leads to a group of policies: to ask each of them unless one before it has
// decided. It is nil for every other rule.
func (o *observed) group(c wantedChain, to kernel.Rule) []kernel.Rule {
	led := o.k.Chains[o.id(c.family, felixTable, o.felix.chain(to.Chain))].Rules
	if c.iface == "" || to.Do != kernel.Jump || len(jumps(led)) == 0 {
		return nil
	}
	var all []kernel.Rule
	decided := false // one of the policies asked so far may have decided
	for _, r := range led {
		switch guarded := slices.Equal(r.Where, []string{undecided}); {
		case r.Do == kernel.Jump && (guarded || len(r.Where) == 0 && !decided):
			if len(all) > 0 {
				all = append(all, acceptedReturn)
			}
			all, decided = append(all, kernel.Rule{Where: to.Where, Do: kernel.Jump, Chain: r.Chain}), true
		case r.Do == kernel.Return && slices.Equal(r.Where, []string{"not " + undecided}):
			decided = false
		default:
			all, decided = append(all, r), true
		}
	}
	return all
}

// jumps lists where rules lead, in their order.
func jumps(rules []kernel.Rule) []string {
	var all []string
	for _, r := range rules {
		if r.Do == kernel.Jump {
			all = append(all, r.Chain)
		}
	}
	return all
}

// likeness compares what is wanted of a chain with one that is there.
func (o *observed) likeness(c wantedChain, id kernel.ID) likeness {
	there, got := o.k.Chains[id]
	if !got || len(there.Rules) != len(c.rules) {
		return different
	}
	is := exact
	for i, r := range o.rules(c, id) {
		want := c.rules[i]
		if shape(r) != shape(want) {
			return different
		}
		for n, set := range r.Sets {
			if o.digest(o.setID(c.family, set.Set)) != o.want.sets[want.Sets[n].Set].digests[c.family] {
				is = alike
			}
		}
	}
	return is
}

// reached returns all chains that the kernel's own lead to.
func (o *observed) reached() map[kernel.ID]bool {
	reached := map[kernel.ID]bool{}
	var visit func(kernel.ID)
	visit = func(id kernel.ID) {
		if reached[id] {
			return
		}
		reached[id] = true
		for _, r := range o.k.Chains[id].Rules {
			to := kernel.ID{Family: id.Family, Table: id.Table, Name: r.Chain}
			switch r.Do {
			case kernel.Jump, kernel.Goto:
				visit(to)
			case kernel.Look:
				for _, verdict := range o.k.Maps[to].Verdicts {
					_, to.Name, _ = strings.Cut(verdict, " ")
					visit(to)
				}
			}
		}
	}
	for id := range o.k.Chains {
		if _, name := o.place(id); !strings.HasPrefix(name, felixChains) {
			visit(id)
		}
	}
	for _, id := range o.astray {
		visit(id)
	}
	return reached
}
