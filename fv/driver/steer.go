package driver

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"

	"github.com/nodefv/nodefv/metrics"
	"github.com/nodefv/nodefv/scenarios/effects"
	"github.com/nodefv/nodefv/scenarios/engine"
	"github.com/nodefv/nodefv/scenarios/steer"
	"github.com/nodefv/nodefv/workloads"
	"github.com/nodefv/nodefv/workloads/impair"
	"github.com/nodefv/nodefv/workloads/uplink"
)

// steered lets a client of a socket in the record's folder steer the world.
func (d *Driver) steered(ctx context.Context, w *engine.World) error {
	listener, err := listenIn(d.handoff.Out, steer.SocketName)
	if err != nil {
		return err
	}
	defer listener.Close()
	gauges := make(chan steer.Gauges, 16)
	var last metrics.Point
	d.heed(func(p metrics.Point) {
		select {
		case gauges <- gaugesOf(last, p):
		default: // nobody reads
		}
		last = p
	})
	defer d.heed(nil)
	return steer.Serve(ctx, w, listener, gauges)
}

// listenIn listens on a socket in a folder, whose own path may be longer than that of a socket may be.
func listenIn(dir, name string) (*net.UnixListener, error) {
	folder, err := os.Open(dir)
	if err != nil {
		return nil, fmt.Errorf("listen for who steers: %w", err)
	}
	defer folder.Close()
	short := filepath.Join(fmt.Sprintf("/proc/self/fd/%d", folder.Fd()), name)
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: short, Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("listen for who steers: %w", err)
	}
	l.SetUnlinkOnClose(false) // by a path that is gone by then
	if err := os.Chmod(short, 0o600); err != nil {
		return nil, errors.Join(fmt.Errorf("listen for who steers: %w", err), l.Close())
	}
	return l, nil
}

// heed has the sampler's points told to a function, which must not block; nil: no more.
func (d *Driver) heed(told func(metrics.Point)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.heeded = told
}

// gaugesOf are those of a point, with what the processor did since the point before.
func gaugesOf(before, p metrics.Point) steer.Gauges {
	g := steer.Gauges{At: p.At}
	for gauge, to := range map[metrics.Gauge]**float64{
		metrics.HeapBytes: &g.Heap, metrics.RSSBytes: &g.RSS, metrics.Endpoints: &g.Endpoints, metrics.InSync: &g.InSync,
	} {
		if v, read := p.Values[gauge]; read {
			*to = &v
		}
	}
	for _, gauge := range []metrics.Gauge{metrics.CPUSeconds, metrics.ProcessCPU} {
		was, known := before.Values[gauge]
		is, read := p.Values[gauge]
		if took := p.At.Sub(before.At).Seconds(); known && read && is >= was && took > 0 {
			cores := (is - was) / took
			g.CPU = &cores
			break
		}
	}
	return g
}

var _ effects.Impairer = &Wire{}

// Impair puts an impairment in force, in the place of the one of its name on the pod's link.
func (w *Wire) Impair(i effects.Impairment) error {
	asked := impair.Impairment{Quality: impair.Quality{
		Delay: i.Delay, Jitter: i.Jitter, Loss: impair.Loss{Chance: impair.Chance{Share: i.Loss}}, Duplication: impair.Chance{Share: i.Duplication},
		Reordering: impair.Chance{Share: i.Reordering}, Corruption: impair.Chance{Share: i.Corruption}, Rate: i.Rate, Seed: i.Seed,
	}}
	if i.In {
		asked.Direction = impair.In
	}
	if i.Protocol != "" || i.Local != (netip.AddrPort{}) || i.Remote != (netip.AddrPort{}) {
		end := func(a netip.AddrPort) impair.Endpoint { return impair.Endpoint{Address: a.Addr(), Port: a.Port()} }
		asked.Filter.Connection = &impair.Connection{Protocol: i.Protocol, Local: end(i.Local), Remote: end(i.Remote)}
	}
	asked.Name = i.Name
	w.mu.Lock()
	defer w.mu.Unlock()
	k, err := w.pod(i.Pod.String())
	if err != nil {
		return err
	}
	link, err := w.link(k)
	if err != nil {
		return err
	}
	return w.setAll([]ordered{{k, link, asked}})
}

// Mend ends the impairment of that name on a link, which may be one of the node's.
func (w *Wire) Mend(pod workloads.Key, name string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	link := w.links[pod]
	if link == nil {
		return fmt.Errorf("there is no impairment %s", name)
	}
	return errors.Join(link.Clear(name), w.noteEnd(pod, link))
}

// nodeLinks are the node's own.
var nodeLinks = map[workloads.Key]effects.NodeLink{uplink.Pod: effects.ToNodes, uplinkKey: effects.ToLAN}

// Impaired says what is in force.
func (w *Wire) Impaired() ([]effects.Impaired, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var all []effects.Impaired
	for pod, link := range w.links {
		reports, err := link.Show()
		if err != nil {
			return nil, err
		}
		for _, r := range reports {
			is := effects.Impaired{Node: nodeLinks[pod], Packets: r.Counters.Packets, Lost: r.Counters.Lost}
			is.Pod, is.Name, is.In = pod, r.Name, r.Direction == impair.In
			is.Proof = r.Proof
			all = append(all, is)
		}
	}
	return all, nil
}
