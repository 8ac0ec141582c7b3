package fv

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/nodefv/nodefv/scenarios/effects"
	"github.com/nodefv/nodefv/workloads"
	"github.com/nodefv/nodefv/workloads/netns"
	"github.com/nodefv/nodefv/workloads/traffic"
	"github.com/nodefv/nodefv/workloads/uplink"
)

// wire plugs local pods, makes remote ones real when they are talked to, and makes connections between them. A socket keeps its
// namespace alive, so whoever unplugs a pod must close the pod's sockets first: that is why both are done here.
type wire struct {
	plugger *netns.Plugger
	prober  *traffic.Prober
	fabric  *uplink.Fabric
	routes  bool // to pods are its own to make

	mu        sync.Mutex
	plugs     map[workloads.Key]workloads.Plug
	owners    map[netip.Addr]workloads.Key // local pods that have a veth
	stream    *traffic.Stream              // nil: none yet
	listening map[workloads.Key][]uint16   // the zero Key is the node
}

// newWire opens a wire, which routes to the pods itself if the SUT does not.
func newWire(ctx context.Context, routes bool) (w *wire, err error) {
	w = &wire{routes: routes, plugs: map[workloads.Key]workloads.Plug{}, owners: map[netip.Addr]workloads.Key{}, listening: map[workloads.Key][]uint16{}}
	defer func() {
		if err != nil {
			err = errors.Join(err, w.close(ctx))
		}
	}()
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

// Plug connects pods to the node.
func (w *wire) Plug(ctx context.Context, pods []workloads.Plug) error {
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
	return w.reroute(pods)
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
func (w *wire) Unplug(ctx context.Context, pods []workloads.Key) error {
	w.mu.Lock()
	var failed []error
	var left []workloads.Plug
	for _, k := range pods {
		if ns, ok := w.plugger.Namespace(k); ok {
			failed = append(failed, w.prober.Release(ns))
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
func (w *wire) Readdress(pods []workloads.Plug) error {
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
func (w *wire) own(p workloads.Plug) error {
	for _, ip := range p.IPs {
		w.owners[ip] = p.Pod
	}
	return w.fabric.Unwire(p.IPs...)
}

// disown forgets a pod's addresses, and returns those that other local pods have as well, as plugs of these: they are theirs now. The lock is held.
func (w *wire) disown(k workloads.Key) (left []workloads.Plug) {
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
func (w *wire) reroute(pods []workloads.Plug) error {
	var failed error
	for _, p := range pods {
		if w.routes {
			failed = errors.Join(failed, route(p, netns.Route))
		}
	}
	return failed
}

// Connect tries all flows.
func (w *wire) Connect(ctx context.Context, flows []effects.Flow) (effects.Outcomes, error) {
	outcomes := effects.Outcomes{}
	var tried []effects.Flow
	var probes []traffic.Flow
	for _, f := range flows {
		err := w.bothReady(f)
		if errors.Is(err, os.ErrNotExist) {
			outcomes[f] = effects.Outcome{Kind: effects.Unplugged}
			continue
		}
		if err != nil {
			return nil, err
		}
		tried, probes = append(tried, f), append(probes, onWire(f))
	}
	for i, r := range w.prober.Probe(ctx, probes) {
		outcomes[tried[i]] = outcome(tried[i], r)
	}
	return outcomes, errors.Join(context.Cause(ctx), w.prober.Err())
}

// onWire is the flow as the prober knows it.
func onWire(f effects.Flow) traffic.Flow {
	flow := traffic.Flow{From: f.From.Key, To: f.To.Addr, Port: f.Port, Protocol: f.Protocol}
	if f.From.Remote {
		flow.From, flow.Source = uplink.Pod, f.From.Addr
	}
	return flow
}

// Start begins to send on a flow.
func (w *wire) Start(f effects.Flow, interval time.Duration) error {
	if err := w.bothReady(f); err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.sends(); err != nil {
		return err
	}
	return w.stream.Open(onWire(f), f, interval) // remote pods that have one address after the other have one flow
}

// sends makes the stream if there is none yet. The lock is held.
func (w *wire) sends() (err error) {
	if w.stream == nil {
		w.stream, err = w.prober.Stream(effects.CertainAfter)
	}
	return err
}

// Settle waits until what became of each packet is certain.
func (w *wire) Settle() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.stream == nil {
		return nil
	}
	return w.stream.Settle()
}

// Converse establishes flows and lets both ends talk.
func (w *wire) Converse(ctx context.Context, flows []effects.Flow, interval time.Duration) (effects.Conversation, error) {
	var established []traffic.Flow
	for _, f := range flows {
		if err := w.bothReady(f); err != nil {
			return nil, err
		}
		established = append(established, onWire(f))
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.sends(); err != nil {
		return nil, err
	}
	talk, err := w.stream.Converse(ctx, established, interval)
	if err != nil {
		return nil, err
	}
	return conversation{talk, flows}, nil
}

// conversation is one on flows, in their order.
type conversation struct {
	*traffic.Conversation
	flows []effects.Flow
}

func (c conversation) End() map[effects.Flow][]effects.Observation {
	seen := map[effects.Flow][]effects.Observation{}
	for i, said := range c.Conversation.End() {
		f := c.flows[i]
		for _, d := range said {
			seen[f] = append(seen[f], effects.Observation{Flow: f, Sent: d.Sent, Gone: d.Gone, Arrived: !d.Received.IsZero()})
		}
	}
	return seen
}

// Stop ends a flow.
func (w *wire) Stop(f effects.Flow) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.stream != nil {
		w.stream.Close(onWire(f))
	}
}

// Observe returns what became of the packets of which that is certain.
func (w *wire) Observe() []effects.Observation {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.stream == nil {
		return nil
	}
	var seen []effects.Observation
	for _, d := range w.stream.Take() {
		if d.Err == nil { // else it never was on its way: an end of it goes
			seen = append(seen, observed(d))
		}
	}
	return seen
}

// observed is what became of a packet of a stream. A datagram may wait in the kernel after the call that sent it has returned, so one that arrived
// was on its way until then.
func observed(d traffic.Datagram) effects.Observation {
	o := effects.Observation{Flow: d.Tag.(effects.Flow), Sent: d.Sent, Gone: d.Gone, Arrived: !d.Received.IsZero()}
	if o.Flow.Protocol == corev1.ProtocolUDP && d.Received.After(d.Gone) {
		o.Gone = d.Received
	}
	return o
}

func outcome(f effects.Flow, r traffic.Result) effects.Outcome {
	switch {
	case r.Err == nil && r.SourceSeen == f.From.Addr:
		return effects.Outcome{Kind: effects.Connected}
	case r.Err == nil:
		return effects.Outcome{Kind: effects.ConnectedFrom, Seen: r.SourceSeen.String()}
	case errors.Is(r.Err, traffic.ErrDropped):
		return effects.Outcome{Kind: effects.Dropped}
	case errors.Is(r.Err, traffic.ErrLate):
		return effects.Outcome{Kind: effects.PassedLate}
	case errors.Is(r.Err, traffic.ErrRefused):
		return effects.Outcome{Kind: effects.Refused}
	case errors.Is(r.Err, os.ErrNotExist):
		return effects.Outcome{Kind: effects.Unplugged}
	}
	return effects.Outcome{Kind: effects.Failed, Seen: r.Err.Error()}
}

// bothReady makes the ends of a flow real, and lets the one that is called listen on its port.
func (w *wire) bothReady(f effects.Flow) error {
	return errors.Join(w.ready(f.From), w.ready(f.To, f.Port))
}

// ready makes an end of a flow real, and listen.
func (w *wire) ready(e effects.End, ports ...uint16) error {
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

// close closes all. A flow of which it was last said that it is dropped, and whose packets came after all, is an error: a check may
// have passed for it.
func (w *wire) close(ctx context.Context) error {
	var errs error
	if w.stream != nil {
		_, errs = w.stream.Stop()
	}
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
	return errs
}
