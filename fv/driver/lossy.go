package driver

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"

	"github.com/nodefv/nodefv/scenarios/effects"
	"github.com/nodefv/nodefv/workloads"
	"github.com/nodefv/nodefv/workloads/impair"
	"github.com/nodefv/nodefv/workloads/load"
	"github.com/nodefv/nodefv/workloads/netns"
	"github.com/nodefv/nodefv/workloads/uplink"
)

// Lose has the kernel lose packets that reach a pod, by a rule in its namespace.
func (w *Wire) Lose(pod workloads.Key, protocol load.Protocol, port uint16, share float64) (effects.Losing, error) {
	if protocol == load.HTTP {
		protocol = load.TCP
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	ns, ok := w.plugger.Namespace(pod)
	if !ok {
		return nil, fmt.Errorf("lose packets to %s: it is not plugged: %w", pod, os.ErrNotExist)
	}
	rules, err := netns.Lose(ns, string(protocol), port, share)
	if err != nil {
		return nil, err
	}
	return losing{rules}, nil
}

type losing struct{ *netns.Losses }

func (l losing) Count() (c effects.Losses, err error) {
	c.Seen, c.Lost, err = l.Losses.Count()
	return c, err
}

func (l losing) End() (effects.Losses, error) {
	c, err := l.Count()
	return c, errors.Join(err, l.Close())
}

// Freeze impairs a pod's link so that nothing passes.
func (w *Wire) Freeze(pod workloads.Key) (effects.Losing, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, plugged := w.plugs[pod]; !plugged {
		return nil, fmt.Errorf("freeze the link of %s: it is not plugged: %w", pod, os.ErrNotExist)
	}
	link, err := w.link(pod)
	if err != nil {
		return nil, err
	}
	all := impair.Quality{Loss: impair.Loss{Chance: impair.Chance{Share: 1}}}
	var freeze []ordered
	for _, d := range []impair.Direction{impair.Out, impair.In} {
		freeze = append(freeze, ordered{pod, link, impair.Impairment{Name: frozenPrefix + string(d), Direction: d, Quality: all}})
	}
	return frozen{w, pod, link}, w.setAll(freeze)
}

// frozenPrefix begins the names of the impairments that freeze a link: it may have others, which stay.
const frozenPrefix = "frozen-"

type frozen struct {
	wire *Wire
	pod  workloads.Key
	link *impair.Link
}

// own is what of the link's impairments freezes it.
func (f frozen) own() ([]impair.Report, error) {
	all, err := f.link.Show()
	return slices.DeleteFunc(all, func(i impair.Report) bool { return !strings.HasPrefix(i.Name, frozenPrefix) }), err
}

func (f frozen) Count() (c effects.Losses, err error) {
	all, err := f.own()
	for _, i := range all {
		c.Seen, c.Lost = c.Seen+i.Counters.Packets, c.Lost+i.Counters.Lost
	}
	return c, err
}

func (f frozen) End() (effects.Losses, error) {
	c, err := f.Count()
	f.wire.mu.Lock()
	defer f.wire.mu.Unlock()
	return c, errors.Join(err, f.thaw())
}

// thaw lets all pass; the lock is held.
func (f frozen) thaw() error {
	var errs error
	all, err := f.own()
	for _, i := range all {
		errs = errors.Join(errs, f.link.Clear(i.Name))
	}
	return errors.Join(err, errs, f.wire.noteEnd(f.pod, f.link))
}

// Listen opens a pod's listening socket.
func (w *Wire) Listen(ctx context.Context, at effects.End, port uint16) (l net.Listener, err error) {
	ns, err := w.namespace(at)
	if err != nil {
		return nil, err
	}
	err = ns.Do(func() error {
		l, err = (&net.ListenConfig{}).Listen(ctx, "tcp", netip.AddrPortFrom(at.Addr, port).String())
		return err
	})
	return l, err
}

// Dial connects a pod to an address.
func (w *Wire) Dial(ctx context.Context, from effects.End, to netip.AddrPort) (c net.Conn, err error) {
	ns, err := w.namespace(from)
	if err != nil {
		return nil, err
	}
	dialer := net.Dialer{LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(from.Addr, 0))}
	err = ns.Do(func() error {
		c, err = dialer.DialContext(ctx, "tcp", to.String()) // of an address, it opens the socket on this thread
		return err
	})
	return c, err
}

// namespace finds that of an end, and makes it real.
func (w *Wire) namespace(e effects.End) (*netns.Namespace, error) {
	if err := w.Ready(e); err != nil {
		return nil, err
	}
	key := e.Key
	if e.Remote {
		key = uplink.Pod
	}
	ns, ok := w.plugger.Namespace(key)
	if !ok {
		return nil, fmt.Errorf("pod %s is not plugged: %w", key, os.ErrNotExist)
	}
	return ns, nil
}
