package driver

import (
	"context"
	"hash/fnv"
	"math/rand/v2"

	"github.com/nodefv/nodefv/infra"
	"github.com/nodefv/nodefv/infra/targets"
	"github.com/nodefv/nodefv/metrics/report"
	"github.com/nodefv/nodefv/scenarios/effects"
	"github.com/nodefv/nodefv/scenarios/engine"
	"github.com/nodefv/nodefv/workloads"
	"github.com/nodefv/nodefv/workloads/kernel"
	"github.com/nodefv/nodefv/workloads/netns"
)

// World makes the world of one scenario; plan, draws and names follow from the run's seed and the scenario's name. The driver must be open.
func (d *Driver) World(sc engine.Scenario) (*engine.World, error) {
	h := fnv.New64a()
	_, _ = h.Write([]byte(sc.Name))
	seed := d.handoff.Seed
	sc.Topology.DualStack = sc.Topology.DualStack && d.HasFeature(workloads.IPv6)
	plan, err := workloads.NewPlan(seed, sc.Topology, d.handoff.Node)
	if err != nil {
		return nil, err
	}
	presents := d.target.Presentation()
	fleet := workloads.NewFleet(workloads.Config{
		Client: d.client, Admin: d.admin, Dynamic: d.dynamic, Features: d.target.Features(), Plugger: d.wire, HostInterface: d.target.HostInterface, Decorate: d.target.Decorate, OneWrite: presents.OneWrite, LocalIP: d.addr, Load: sc.Load,
		Record: func(op report.Operation) { d.write(report.Entry{Scenario: sc.Name, Operation: &op}) },
		Purge:  d.purge,
	}, workloads.NewState(d.handoff.Node))
	var backend kernel.Backend
	programmer, ok := d.target.(targets.Programmer)
	if ok {
		backend = programmer.Backend()
	}
	layout := d.layout
	if ok && programmer.Fits() {
		layout = nil
	}
	e := &effects.Set{
		Kernel: node{backend}, Connector: d.wire, HostInterface: d.target.HostInterface, Routed: presents.Routes, Rejects: presents.Rejects,
		Programmer: programmer, Layout: layout, Node: d.hosting(), Streamer: d.wire, Converser: d.wire, Loader: d.wire, Impairer: d.wire, Inspect: inspector{d}, Known: d.known,
	}
	e.Spreader, e.Lossy, e.Sockets = d.wire, d.wire, d.wire
	if d.HasFeature(workloads.ForgetsConnections) {
		e.Tracked = netns.Tracked
	}
	e.Elections = elections{d}
	if d.HasFeature(workloads.OwnWay) {
		e.Way = d.wire.agentsWay()
	}
	w := &engine.World{
		Fleet: fleet, Plan: plan, Rand: rand.New(rand.NewPCG(seed, h.Sum64())), SUT: d, Effects: e, Freeze: d.freeze, Wake: d.watcher.C(), Overflows: netns.Overflows,
	}
	if own, wake, ok := d.configured(); ok {
		w.Effects, w.Wake = own, wake
	}
	if own, err := d.proxied(); err != nil {
		return nil, err
	} else if own != nil {
		w.Effects, w.Wake = own, nil
	}
	if d.handoff.Obeyed {
		w.Agent = agent{d}
	}
	for _, i := range d.alongside() {
		w.Others = append(w.Others, i)
	}
	d.follow(w)
	return w, nil
}

// purge removes pods and namespaces from etcd, under the keys that the API server gives them.
func (d *Driver) purge(ctx context.Context, pods []workloads.Key, namespaces []string) error {
	var keys []string
	for _, k := range pods {
		keys = append(keys, "/registry/pods/"+k.String())
	}
	for _, n := range namespaces {
		keys = append(keys, "/registry/namespaces/"+n)
	}
	etcd, err := infra.ReadEtcdAccess(d.handoff.Etcd)
	if err != nil {
		return err
	}
	return infra.Purge(ctx, etcd, keys, netns.Dial)
}

// hosting is what the target decides of the node's own traffic; nil if it does not say.
func (d *Driver) hosting() *effects.Node {
	host, ok := d.target.(targets.Host)
	if !ok {
		return nil
	}
	sends, listens := host.NodeTraffic()
	return &effects.Node{Addr: d.addr, Sends: sends, Listens: listens}
}
