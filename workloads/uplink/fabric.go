//go:build linux

package uplink

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/nodefv/nodefv/workloads"
	"github.com/nodefv/nodefv/workloads/netns"
)

// Device is the node's end of the link to the fabric; no SUT takes it for one of its own.
const Device = "fvfabric"

// Pod is the name by which the Plugger knows the fabric's namespace. No pod has it.
var Pod = workloads.Key{Name: "fabric"}

// The fabric's own addresses, from ranges that are kept for measurements (RFC 2544) and documentation; nobody sends to them.
var own = []netip.Addr{netip.MustParseAddr("198.18.0.1"), netip.MustParseAddr("2001:db8::f")}

// Fabric is what is beyond the node's uplink: one namespace that has the addresses of all wired remote pods. What is sent to another
// address is lost there. It is safe for concurrent use.
type Fabric struct {
	plugger      *netns.Plugger
	undo         func() error
	node, inside *netlink.Handle
	device, eth0 netlink.Link

	mu    sync.Mutex
	wired map[netip.Addr]bool
}

// Open makes the fabric of the current network namespace, which must be the Plugger's. It must be closed before the Plugger is, in
// the same namespace, and after all sockets inside.
func Open(ctx context.Context, plugger *netns.Plugger) (f *Fabric, err error) {
	f = &Fabric{plugger: plugger, wired: map[netip.Addr]bool{}}
	defer func() {
		if err != nil {
			err = fmt.Errorf("open fabric: %w", errors.Join(err, f.Close(context.WithoutCancel(ctx))))
		}
	}()
	if f.undo, err = rules(); err != nil {
		return f, err
	}
	addresses := own
	if _, err := os.Stat("/proc/sys/net/ipv6"); err != nil {
		addresses = own[:1]
	}
	if err := plugger.Plug(ctx, []workloads.Plug{{Pod: Pod, HostInterface: Device, IPs: addresses}}); err != nil {
		return f, err
	}
	if f.node, err = netlink.NewHandle(unix.NETLINK_ROUTE); err != nil {
		return f, err
	}
	if f.device, err = f.node.LinkByName(Device); err != nil {
		return f, err
	}
	ns, _ := plugger.Namespace(Pod)
	return f, ns.Do(f.enter)
}

// enter takes hold of the fabric's namespace, in which it is called, and makes it forward nothing.
func (f *Fabric) enter() (err error) {
	for _, file := range []string{"ipv4/ip_forward", "ipv6/conf/all/forwarding"} {
		if err := os.WriteFile("/proc/sys/net/"+file, []byte("0"), 0); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	if f.inside, err = netlink.NewHandle(unix.NETLINK_ROUTE); err != nil {
		return err
	}
	f.eth0, err = f.inside.LinkByName("eth0")
	return err
}

// Wire makes remote pods' addresses real: packets to them leave the node by its uplink, and sockets in the fabric can be bound to
// them. It is no error if they are wired already.
func (f *Fabric) Wire(addresses ...netip.Addr) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, ip := range addresses {
		if f.wired[ip] {
			continue
		}
		// A new address would otherwise be tried out for a second before it is used.
		address := &netlink.Addr{IPNet: netlink.NewIPNet(ip.AsSlice()), Flags: unix.IFA_F_NODAD}
		if err := f.inside.AddrReplace(f.eth0, address); err != nil {
			return fmt.Errorf("wire %s: %w", ip, err)
		}
		if err := f.awaitLocal(ip); err != nil {
			return fmt.Errorf("wire %s: %w", ip, err)
		}
		// A request for its link-layer address that is lost is sent again a second later.
		if err := f.node.NeighSet(f.neighbour(ip)); err != nil {
			return fmt.Errorf("wire %s: %w", ip, err)
		}
		if err := f.node.RouteReplace(f.route(ip)); err != nil {
			return fmt.Errorf("wire %s: %w", ip, err)
		}
		f.wired[ip] = true
	}
	return nil
}

// awaitLocal waits until the fabric takes packets to an address for its own: of IPv6, the kernel gets an address ready in its own time.
func (f *Fabric) awaitLocal(ip netip.Addr) error {
	for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(100 * time.Microsecond) {
		routes, err := f.inside.RouteGet(ip.AsSlice())
		if err == nil && len(routes) == 1 && routes[0].Type == unix.RTN_LOCAL {
			return nil
		}
		if time.Now().After(deadline) {
			return errors.Join(errors.New("the kernel does not take the address for its own"), err)
		}
	}
}

// Unwire undoes Wire; it is no error if the addresses are not wired.
func (f *Fabric) Unwire(addresses ...netip.Addr) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	var errs error
	for _, ip := range addresses {
		if !f.wired[ip] {
			continue
		}
		err := f.node.RouteDel(f.route(ip))
		if err == nil {
			err = f.node.NeighDel(f.neighbour(ip))
		}
		if err == nil {
			err = f.inside.AddrDel(f.eth0, &netlink.Addr{IPNet: netlink.NewIPNet(ip.AsSlice())})
		}
		if err != nil {
			errs = errors.Join(errs, fmt.Errorf("unwire %s: %w", ip, err))
		}
		delete(f.wired, ip)
	}
	return errs
}

// Wired returns the addresses that are wired.
func (f *Fabric) Wired() []netip.Addr {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Collect(maps.Keys(f.wired))
}

func (f *Fabric) route(to netip.Addr) *netlink.Route {
	bits := to.BitLen()
	return &netlink.Route{
		LinkIndex: f.device.Attrs().Index, Dst: &net.IPNet{IP: to.AsSlice(), Mask: net.CIDRMask(bits, bits)},
		Table: table, Scope: netlink.SCOPE_LINK, Protocol: unix.RTPROT_STATIC,
	}
}

func (f *Fabric) neighbour(ip netip.Addr) *netlink.Neigh {
	family := netlink.FAMILY_V4
	if ip.Is6() {
		family = netlink.FAMILY_V6
	}
	return &netlink.Neigh{
		LinkIndex: f.device.Attrs().Index, Family: family, State: netlink.NUD_PERMANENT, IP: ip.AsSlice(), HardwareAddr: f.eth0.Attrs().HardwareAddr,
	}
}

// Close removes the fabric with its link and routes.
func (f *Fabric) Close(ctx context.Context) error {
	for _, h := range []*netlink.Handle{f.inside, f.node} {
		if h != nil {
			h.Close() // an open socket would keep the namespace alive
		}
	}
	err := f.plugger.Unplug(ctx, []workloads.Key{Pod})
	if f.undo != nil {
		err = errors.Join(err, f.undo())
	}
	return err
}
