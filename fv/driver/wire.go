package driver

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"sync"

	"github.com/nodefv/nodefv/infra/lifecycle"
	"github.com/nodefv/nodefv/scenarios/effects"
	"github.com/nodefv/nodefv/workloads"
	"github.com/nodefv/nodefv/workloads/impair"
	"github.com/nodefv/nodefv/workloads/netns"
	"github.com/nodefv/nodefv/workloads/traffic"
	"github.com/nodefv/nodefv/workloads/traffic/continuous"
	"github.com/nodefv/nodefv/workloads/traffic/web"
	"github.com/nodefv/nodefv/workloads/uplink"
)

// Wire plugs local pods, makes remote ones real when they are talked to, and makes connections between them. A socket keeps its
// namespace alive, so whoever unplugs a pod must close the pod's sockets first: that is why both are done here.
type Wire struct {
	plugger *netns.Plugger
	prober  *traffic.Prober
	fabric  *uplink.Fabric
	routes  bool           // to pods are its own to make
	addr    netip.Addr     // of the node
	api     netip.AddrPort // of the API server; invalid: not known
	undo    lifecycle.Undo

	mu        sync.Mutex
	plugs     map[workloads.Key]workloads.Plug
	owners    map[netip.Addr]workloads.Key   // local pods that have a veth
	stream    *traffic.Stream                // nil: none yet
	listening map[workloads.Key][]uint16     // the zero Key is the node
	links     map[workloads.Key]*impair.Link // of pods, and of the node: see uplinkKey
	bad       []spell                        // in which links were impaired
	carried   *continuous.Traffic            // the newest; nil: there was none
	backends  *web.Backends                  // of all local pods; nil: they serve no HTTP, see ServeWeb
	webPort   uint16
	asker     *web.Client // nil: nobody has asked, see Asker
}

// NewWire opens a wire in the network namespace of this process, that of the node with this address. It routes to the pods itself if the SUT does
// not.
func NewWire(ctx context.Context, node netip.Addr, routes bool) (w *Wire, err error) {
	w = &Wire{routes: routes, addr: node, plugs: map[workloads.Key]workloads.Plug{}, owners: map[netip.Addr]workloads.Key{}, listening: map[workloads.Key][]uint16{},
		links: map[workloads.Key]*impair.Link{}}
	defer func() {
		if err != nil {
			err = errors.Join(err, w.Close(ctx))
		}
	}()
	if err := w.closePools(node); err != nil {
		return w, err
	}
	if w.plugger, err = netns.New(); err != nil {
		return w, err
	}
	if w.fabric, err = uplink.Open(ctx, w.plugger); err != nil {
		w.fabric = nil
		return w, err
	}
	w.prober, err = traffic.New(w.plugger, 0)
	return w, err
}

// closePools keeps what is sent to addresses of pods that nobody has from leaving the node.
func (w *Wire) closePools(node netip.Addr) error {
	for _, pool := range []netip.Prefix{workloads.PoolV4, workloads.PoolV6} {
		if pool.Contains(node) {
			return fmt.Errorf("the engine made the run's bridge in %s, where pods get their addresses (%s): set other default-address-pools in its configuration", pool, node)
		}
		undo, err := netns.Blackhole(pool)
		if err != nil {
			return err
		}
		w.undo.Push("remove the blackhole route of "+pool.String(), func(context.Context) error { return undo() })
	}
	return nil
}

// Prober returns what makes the wire's flows.
func (w *Wire) Prober() *traffic.Prober { return w.prober }

// Plug connects pods to the node.
func (w *Wire) Plug(ctx context.Context, pods []workloads.Plug) error {
	w.mu.Lock()
	var failed error
	for _, p := range pods {
		w.plugs[p.Pod] = p
		failed = errors.Join(failed, w.own(p))
	}
	w.mu.Unlock()
	if failed != nil {
		return failed
	}
	if err := w.plugger.Plug(ctx, pods); err != nil {
		return err
	}
	return errors.Join(w.reroute(pods), w.serveIn(pods))
}

// route does it with each address of a pod that is plugged.
func route(p workloads.Plug, do func(netip.Addr, string) error) error {
	var failed error
	for _, ip := range p.IPs {
		failed = errors.Join(failed, do(ip, p.HostInterface))
	}
	return failed
}

