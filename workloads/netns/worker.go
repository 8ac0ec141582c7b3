//go:build linux

package netns

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/nodefv/nodefv/workloads"
)

const ipv6Sysctls = "/proc/sys/net/ipv6/conf"

// worker plugs pods, one at a time, on a thread of its own.
type worker struct {
	home *Namespace
	host *conn // bound to home
	ipv6 bool  // the kernel has it
}

func newWorker(home *Namespace) (*worker, error) {
	if err := home.enter(); err != nil {
		return nil, err
	}
	host, err := dial()
	if err != nil {
		return nil, err
	}
	_, err = os.Stat(ipv6Sysctls)
	return &worker{home: home, host: host, ipv6: err == nil}, nil
}

// plug connects one pod, or leaves nothing of it.
func (w *worker) plug(p workloads.Plug) (*Namespace, error) {
	ns, pod, err := w.newNamespace()
	if err != nil {
		return nil, err
	}
	// An open socket would keep the namespace alive after its descriptor is closed.
	defer pod.close()
	if err := w.host.do(createVeth(p.HostInterface, ns.file.Fd())); err != nil {
		return nil, errors.Join(err, ns.Close())
	}
	err = w.setUpPod(ns, pod, p.IPs)
	if err == nil {
		err = w.setUpHost(p)
	}
	if err != nil {
		return nil, errors.Join(err, w.host.do(deleteLink(p.HostInterface)), ns.Close())
	}
	return ns, nil
}

// newNamespace makes a namespace and a socket inside it, and comes home.
func (w *worker) newNamespace() (ns *Namespace, pod *conn, err error) {
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		return nil, nil, fmt.Errorf("create network namespace: %w", err)
	}
	ns, err = Current()
	if err == nil {
		if pod, err = dial(); err != nil {
			err = errors.Join(err, ns.Close())
		}
	}
	if homeErr := w.home.enter(); err == nil && homeErr != nil {
		pod.close()
		err = errors.Join(homeErr, ns.Close())
	}
	return ns, pod, err
}

func (w *worker) setUpPod(ns *Namespace, pod *conn, ips []netip.Addr) error {
	index, err := pod.linkIndex(podInterface)
	if err != nil {
		return err
	}
	first := []request{linkUp("set lo up", loopbackIndex)}
	if w.ipv6 {
		first = append(first, noLinkLocal(index))
	}
	first = append(first, linkUp("set "+podInterface+" up", index))
	v4, v6 := podRequests(index, ips)
	if err := pod.do(append(first, v4()...)...); err != nil {
		return err
	}
	return withIPv6(v6, pod, func() error {
		return ns.Do(func() error { return enableIPv6("all") })
	})
}

// setUpHost brings the host end up last, so that the agent sees it come up once, with its carrier.
func (w *worker) setUpHost(p workloads.Plug) error {
	index, err := w.host.linkIndex(p.HostInterface)
	if err != nil {
		return err
	}
	up := linkUp("set "+p.HostInterface+" up", index)
	if !w.ipv6 {
		return w.host.do(up)
	}
	if err := w.host.do(noLinkLocal(index), up); err != nil {
		return err
	}
	return withIPv6(func() []request {
		if !hasIPv6(p.IPs) {
			return nil
		}
		return []request{addAddress(index, netip.PrefixFrom(gateway6, 64))}
	}, w.host, func() error { return enableIPv6(p.HostInterface) })
}

// withIPv6 sends the requests, and once more after enable if the kernel refuses because IPv6 is disabled, as it is by
// default in a container. Asking first would cost every pod a look into /proc.
func withIPv6(requests func() []request, c *conn, enable func() error) error {
	batch := requests()
	if len(batch) == 0 {
		return nil
	}
	err := c.do(batch...)
	if !errors.Is(err, unix.EACCES) {
		return err
	}
	if enableErr := enable(); enableErr != nil {
		return errors.Join(err, enableErr)
	}
	return c.do(requests()...)
}

// enableIPv6 acts on an interface of the calling thread's namespace, or on all of them.
func enableIPv6(name string) error {
	if err := os.WriteFile(filepath.Join(ipv6Sysctls, name, "disable_ipv6"), []byte("0"), 0); err != nil {
		return fmt.Errorf("enable IPv6: %w", err)
	}
	return nil
}

// podRequests returns what gives a pod its addresses and its way out, by family. Requests are made anew by each call,
// for each carries a sequence number.
func podRequests(index int, ips []netip.Addr) (v4, v6 func() []request) {
	of := func(is6 bool, gateway netip.Addr) func() []request {
		return func() []request {
			var out []request
			for _, ip := range ips {
				if ip = ip.Unmap(); ip.Is6() == is6 {
					out = append(out, addAddress(index, netip.PrefixFrom(ip, ip.BitLen())))
				}
			}
			if len(out) > 0 {
				out = append(out, addNeighbour(index, gateway), addDefaultRoute(index, gateway))
			}
			return out
		}
	}
	return of(false, gateway4), of(true, gateway6)
}

func hasIPv6(ips []netip.Addr) bool {
	for _, ip := range ips {
		if ip.Unmap().Is6() {
			return true
		}
	}
	return false
}

func (c *conn) linkIndex(name string) (int, error) {
	index := 0
	err := c.dump(getLink(name), func(m syscall.NetlinkMessage) error {
		if len(m.Data) < unix.SizeofIfInfomsg {
			return errShort
		}
		index = int(binary.NativeEndian.Uint32(m.Data[4:8]))
		return nil
	})
	if err == nil && index == 0 {
		err = fmt.Errorf("get link %s: no answer: %w", name, os.ErrNotExist)
	}
	return index, err
}
