package routed

import (
	"context"
	"fmt"
	"sync"

	"github.com/nodefv/nodefv/metrics/report"
	"github.com/nodefv/nodefv/scenarios/effects"
	"github.com/nodefv/nodefv/scenarios/engine"
	"github.com/nodefv/nodefv/workloads"
	"github.com/nodefv/nodefv/workloads/proxyconfig"
	"github.com/nodefv/nodefv/workloads/routing"
)

// Follower follows the configuration that a SUT makes for a proxy, as that proxy would. It is safe for concurrent use.
type Follower interface {
	// Config returns what is in use.
	Config() *proxyconfig.Config
	// Watch tells do of each push from now on, one after the other, until stop. do must not call the Follower.
	Watch(do func(proxyconfig.Push)) (stop func())
	// Await waits until what is in use is as it must be.
	Await(ctx context.Context, ok func(*proxyconfig.Config) bool) error
}

// Configured are the effects of a SUT that has no data plane of its own: what a proxy with the configuration that the SUT makes would do with requests
// must be what the model says, and there is nothing in it besides.
type Configured struct {
	Follower Follower
	Dialect  routing.Dialect
	HTTP     uint16                   // port of the proxy's listener
	HTTPS    uint16                   // and for TLS
	Links    func() ([]string, error) // of the node
	Known    []report.KnownIssue      // of the SUT's release: what they explain of pushes is excused
	Inspect  effects.Inspector        // nil: nobody looks into the SUT

	law sharedLaw // of the state that was asked for last
}

// sharedLaw is a law with who uses it.
type sharedLaw struct {
	sync.Mutex
	law
	all []expected // of its state; nil: it was not asked for
}

// NewConfigured returns the effects of such a SUT.
func NewConfigured(f Follower, d routing.Dialect, http, https uint16) *Configured {
	return &Configured{Follower: f, Dialect: d, HTTP: http, HTTPS: https, law: sharedLaw{law: *newLaw(d)}}
}

// ConfiguredOf returns the effects of a world with such a SUT; false: it has others.
func ConfiguredOf(w *engine.World) (*Configured, bool) {
	c, ok := w.Effects.(*Configured)
	return c, ok
}

// Inspector returns who looks into the SUT; nil: nobody does.
func (c *Configured) Inspector() effects.Inspector { return c.Inspect }

// Ready wants the configuration to be there, whatever is in it.
func (c *Configured) Ready(*engine.World) []engine.Probe { return []engine.Probe{Served{c.Follower}} }

// Always compares the configuration with the model.
func (c *Configured) Always(*engine.World) []engine.Probe {
	return []engine.Probe{Answers{c}, Shown{c}, Unused{c.Follower}}
}

// Residue wants nothing of the scenario to be left in the API and in the kernel.
func (c *Configured) Residue(w *engine.World) (engine.Probe, error) {
	links, err := c.Links()
	if err != nil {
		return nil, fmt.Errorf("list links: %w", err)
	}
	return effects.Residue{Baseline: links, Links: c.Links, Verify: w.Fleet.Verify}, nil
}

// nobody asks for what no route can be of.
var nobody = routing.Request{Host: "nobody.example", Path: "/nothing"}

// asks are the requests of a state: one for each of its routes, and one that is of none.
func (c *Configured) asks(s workloads.State) []routing.Request { return asksOf(c.Dialect, s) }

// DialectOf is how the SUT of a world routes requests.
func DialectOf(w *engine.World) routing.Dialect {
	if c, ok := ConfiguredOf(w); ok {
		return c.Dialect
	}
	if p, ok := ProxiedOf(w); ok {
		return p.Dialect
	}
	return routing.Dialect{}
}
