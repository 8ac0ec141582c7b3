package driver

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/nodefv/nodefv/infra"
	"github.com/nodefv/nodefv/infra/targets"
	"github.com/nodefv/nodefv/metrics"
	"github.com/nodefv/nodefv/metrics/sites"
	"github.com/nodefv/nodefv/scenarios/effects"
	"github.com/nodefv/nodefv/workloads/kernel"
	"github.com/nodefv/nodefv/workloads/netns"
)

// inspector looks into the SUT and the node's kernel.
type inspector struct{ *Driver }

var _ effects.Inspector = inspector{}

func (i inspector) Sample(ctx context.Context) metrics.Point {
	p := i.sampler.Sample(ctx, true)
	pid, err := i.process()
	if err == nil {
		p.Values = maps.Clone(p.Values) // others read it
		p.Values[metrics.PSSBytes], err = metrics.PSS(pid)
	}
	if err != nil {
		delete(p.Values, metrics.PSSBytes)
		p.Gaps = append(slices.Clone(p.Gaps), metrics.Gap{Source: "process", Reason: err.Error()})
	}
	return p
}

// profileBound is how long a profile may take: one of a program that counts every allocation is large, and the machine may be busy.
const profileBound = 2 * time.Minute

func (i inspector) Profile(ctx context.Context, k sites.Kind) (sites.Table, []byte, error) {
	port := i.handoff.Target.DebugPort
	if port == 0 {
		return sites.Table{}, nil, effects.ErrNoProfile
	}
	ctx, cancel := context.WithTimeoutCause(ctx, profileBound, fmt.Errorf("no %s profile within %v", k, profileBound))
	defer cancel()
	defer i.sampler.Hush()() // an answer to a scrape, half made, is thousands of objects
	table, data, err := sites.Fetch(ctx, targets.Direct, fmt.Sprintf("http://127.0.0.1:%d", port), k)
	if errors.Is(err, sites.ErrNone) {
		err = effects.ErrNoProfile
	}
	return table, data, err
}

func (i inspector) Census(ctx context.Context) (kernel.Census, error) {
	pid, err := i.process()
	if err != nil {
		return nil, err
	}
	backend := kernel.IPTablesNFT
	if p, ok := i.target.(targets.Programmer); ok {
		backend = p.Backend()
	}
	return netns.Census(ctx, backend, pid)
}

func (i inspector) Retire(gone func(netip.Addr) bool) error { return i.wire.Retire(gone) }

func (i inspector) Keep(name string, data []byte) error {
	return os.WriteFile(filepath.Join(i.handoff.Out, name), data, 0o644)
}

func (i inspector) RestartAPI(ctx context.Context) error { return i.restart(ctx, infra.RoleAPIServer) }
