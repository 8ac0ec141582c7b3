package kernel

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Class is a kind of object that a kernel holds for a program.
type Class string

// The classes of a census.
const (
	Chains       Class = "chains"
	Rules        Class = "rules"
	Sets         Class = "sets"
	Members      Class = "members of sets"
	RouteEntries Class = "routes" // of all tables
	PolicyRules  Class = "policy rules"
	Neighbours   Class = "neighbours"
	Links        Class = "links"
	Connections  Class = "tracked connections"
	Mounts       Class = "mounts"     // that the program's process sees
	Namespaces   Class = "namespaces" // that mounts or descriptors of the process hold
	BPFMaps      Class = "eBPF maps"  // of the whole machine
	BPFPrograms  Class = "eBPF programs"
	Descriptors  Class = "descriptors" // of the process, by what they lead to
)

// DescriptorKind is what a descriptor leads to, in a word: the names of files are many, and one kind.
func DescriptorKind(name string) string {
	if strings.HasPrefix(name, "/") {
		return "file"
	}
	return name
}

// Census counts objects by class and name. Several objects may have one name.
type Census map[Class]map[string]int

// Add counts an object.
func (c Census) Add(class Class, name string) {
	if c[class] == nil {
		c[class] = map[string]int{}
	}
	c[class][name]++
}

// Count returns how many objects of a class there are.
func (c Census) Count(class Class) int {
	n := 0
	for _, m := range c[class] {
		n += m
	}
	return n
}

// Change is how much more, or fewer, objects of one name there are in a later census.
type Change struct {
	Class Class  `json:"class"`
	Name  string `json:"name"`
	More  int    `json:"more"` // negative: fewer
}

// String returns the change in one line.
func (c Change) String() string {
	if c.More == 1 || c.More == -1 {
		return fmt.Sprintf("%s %s: %s", map[int]string{1: "left in", -1: "gone from"}[c.More], c.Class, c.Name)
	}
	return fmt.Sprintf("%+d in %s: %s", c.More, c.Class, c.Name)
}

// Since returns what is not as it was in an earlier census, by class and name. A class that only one of them has was not read in the other, and says
// nothing.
func (c Census) Since(before Census) []Change {
	var all []Change
	for class, names := range c {
		was, read := before[class]
		if !read {
			continue
		}
		for name, n := range names {
			if n != was[name] {
				all = append(all, Change{class, name, n - was[name]})
			}
		}
		for name, n := range was {
			if _, there := names[name]; !there {
				all = append(all, Change{class, name, -n})
			}
		}
	}
	slices.SortFunc(all, func(a, b Change) int { return cmp.Or(cmp.Compare(a.Class, b.Class), cmp.Compare(a.Name, b.Name)) })
	return all
}

// Census counts chains, rules, sets and their members. A rule is named by its chain and by what it says.
func (s *State) Census() Census {
	c := Census{Chains: {}, Rules: {}, Sets: {}, Members: {}}
	for id, chain := range s.Chains {
		c.Add(Chains, id.String())
		for _, r := range chain.Rules {
			c.Add(Rules, id.String()+": "+r.String())
		}
	}
	for id, set := range s.Sets {
		c.Add(Sets, id.String())
		for _, m := range set.Members {
			c.Add(Members, id.String()+": "+m)
		}
	}
	for id, m := range s.Maps {
		c.Add(Sets, id.String())
		for iface, verdict := range m.Verdicts {
			c.Add(Members, id.String()+": "+iface+" "+verdict)
		}
	}
	return c
}