// Unplug closes the pods' sockets and disconnects them.
func (w *Wire) Unplug(ctx context.Context, pods []workloads.Key) error {
	w.mu.Lock()
	w.leaveWeb(pods)
	var failed []error
	var left []workloads.Plug
	for _, k := range pods {
		if ns, ok := w.plugger.Namespace(k); ok {
			failed = append(failed, w.mend(k), w.prober.Release(ns))
		}
		left = append(left, w.disown(k)...)
		delete(w.listening, k)
		delete(w.plugs, k)
	}
	left = slices.DeleteFunc(left, func(p workloads.Plug) bool { return slices.Contains(pods, p.Pod) })
	w.mu.Unlock()
	return errors.Join(append(failed, w.plugger.Unplug(ctx, pods), w.reroute(left))...)
}

// Readdress lets pods have these addresses, and others be those of remote pods. Their veths stay.
func (w *Wire) Readdress(pods []workloads.Plug) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	var failed error
	for _, p := range pods {
		if _, plugged := w.plugs[p.Pod]; !plugged {
			continue
		}
		if w.routes {
			failed = errors.Join(failed, route(w.plugs[p.Pod], netns.Unroute))
		}
		failed = errors.Join(failed, w.reroute(w.disown(p.Pod)))
		w.plugs[p.Pod] = p
		failed = errors.Join(failed, w.own(p), w.reroute([]workloads.Plug{p}))
	}
	return failed
}

// own makes addresses a local pod's; they cease to be those of remote pods. The lock is held.
func (w *Wire) own(p workloads.Plug) error {
	for _, ip := range p.IPs {
		w.owners[ip] = p.Pod
	}
	return w.fabric.Unwire(p.IPs...)
}

// disown forgets a pod's addresses, and returns those that other local pods have as well, as plugs of these: they are theirs now. The lock is held.
func (w *Wire) disown(k workloads.Key) (left []workloads.Plug) {
	for _, ip := range w.plugs[k].IPs {
		if w.owners[ip] != k {
			continue
		}
		delete(w.owners, ip)
		for other, p := range w.plugs {
			if other != k && slices.Contains(p.IPs, ip) {
				w.owners[ip] = other
				left = append(left, workloads.Plug{Pod: other, HostInterface: p.HostInterface, IPs: []netip.Addr{ip}})
				break
			}
		}
	}
	return left
}

// reroute leads to addresses of pods that have become theirs, if the wire makes the routes.
func (w *Wire) reroute(pods []workloads.Plug) error {
	var failed error
	for _, p := range pods {
		if w.routes {
			failed = errors.Join(failed, route(p, netns.Route))
		}
	}
	return failed
}

// Retire takes what makes addresses real from those that have gone; they are made real again when they are talked to.
func (w *Wire) Retire(gone func(netip.Addr) bool) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	retired := slices.DeleteFunc(w.fabric.Wired(), func(a netip.Addr) bool { return !gone(a) })
	return w.fabric.Unwire(retired...)
}

// Ready makes an end of a flow real, and lets it listen on these ports.
func (w *Wire) Ready(e effects.End, ports ...uint16) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	key, ns := e.Key, w.prober.Node()
	if key != (workloads.Key{}) {
		_, plugged := w.plugs[key]
		if e.Remote {
			if _, local := w.owners[e.Addr]; local {
				return fmt.Errorf("the address of %s is a local pod's: %w", e, os.ErrNotExist)
			}
			if err := w.fabric.Wire(e.Addr); err != nil {
				return err
			}
			key, plugged = uplink.Pod, true
		}
		var ok bool
		if ns, ok = w.plugger.Namespace(key); !ok || !plugged { // a socket in the namespace of a pod that is going would outlive it
			return fmt.Errorf("pod %s is not plugged: %w", e, os.ErrNotExist)
		}
	}
	missing := slices.DeleteFunc(ports, func(p uint16) bool { return slices.Contains(w.listening[key], p) })
	if err := w.prober.Listen(ns, missing); err != nil {
		return fmt.Errorf("listen in %s: %w", e, err)
	}
	w.listening[key] = append(w.listening[key], missing...)
	return nil
}

// Close closes all. A flow of which it was last said that it is dropped, and whose packets came after all, is an error: a check may
// have passed for it.
func (w *Wire) Close(ctx context.Context) error {
	errs := w.mendAll()
	if w.stream != nil {
		_, err := w.stream.Stop()
		errs = errors.Join(errs, err)
	}
	errs = errors.Join(errs, w.closeWeb())
	if w.prober != nil {
		if flows := w.prober.Late(); len(flows) > 0 {
			errs = errors.Join(errs, fmt.Errorf("%d flows were judged dropped too early, one of them %+v", len(flows), flows[0]))
		}
		errs = errors.Join(errs, w.prober.Close())
	}
	if w.fabric != nil {
		errs = errors.Join(errs, w.fabric.Close(ctx))
	}
	if w.plugger != nil {
		errs = errors.Join(errs, w.plugger.Close())
	}
	return errors.Join(errs, w.undo.Unwind(ctx))
}
