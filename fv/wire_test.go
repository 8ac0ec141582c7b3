package fv

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"

	"github.com/nodefv/nodefv/scenarios/engine"
	"github.com/nodefv/nodefv/workloads"
	"github.com/nodefv/nodefv/workloads/netns"
	"github.com/nodefv/nodefv/workloads/traffic"
	"github.com/nodefv/nodefv/workloads/uplink"
)

// wire plugs pods and makes connections between them. A socket keeps its namespace alive, so whoever unplugs a pod must
// close the pod's sockets first: that is why both are done here.
type wire struct {
	plugger *netns.Plugger
	prober  *traffic.Prober

	mu        sync.Mutex
	addresses map[workloads.Key]workloads.Plug
	listening map[workloads.Key]bool
}

func newWire() (*wire, error) {
	plugger, err := netns.New()
	if err != nil {
		return nil, err
	}
	prober, err := traffic.New(plugger, 0)
	if err != nil {
		return nil, errors.Join(err, plugger.Close())
	}
	return &wire{plugger: plugger, prober: prober, addresses: map[workloads.Key]workloads.Plug{}, listening: map[workloads.Key]bool{}}, nil
}

// Plug connects pods to the node.
func (w *wire) Plug(ctx context.Context, pods []workloads.Plug) error {
	w.mu.Lock()
	for _, p := range pods {
		w.addresses[p.Pod] = p
	}
	w.mu.Unlock()
	if err := w.plugger.Plug(ctx, pods); err != nil {
		return err
	}
	for _, p := range pods {
		if p.Remote {
			if err := uplink.Route(p.HostInterface, p.IPs); err != nil {
				return err
			}
		}
	}
	return nil
}

// Unplug closes the pods' sockets and disconnects them.
func (w *wire) Unplug(ctx context.Context, pods []workloads.Key) error {
	w.mu.Lock()
	var failed []error
	for _, k := range pods {
		if ns, ok := w.plugger.Namespace(k); ok {
			failed = append(failed, w.prober.Release(ns))
		}
		delete(w.listening, k)
		delete(w.addresses, k)
	}
	w.mu.Unlock()
	return errors.Join(append(failed, w.plugger.Unplug(ctx, pods))...)
}

// unplugged is the outcome of a flow one of whose pods has no veth, or not yet, or no more.
const unplugged = engine.Outcome("not plugged")

// passedLate is the outcome of a flow that is dropped now, and was judged to be before, too early.
const passedLate = engine.Outcome("passed after it was judged dropped")

// Connect tries all flows at once.
func (w *wire) Connect(ctx context.Context, flows []engine.Flow) (map[engine.Flow]engine.Outcome, error) {
	outcomes := map[engine.Flow]engine.Outcome{}
	var tried []engine.Flow
	var probes []traffic.Flow
	for _, f := range flows {
		plug, err := w.listen(f.To)
		if errors.Is(err, os.ErrNotExist) {
			outcomes[f] = unplugged
			continue
		}
		if err != nil {
			return nil, err
		}
		for _, ip := range plug.IPs {
			if ip.Is6() == f.V6 {
				tried, probes = append(tried, f), append(probes, traffic.Flow{From: f.From, To: ip, Port: f.Port, Protocol: f.Protocol})
			}
		}
	}
	for i, r := range w.prober.Probe(ctx, probes) {
		switch {
		case r.Err == nil && w.owns(tried[i].From, r):
			outcomes[tried[i]] = engine.Connected
		case r.Err == nil:
			outcomes[tried[i]] = engine.Outcome("connected from " + r.SourceSeen.String())
		case errors.Is(r.Err, traffic.ErrDropped):
			outcomes[tried[i]] = engine.Dropped
		case errors.Is(r.Err, traffic.ErrLate):
			outcomes[tried[i]] = passedLate
		case errors.Is(r.Err, traffic.ErrRefused):
			outcomes[tried[i]] = engine.Refused
		case errors.Is(r.Err, os.ErrNotExist):
			outcomes[tried[i]] = unplugged
		default:
			outcomes[tried[i]] = engine.Outcome(r.Err.Error())
		}
	}
	return outcomes, context.Cause(ctx)
}

// owns reports whether the acceptor saw an address of the pod that connected.
func (w *wire) owns(pod workloads.Key, r traffic.Result) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, ip := range w.addresses[pod].IPs {
		if ip == r.SourceSeen {
			return true
		}
	}
	return false
}

// listen makes the pod listen on every port that is probed, once.
func (w *wire) listen(pod workloads.Key) (workloads.Plug, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	plug, plugged := w.addresses[pod]
	if w.listening[pod] {
		return plug, nil
	}
	ns, ok := w.plugger.Namespace(pod)
	if !ok || !plugged { // a listener in the namespace of a pod that is going would outlive it
		return plug, fmt.Errorf("pod %s is not plugged: %w", pod, os.ErrNotExist)
	}
	if err := w.prober.Listen(ns, engine.Ports); err != nil {
		return plug, fmt.Errorf("listen in %s: %w", pod, err)
	}
	w.listening[pod] = true
	return plug, nil
}

// close closes all. A flow of which it was last said that it is dropped, and whose packets came after all, is an error: a check may
// have passed for it.
func (w *wire) close() error {
	var late error
	if flows := w.prober.Late(); len(flows) > 0 {
		late = fmt.Errorf("%d flows were judged dropped too early, one of them %+v", len(flows), flows[0])
	}
	return errors.Join(late, w.prober.Close(), w.plugger.Close())
}
