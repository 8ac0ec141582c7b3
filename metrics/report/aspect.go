package report

import (
	"cmp"
	"fmt"
	"slices"
)

// Aspect is what of the SUT's work a fact is about.
type Aspect string

// The aspects, each before those that it explains: what is not there, or too much, in one is why others differ.
const (
	Heard    Aspect = "heard"    // what the SUT has taken in of the datastore
	Links    Aspect = "links"    // interfaces
	Rules    Aspect = "rules"    // chains and their rules
	Members  Aspect = "members"  // sets, which are known by the rules that look them up
	Dispatch Aspect = "dispatch" // ways to the chains
	Order    Aspect = "order"    // of rules that are all there
	Routes   Aspect = "routes"
	Settings Aspect = "settings" // of interfaces
	Other    Aspect = ""         // what nothing is known of
	Tracked  Aspect = "tracked"  // connections that the kernel remembers, for which packets pass
	Packets  Aspect = "packets"
	Requests Aspect = "requests"
	Counts   Aspect = "counts" // the SUT's gauges of what it has made
)

var aspects = []Aspect{Heard, Links, Rules, Members, Dispatch, Order, Routes, Settings, Other, Tracked, Packets, Requests, Counts}

// rank is less for what explains more; an aspect of another version is like none.
func (a Aspect) rank() int {
	if i := slices.Index(aspects, a); i >= 0 {
		return i
	}
	return slices.Index(aspects, Other)
}

// likeness is what differences have in common that are told in one line.
type likeness struct {
	subject string
	change  Change
	manner  string // of flows: one that passes and must not is not like one that is dropped and must pass
}

func (d Difference) likeness() likeness {
	l := likeness{subject: d.Subject, change: d.Change()}
	if d.Kind == Flow {
		l.manner = d.manner()
	}
	return l
}

// like reports whether two differences are told in one line.
func (d Difference) like(o Difference) bool {
	return d.Part != "" && o.Part != "" && d.likeness() == o.likeness()
}

// String tells, in one line, the difference and how many are like it.
func (d Difference) String() string {
	return fmt.Sprintf("%s: want %s, got %s", d.what(), orNothing(d.Want), orNothing(d.Got))
}

// what tells the fact and how many are like it.
func (d Difference) what() string {
	if d.Alike <= 1 {
		return d.Fact
	}
	return fmt.Sprintf("%s: %d %s, first %s", d.Subject, d.Alike, d.Change(), d.Part)
}

// Rank puts differences in the order in which the first explains the others, counts those that are alike, and returns at most most of
// them: the first of each kind, and of the others as many as there is room for.
func Rank(all []Difference, most int) []Difference {
	slices.SortStableFunc(all, func(a, b Difference) int {
		return cmp.Or(cmp.Compare(a.Aspect.rank(), b.Aspect.rank()), cmp.Compare(a.Change(), b.Change()), cmp.Compare(a.Fact, b.Fact))
	})
	alike, first := map[likeness]int{}, map[likeness]bool{}
	for _, d := range all {
		if d.Part != "" {
			alike[d.likeness()]++
		}
	}
	var kept, rest []int
	for i := range all {
		d := &all[i]
		k := d.likeness()
		if d.Part != "" && alike[k] > 1 {
			d.Alike = alike[k]
		}
		if d.Part != "" && first[k] {
			rest = append(rest, i)
			continue
		}
		first[k] = true
		kept = append(kept, i)
	}
	kept = append(kept[:min(len(kept), most)], rest...)
	kept = slices.Sorted(slices.Values(kept[:min(len(kept), most)]))
	ranked := make([]Difference, 0, len(kept))
	for _, i := range kept {
		ranked = append(ranked, all[i])
	}
	return ranked
}

// kinds returns the first of the listed differences of each kind: those that are told. told is how many they stand for.
func kinds(listed []Difference) (firsts []Difference, told int) {
	for _, d := range listed {
		if slices.ContainsFunc(firsts, d.like) {
			continue
		}
		firsts, told = append(firsts, d), told+max(d.Alike, 1)
	}
	return firsts, told
}
