package driver

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/nodefv/nodefv/infra"
	"github.com/nodefv/nodefv/workloads"
	"github.com/nodefv/nodefv/workloads/impair"
	"github.com/nodefv/nodefv/workloads/netns"
	"github.com/nodefv/nodefv/workloads/uplink"
)

// uplinkKey stands for the interface with the node's address, by which it reaches the API server. uplink.Pod stands for the one by which it
// reaches the pods of other nodes.
var uplinkKey = workloads.Key{Name: infra.Uplink}

// chosen are the links that an order is about, in their order by name; the lock is held.
func (w *Wire) chosen(o infra.ImpairOrder) ([]workloads.Key, error) {
	switch o.Pod {
	case "":
		return slices.SortedFunc(maps.Keys(w.links), func(a, b workloads.Key) int { return strings.Compare(a.String(), b.String()) }), nil
	case infra.API:
		if !w.api.IsValid() {
			return nil, errors.New("the agent has no connection of its own with the API server here: use --uplink")
		}
		return []workloads.Key{uplinkKey}, nil
	case infra.Uplink:
		return []workloads.Key{uplink.Pod, uplinkKey}, nil
	}
	k, err := w.pod(o.Pod)
	return []workloads.Key{k}, err
}

// end is where packets of a link are met: a namespace and a device in it.
func (w *Wire) end(of workloads.Key) (*netns.Namespace, string, error) {
	switch of {
	case uplink.Pod:
		return w.prober.Node(), uplink.Device, nil
	case uplinkKey:
		device, err := deviceWith(w.prober.Node(), w.addr)
		return w.prober.Node(), device, err
	}
	ns, ok := w.plugger.Namespace(of)
	if !ok {
		return nil, "", fmt.Errorf("pod %s is about to go", of)
	}
	return ns, impair.PodInterface, nil
}

// within narrows a filter to what an order about a pod, or what stands for one, is about. Our own connections are never meant.
func (w *Wire) within(pod string) func(*impair.Filter) {
	own := &impair.Connection{Protocol: corev1.ProtocolTCP, Local: impair.Endpoint{Port: netns.OwnFirst, Last: netns.OwnLast}}
	return func(f *impair.Filter) {
		switch pod {
		case infra.API:
			f.Connection = &impair.Connection{Protocol: corev1.ProtocolTCP, Remote: impair.Endpoint{Address: w.api.Addr(), Port: w.api.Port()}}
			f.Except = own
		case infra.Uplink:
			f.Except = own
		}
	}
}

// deviceWith is the name of the interface of a namespace that has an address.
func deviceWith(ns *netns.Namespace, addr netip.Addr) (name string, err error) {
	err = ns.Do(func() error {
		devices, err := net.Interfaces()
		if err != nil {
			return err
		}
		for _, d := range devices {
			addresses, err := d.Addrs()
			if err != nil {
				return err
			}
			if slices.ContainsFunc(addresses, func(a net.Addr) bool { p, err := netip.ParsePrefix(a.String()); return err == nil && p.Addr() == addr }) {
				name = d.Name
				return nil
			}
		}
		return fmt.Errorf("no interface has the node's address %s", addr)
	})
	return name, err
}

// apiServer is where the API server of a client's configuration is.
func apiServer(host string) (netip.AddrPort, error) {
	u, err := url.Parse(host)
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("the API server's URL: %w", err)
	}
	at, err := netip.ParseAddrPort(u.Host)
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("the API server's address: %w", err)
	}
	return at, nil
}
