package steer

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/nodefv/nodefv/scenarios/effects"
)

// impairment is one in force, with what it is made of.
type impairment struct {
	order Impair
	parts []effects.Impairment // one for each direction
}

func (s *Session) impair(i Impair) error {
	impairer := effects.Of(s.world).Impairer
	if impairer == nil {
		return effects.ErrNoImpairer
	}
	base, out, in, err := s.path(i)
	if err != nil {
		return err
	}
	var parts []effects.Impairment
	for _, d := range []struct {
		wanted bool
		suffix string
		in     bool
	}{{out, "-out", false}, {in, "-in", true}} {
		if d.wanted {
			part := base
			part.Name, part.In, part.Seed = i.Name+d.suffix, d.in, s.world.Rand.Uint64()
			parts = append(parts, part)
		}
	}
	s.mu.Lock()
	at := slices.IndexFunc(s.impairments, func(other impairment) bool { return other.order.Name == i.Name })
	s.mu.Unlock()
	if at >= 0 { // what it was and is no more
		for _, was := range s.impairments[at].parts {
			if !slices.ContainsFunc(parts, func(p effects.Impairment) bool { return p.Pod == was.Pod && p.Name == was.Name }) {
				if err := impairer.Mend(was.Pod, was.Name); err != nil {
					return err
				}
			}
		}
	}
	for n, p := range parts {
		if err := impairer.Impair(p); err != nil {
			for _, done := range parts[:n] {
				err = errors.Join(err, impairer.Mend(done.Pod, done.Name))
			}
			return err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if at >= 0 {
		s.impairments[at] = impairment{i, parts}
	} else {
		s.impairments = append(s.impairments, impairment{i, parts})
	}
	return nil
}

// path finds the local pod whose link is meant, the connections on it, and the directions as that pod sees them.
func (s *Session) path(i Impair) (base effects.Impairment, out, in bool, err error) {
	base.Quality = i.Quality
	out, in = i.Way != Back, i.Way == Back || i.Way == Both
	if i.Traffic == "" && i.To == "" {
		pod, err := s.find(i.From)
		if err == nil && pod.Node != s.world.Fleet.State().LocalNode {
			err = fmt.Errorf("pod %s is on another node: its link is not here", i.From)
		}
		base.Pod = pod.Key
		return base, out, in, err
	}
	var from, to effects.End
	var local, remote netip.AddrPort
	if i.Traffic != "" {
		from, to, local, remote, err = s.connection(i)
		base.Protocol = "TCP"
		if t := s.running(i.Traffic); t != nil {
			base.Protocol = carrier(t.order.Protocol)
		}
	} else {
		from, to, err = s.ends(i)
		local, remote = netip.AddrPortFrom(from.Addr, 0), netip.AddrPortFrom(to.Addr, 0)
	}
	if err != nil {
		return base, out, in, err
	}
	base.Pod, base.Local, base.Remote = from.Key, local, remote
	if from.Remote { // the other end's link is the one that is here
		base.Pod, base.Local, base.Remote, out, in = to.Key, remote, local, in, out
	}
	return base, out, in, nil
}

// ends are those of a link between two pods.
func (s *Session) ends(i Impair) (from, to effects.End, err error) {
	a, err := s.find(i.From)
	if err != nil {
		return from, to, err
	}
	b, err := s.find(i.To)
	if err != nil {
		return from, to, err
	}
	f := s.flow(a, b, "", 0)
	if f.From.Remote && f.To.Remote {
		return from, to, fmt.Errorf("neither %s nor %s is on this node", i.From, i.To)
	}
	return f.From, f.To, nil
}

// connection is one of traffic: its ends, and its addresses and ports.
func (s *Session) connection(i Impair) (from, to effects.End, local, remote netip.AddrPort, err error) {
	t := s.running(i.Traffic)
	if t == nil {
		return from, to, local, remote, fmt.Errorf("there is no traffic %s", i.Traffic)
	}
	for _, c := range t.load.Look() {
		if c.Number == i.Connection {
			f := t.flow(c.Number)
			return f.From, f.To, c.Local, c.Remote, nil
		}
	}
	return from, to, local, remote, fmt.Errorf("traffic %s has no connection %d", i.Traffic, i.Connection)
}

func (s *Session) mend(name string) error {
	impairer := effects.Of(s.world).Impairer
	if impairer == nil {
		return effects.ErrNoImpairer
	}
	s.mu.Lock()
	all := slices.Clone(s.impairments)
	s.mu.Unlock()
	var errs []error
	found := false
	for _, i := range all {
		if name != Everything && i.order.Name != name {
			continue
		}
		found = true
		for _, p := range i.parts {
			errs = append(errs, impairer.Mend(p.Pod, p.Name))
		}
		s.mu.Lock()
		s.impairments = slices.DeleteFunc(s.impairments, func(other impairment) bool { return other.order.Name == i.order.Name })
		s.mu.Unlock()
	}
	if !found || name == Everything {
		errs = append(errs, mendForeign(impairer, name))
	}
	return errors.Join(errs...)
}

// mendForeign ends an impairment of that name that was not set here but by `fv impair`, or all that are in force.
func mendForeign(impairer effects.Impairer, name string) error {
	all, err := impairer.Impaired()
	found := name == Everything
	for _, i := range all {
		if p := (part{i.Pod, i.Node, i.Name}); name == Everything || p.foreign() == name {
			found = true
			err = errors.Join(err, impairer.Mend(i.Pod, i.Name))
		}
	}
	if err == nil && !found {
		err = fmt.Errorf("there is no impairment %s", name)
	}
	return err
}

// bad reports whether an impairment may be what becomes of a new connection between two pods.
func (s *Session) bad(from, to effects.End) bool {
	if s.foreign[from.Key] || s.foreign[to.Key] || s.crossing && (from.Remote || to.Remote) {
		return true
	}
	for _, i := range s.impairments {
		if i.order.Traffic != "" || i.order.Quality == (effects.Quality{}) {
			continue
		}
		if i.order.To == "" && (i.parts[0].Pod == from.Key || i.parts[0].Pod == to.Key) {
			return true
		}
		a, b := Short(from.Key), Short(to.Key)
		if i.order.From == a && i.order.To == b || i.order.From == b && i.order.To == a {
			return true
		}
	}
	return false
}
