//go:build linux

package traffic

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/nodefv/nodefv/workloads/netns"
)

// marker tells when all packets that the calling thread has sent before have been worked off.
//
// A packet that is sent over a veth waits in one queue of the sending CPU, first in first out, for whatever device it is; so do
// packets over a loopback interface, and the packet that one being worked off gives rise to (forwarded, an answer) waits in the
// same queue again. So when a datagram that the thread sends to itself over a loopback has arrived, each packet sent before by the
// same CPU is one queue further or lost, and after as many datagrams, one after the other, as the longest way has queues, each
// has arrived or is lost. The loopback is in a namespace of the marker's own, where no policy can hold or drop it. On a busy
// machine the marker is late by as much as the packets are.
//
// It does not hold where packets are handed to other CPUs (RPS), or held back on their way: by a queueing discipline that delays, by
// NFQUEUE, or by an address that the kernel can't resolve at once.
type marker struct {
	ns     *netns.Namespace
	socket int
	number uint64
}

const (
	// queues is twice the longest way of a flow between two answers of ours: a handshake over two veths each way is three packets of
	// two queues each, and the node asks once each for the link-layer address of either end.
	queues = 20
	// markerBound is how long the kernel may leave packets in its queue, in seconds, before that is the machine's fault.
	markerBound = 10
)

func newMarker() (*marker, error) {
	ns, err := netns.NewNamespace()
	if err != nil {
		return nil, fmt.Errorf("marker: %w", err)
	}
	m := &marker{ns: ns, socket: -1}
	if err := ns.Do(m.open); err != nil {
		return nil, fmt.Errorf("marker: %w", errors.Join(err, m.close()))
	}
	return m, nil
}

func (m *marker) open() (err error) {
	if m.socket, err = unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0); err != nil {
		return err
	}
	lo, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	lo.SetUint16(unix.IFF_UP)
	if err := unix.IoctlIfreq(m.socket, unix.SIOCSIFFLAGS, lo); err != nil {
		return fmt.Errorf("set lo up: %w", err)
	}
	if err := unix.Bind(m.socket, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		return fmt.Errorf("bind: %w", err)
	}
	self, err := unix.Getsockname(m.socket)
	if err != nil {
		return err
	}
	if err := unix.Connect(m.socket, self); err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	return unix.SetsockoptTimeval(m.socket, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: markerBound})
}

// pass returns once each packet that the thread sent before has arrived or is lost. The thread must be pinned to a CPU.
func (m *marker) pass() error {
	var buffer [8]byte
	for range queues {
		m.number++
		binary.NativeEndian.PutUint64(buffer[:], m.number)
		if _, err := unix.Write(m.socket, buffer[:]); err != nil {
			return fmt.Errorf("send marker: %w", err)
		}
		for {
			n, err := unix.Read(m.socket, buffer[:])
			if err != nil && !errors.Is(err, unix.EINTR) {
				return fmt.Errorf("receive marker: %w", err)
			}
			if n == len(buffer) && binary.NativeEndian.Uint64(buffer[:]) == m.number {
				break
			}
		}
	}
	return nil
}

func (m *marker) close() error {
	err := m.ns.Close()
	if m.socket >= 0 {
		err = errors.Join(err, closeSocket(m.socket))
	}
	return err
}

// pin keeps the calling thread, which must be locked, on the CPU where it is, until unpin.
func pin() (unpin func() error, err error) {
	var before, one unix.CPUSet
	if err := unix.SchedGetaffinity(0, &before); err != nil {
		return nil, fmt.Errorf("get CPU affinity: %w", err)
	}
	var cpu uint32
	if _, _, errno := unix.RawSyscall(unix.SYS_GETCPU, uintptr(unsafe.Pointer(&cpu)), 0, 0); errno != 0 {
		return nil, fmt.Errorf("get CPU: %w", errno)
	}
	one.Set(int(cpu))
	if err := unix.SchedSetaffinity(0, &one); err != nil {
		return nil, fmt.Errorf("pin to CPU %d: %w", cpu, err)
	}
	return func() error {
		if err := unix.SchedSetaffinity(0, &before); err != nil {
			return fmt.Errorf("restore CPU affinity: %w", err)
		}
		return nil
	}, nil
}

// onEachCPU calls do with the calling thread, which must be locked, on each CPU that it may run on, one after the other.
func onEachCPU(do func() error) (err error) {
	var all unix.CPUSet
	if err := unix.SchedGetaffinity(0, &all); err != nil {
		return fmt.Errorf("get CPU affinity: %w", err)
	}
	defer func() { err = errors.Join(err, unix.SchedSetaffinity(0, &all)) }()
	for cpu, left := 0, all.Count(); left > 0; cpu++ {
		if !all.IsSet(cpu) {
			continue
		}
		left--
		var one unix.CPUSet
		one.Set(cpu)
		if err := unix.SchedSetaffinity(0, &one); err != nil {
			return fmt.Errorf("pin to CPU %d: %w", cpu, err)
		}
		if err := do(); err != nil {
			return err
		}
	}
	return nil
}

// spreads reports whether the kernel hands the packets of new interfaces of the namespace, or of new namespaces, to other CPUs.
func spreads(ns *netns.Namespace) (spread bool, err error) {
	look := func() error {
		mask, err := os.ReadFile("/proc/sys/net/core/rps_default_mask")
		if errors.Is(err, os.ErrNotExist) {
			return nil
		}
		spread = spread || strings.Trim(string(mask), "0,\n") != ""
		return err
	}
	if err := ns.Do(look); err != nil {
		return false, err
	}
	fresh, err := netns.NewNamespace()
	if err != nil {
		return false, err
	}
	return spread, errors.Join(fresh.Do(look), fresh.Close())
}
