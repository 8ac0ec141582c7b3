package steer

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/nodefv/nodefv/scenarios/effects"
	"github.com/nodefv/nodefv/workloads"
	"github.com/nodefv/nodefv/workloads/load"
)

// sight is a connection as it was at the look before.
type sight struct {
	again          int
	answered, lost uint64
}

// Look says how all stands. What it says of rates and delays is of the time since it was called before: it is for one caller.
func (s *Session) Look() State {
	now := time.Now()
	state := s.cluster(now)
	s.mu.Lock()
	running := slices.Clone(s.traffic)
	took := now.Sub(s.looked).Seconds()
	s.looked = now
	s.mu.Unlock()
	links := map[link]*gathered{}
	seen := map[string]sight{}
	for _, t := range running {
		looks := t.load.Look() // it waits for the traffic's thread: not under the lock
		state.Traffic = append(state.Traffic, TrafficState{Traffic: t.order, Words: t.order.String(), Number: len(looks), Over: looks == nil})
		for _, l := range looks {
			c := s.connectionState(t, l)
			was := s.seen[c.ID]
			if was.again != l.Again {
				was = sight{}
			}
			answers, lost := l.Back.Arrived-was.answered, l.Lost()-was.lost
			seen[c.ID] = sight{l.Again, l.Back.Arrived, l.Lost()}
			c.Path = pathOf(answers, lost, took, l.Answers)
			state.Connections = append(state.Connections, c)
			f := t.flow(l.Number)
			k := link{f.From.Key, f.To.Key, t.order.Protocol}
			if links[k] == nil {
				links[k] = &gathered{from: f.From, to: f.To}
			}
			links[k].add(l, answers, lost)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen = seen
	s.links(&state, links, took)
	s.rest(&state)
	return state
}

// gathered is what the connections of a link come to.
type gathered struct {
	from, to              effects.End
	connections, standing int
	answered, lost        uint64
	answers               []time.Duration
}

func (g *gathered) add(l load.Look, answered, lost uint64) {
	g.connections++
	if l.Stands {
		g.standing++
	}
	g.answered, g.lost, g.answers = g.answered+answered, g.lost+lost, append(g.answers, l.Answers...)
}

func pathOf(answered, lost uint64, took float64, answers []time.Duration) Path {
	p := Path{N: len(answers)}
	if took > 0 {
		p.Rate = float64(answered) / took
	}
	if answered+lost > 0 {
		p.Loss = float64(lost) / float64(answered+lost)
	}
	if len(answers) > 0 {
		sorted := slices.Sorted(slices.Values(answers))
		p.P50, p.P99 = sorted[(len(sorted)-1)/2], sorted[(len(sorted)-1)*99/100]
	}
	return p
}

func (s *Session) connectionState(t *traffic, l load.Look) Connection {
	f := t.flow(l.Number)
	c := Connection{
		ID: fmt.Sprint(t.order.Name, "#", l.Number), Traffic: t.order.Name, Number: l.Number, From: Short(f.From.Key), To: Short(f.To.Key), Protocol: t.order.Protocol,
		Local: l.Local.String(), Remote: l.Remote.String(), Stands: l.Stands, Again: l.Again, Cause: l.Cause, Sent: l.Due, Answered: l.Back.Arrived,
		Lost: l.Lost(), Retransmits: l.Retransmits,
	}
	if l.Server != nil {
		c.Server = Short(*l.Server)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, i := range s.impairments {
		if i.order.Traffic == c.Traffic && i.order.Connection == c.Number {
			c.Impairment = i.order.Name
		}
	}
	return c
}

// links adds what the connections between each two pods come to; the lock is held.
func (s *Session) links(state *State, all map[link]*gathered, took float64) {
	for _, k := range slices.SortedFunc(maps.Keys(all), func(a, b link) int {
		return cmp.Or(a.from.Compare(b.from), a.to.Compare(b.to), strings.Compare(string(a.protocol), string(b.protocol)))
	}) {
		g := all[k]
		l := Link{From: Short(k.from), To: Short(k.to), Protocol: k.protocol, Connections: g.connections, Standing: g.standing, Verdict: Unsure, Impaired: s.bad(g.from, g.to)}
		l.Path = pathOf(g.answered, g.lost, took, g.answers)
		if t, tried := s.tried[k]; tried && !l.Impaired {
			l.Want, l.Got, l.Why, l.Verdict = t.Want.String(), t.Got.String(), t.Why, t.verdict()
		}
		state.Links = append(state.Links, l)
	}
}

func (t trial) verdict() Verdict {
	switch {
	case t.Got != t.Want && time.Since(t.since) > patience:
		return Wrong
	case t.Got != t.Want:
		return Unsure
	case t.Got.Kind == effects.Connected:
		return Passes
	}
	return Dropped
}

// rest adds impairments and churn; the lock is held.
func (s *Session) rest(state *State) {
	state.Away = s.away
	for _, c := range s.churn {
		is := ChurnState{Churn: c.order, Cycles: c.cycles, Made: c.made}
		if c.err != nil {
			is.Error = c.err.Error()
		}
		state.Churn = append(state.Churn, is)
	}
	if effects.Of(s.world).Impairer == nil {
		return
	}
	proven, err := s.proofs()
	if err != nil {
		state.Trouble = err.Error()
	}
	for _, i := range s.impairments {
		is := Impaired{Impair: i.order, Words: i.order.String()}
		for _, p := range i.parts {
			is.Ways = append(is.Ways, proven[part{pod: p.Pod, name: p.Name}])
			delete(proven, part{pod: p.Pod, name: p.Name})
		}
		state.Impairments = append(state.Impairments, is)
	}
	s.foreign, s.crossing = map[workloads.Key]bool{}, false
	for _, p := range slices.SortedFunc(maps.Keys(proven), func(a, b part) int { return cmp.Or(a.pod.Compare(b.pod), strings.Compare(a.name, b.name)) }) {
		is := Impaired{Impair: Impair{Name: p.foreign()}, Foreign: true, Words: fmt.Sprintf("impair %s: %s, set by fv impair", p.place(), p.name), Ways: []Proof{proven[p]}}
		switch p.node {
		case "":
			is.From = Short(p.pod)
			s.foreign[p.pod] = true
		case effects.ToNodes:
			s.crossing = true
		}
		state.Impairments = append(state.Impairments, is)
	}
}

// part names an impairment of one direction.
type part struct {
	pod  workloads.Key // what stands for one, of a link of the node's
	node effects.NodeLink
	name string
}

func (p part) place() string { return cmp.Or(string(p.node), Short(p.pod)) }

// foreign names it among others of its name on other links.
func (p part) foreign() string { return p.name + " of " + p.place() }

// proofs are what the kernel and the emulator say of all impairments.
func (s *Session) proofs() (map[part]Proof, error) {
	all, err := effects.Of(s.world).Impairer.Impaired()
	proven := map[part]Proof{}
	for _, i := range all {
		p := part{i.Pod, i.Node, i.Name}
		proven[p] = Proof{Pod: p.place(), In: i.In, Packets: i.Packets, Lost: i.Lost, Claims: i.Proof}
	}
	return proven, err
}

// cluster is what there is of nodes, pods and policies.
func (s *Session) cluster(now time.Time) State {
	model := s.world.Fleet.State()
	state := State{At: now, Since: now.Sub(s.began)}
	for _, n := range model.Nodes().List() {
		state.Nodes = append(state.Nodes, Node{ShortNamespace(n.Name), n.IP, n.Local})
	}
	slices.SortStableFunc(state.Nodes, func(a, b Node) int {
		if a.Local != b.Local {
			return map[bool]int{true: -1, false: 1}[a.Local]
		}
		return 0
	})
	for _, n := range model.Namespaces().List() {
		state.Namespaces = append(state.Namespaces, ShortNamespace(n.Name))
	}
	for _, p := range model.Pods().All() {
		state.Pods = append(state.Pods, Pod{Short(p.Key), ShortNamespace(p.Namespace), ShortNamespace(p.Node), p.IPs, p.Labels, !planned(p)})
	}
	for _, p := range model.Policies().List() {
		state.Policies = append(state.Policies, PolicyState{Name: Short(p.Key), Churns: strings.HasPrefix(p.Name, "policy-")})
	}
	return state
}
