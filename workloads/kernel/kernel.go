// Package kernel holds what a node's kernel has been programmed with, as plain data in our words: interfaces with their
// settings, chains of rules, sets and maps, whether iptables, ipset or nftables put them there.
//
// It owns the types and reads the dumps of those tools; it runs nothing and opens no socket (see workloads/netns), and knows
// no SUT. All values are plain data: safe for concurrent reading once they are made.
package kernel

import (
	"fmt"
	"slices"
	"strings"
)

// Family is an address family.
type Family string

// The families.
const (
	IPv4 Family = "IPv4"
	IPv6 Family = "IPv6"
	ARP  Family = "ARP" // of nftables alone; its chains see the node's answers about addresses, and no packets
)

// Families are those of packets.
var Families = []Family{IPv4, IPv6}

// Backend says with which tool rules and sets are read, and so which program's objects are seen.
type Backend string

// The backends. The iptables ones come with ipset.
const (
	IPTablesNFT    Backend = "iptables-nft"
	IPTablesLegacy Backend = "iptables-legacy"
	NFTables       Backend = "nftables"
)

// State is what is programmed.
type State struct {
	Interfaces map[string]Interface // by name; only those of the node's own namespace
	Chains     map[ID]Chain
	Sets       map[ID]Set        // of ipset, the table is empty
	Maps       map[ID]Map        // of verdicts
	Sysctls    map[string]string // of no interface, named as below /proc/sys/net
}

// New returns a state that holds nothing.
func New() *State {
	return &State{Interfaces: map[string]Interface{}, Chains: map[ID]Chain{}, Sets: map[ID]Set{}, Maps: map[ID]Map{}, Sysctls: map[string]string{}}
}

// ID names a chain, a set or a map.
type ID struct {
	Family      Family
	Table, Name string
}

// String returns family, table and name.
func (i ID) String() string {
	return strings.Join(slices.DeleteFunc([]string{string(i.Family), i.Table, i.Name}, func(s string) bool { return s == "" }), " ")
}

// Interface is a network interface. A setting that the kernel does not have is absent.
type Interface struct {
	Up      bool
	Sysctls map[string]string // named as below /proc/sys/net, with * for the interface: "ipv4.conf.*.forwarding"
}

// Chain is a list of rules.
type Chain struct{ Rules []Rule }

// Rule matches packets and says what becomes of them.
type Rule struct {
	Where   []string   // what it matches besides sets, each condition in our words ("proto tcp", "from 10.0.0.0/8"), sorted
	Sets    []SetMatch // in the rule's order
	Do      Verdict
	Chain   string // of Jump and Goto the chain, of Look the map
	Mark    Mark   // of SetMark
	Comment string // all comments, joined by a space
}

// SetMatch is a look-up in a set.
type SetMatch struct {
	Set string
	Not bool
	By  string // "from", "to": an address; "from port", "to port": address and port
}

// Verdict is what a rule does.
type Verdict string

// The verdicts. A rule with another one has the tool's own word.
const (
	Accept   Verdict = "accept"
	Drop     Verdict = "drop"
	Return   Verdict = "return"
	Jump     Verdict = "jump"
	Goto     Verdict = "goto"
	SetMark  Verdict = "mark"
	Look     Verdict = "look up" // the verdict stands in a map
	Continue Verdict = "continue"
)

// Mark is a change of a packet's mark: the bits that are cleared, and those that are set.
type Mark struct{ Clear, Set uint32 }

// Set is a set of addresses: "10.0.0.1", "10.0.0.0/8", "10.0.0.1 tcp 80". The order says nothing.
type Set struct{ Members []string }

// Map leads from an interface's name to a verdict: "goto chain".
type Map struct{ Verdicts map[string]string }

// String returns the rule in our words, without its comments: conditions, sets, verdict.
func (r Rule) String() string {
	var b strings.Builder
	for i, w := range r.Where {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(w)
	}
	for _, s := range r.Sets {
		if b.Len() > 0 {
			b.WriteString(", ")
		}
		b.WriteString(s.String())
	}
	if b.Len() > 0 {
		b.WriteString(": ")
	}
	b.WriteString(string(r.Do))
	if r.Chain != "" {
		b.WriteByte(' ')
		b.WriteString(r.Chain)
	}
	if r.Mark != (Mark{}) {
		b.WriteByte(' ')
		b.WriteString(r.Mark.String())
	}
	return b.String()
}

// String returns the look-up in our words.
func (s SetMatch) String() string {
	if s.Not {
		return "not " + s.By + " @" + s.Set
	}
	return s.By + " @" + s.Set
}

// String returns the bits that go and those that come.
func (m Mark) String() string {
	switch {
	case m.Clear == 0:
		return fmt.Sprintf("+%#x", m.Set)
	case m.Set == 0:
		return fmt.Sprintf("-%#x", m.Clear)
	}
	return fmt.Sprintf("-%#x +%#x", m.Clear, m.Set)
}
