package xds

import (
	"maps"
	"slices"

	"github.com/nodefv/nodefv/workloads/proxyconfig"
)

// state is what has come, and what a proxy that has it has in use.
type state struct {
	listeners map[string]*proxyconfig.Listener // as they came last
	inUse     *proxyconfig.Config
}

func newState() state {
	return state{inUse: &proxyconfig.Config{}}
}

// apply takes the resources of a push. Of listeners and clusters a push brings all that there are; of the rest those that have changed.
func (s *state) apply(kind proxyconfig.Kind, all []resource) {
	c := *s.inUse
	switch kind {
	case proxyconfig.Listeners:
		s.listeners = named[proxyconfig.Listener](nil, all)
	case proxyconfig.Clusters:
		c.Clusters = named[proxyconfig.Cluster](nil, all)
		c.Endpoints = wanted(c.Endpoints, services(c.Clusters))
	case proxyconfig.Tables:
		c.Tables = named(c.Tables, all)
	case proxyconfig.Endpoints:
		c.Endpoints = wanted(named(c.Endpoints, all), services(c.Clusters))
	case proxyconfig.Secrets:
		c.Secrets = named(c.Secrets, all)
	}
	s.use(&c)
}

// use puts each listener into use whose tables and certificates are there. One of which some are still to come stays as it was.
func (s *state) use(c *proxyconfig.Config) {
	before := s.inUse.Listeners
	c.Listeners = make(map[string]*proxyconfig.Listener, len(s.listeners))
	for name, l := range s.listeners {
		if whole(c, l) {
			c.Listeners[name] = l
		} else if old := before[name]; old != nil {
			c.Listeners[name] = old
		}
	}
	s.inUse = c
	tables, secrets := s.needs()
	c.Tables, c.Secrets = wanted(c.Tables, tables), wanted(c.Secrets, secrets)
}

func whole(c *proxyconfig.Config, l *proxyconfig.Listener) bool {
	for _, chain := range l.Chains {
		if chain.Table != "" && c.Tables[chain.Table] == nil || chain.Secret != "" && c.Secrets[chain.Secret] == nil {
			return false
		}
	}
	return true
}

// needs names the tables and certificates of all listeners, those in use and those to come.
func (s *state) needs() (tables, secrets map[string]bool) {
	tables, secrets = map[string]bool{}, map[string]bool{}
	for _, all := range []map[string]*proxyconfig.Listener{s.listeners, s.inUse.Listeners} {
		for _, l := range all {
			for _, chain := range l.Chains {
				if chain.Table != "" {
					tables[chain.Table] = true
				}
				if chain.Secret != "" {
					secrets[chain.Secret] = true
				}
			}
		}
	}
	return tables, secrets
}

// names are the resources of a kind that are asked for by name, in their order; false: all are asked for.
func (s *state) names(kind proxyconfig.Kind) (names []string, byName bool) {
	tables, secrets := s.needs()
	switch kind {
	case proxyconfig.Tables:
		return slices.Sorted(maps.Keys(tables)), true
	case proxyconfig.Secrets:
		return slices.Sorted(maps.Keys(secrets)), true
	case proxyconfig.Endpoints:
		return slices.Sorted(maps.Keys(services(s.inUse.Clusters))), true
	}
	return nil, false
}

func services(clusters map[string]*proxyconfig.Cluster) map[string]bool {
	names := map[string]bool{}
	for _, c := range clusters {
		if c.Service != "" {
			names[c.Service] = true
		}
	}
	return names
}

// named returns a copy of a map with what has come.
func named[T any](before map[string]*T, all []resource) map[string]*T {
	after := make(map[string]*T, len(before)+len(all))
	maps.Copy(after, before)
	for _, r := range all {
		after[r.name] = r.value.(*T)
	}
	return after
}

// wanted returns what of a map is wanted: itself if that is all of it.
func wanted[T any](all map[string]*T, names map[string]bool) map[string]*T {
	left := all
	for name := range all {
		if names[name] {
			continue
		}
		left = maps.Clone(all)
		maps.DeleteFunc(left, func(name string, _ *T) bool { return !names[name] })
		break
	}
	return left
}
