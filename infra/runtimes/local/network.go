package local

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/nodefv/nodefv/infra/lifecycle"
)

// bridgeNet is the same for every run: none can see another's.
var bridgeNet = netip.MustParsePrefix("172.30.0.0/24")

// bridgeName is the bridge in its own namespace.
const bridgeName = "fv"

func bridgeAddr() netip.Addr { return bridgeNet.Addr().Next() }

// nextAddr returns the first address of the bridge that nobody has.
func nextAddr(taken map[netip.Addr]bool) (netip.Addr, error) {
	for a := bridgeAddr().Next(); bridgeNet.Contains(a); a = a.Next() {
		if !taken[a] {
			return a, nil
		}
	}
	return netip.Addr{}, errors.New("the bridge has no address left")
}

// enterNetwork brings the calling thread into the container's network namespace, and where it joins one, makes its children start in that
// one's process namespace.
func enterNetwork(p plan) error {
	if p.Join != "" {
		owner, err := hold(p.Net)
		if err != nil {
			return fmt.Errorf("join %s: %w", p.Join, err)
		}
		defer owner.close()
		return setns(owner.pid, "net", "pid")
	}
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("make a network namespace: %w", err)
	}
	if p.Role == roleNetwork {
		return ip("link set lo up", "link add "+bridgeName+" type bridge", fmt.Sprintf("addr add %s/%d dev %s", bridgeAddr(), bridgeNet.Bits(), bridgeName),
			"link set "+bridgeName+" up")
	}
	return plug(p)
}

// plug connects the calling thread's network namespace to the bridge. The kernel names the port: that of a container which had the same address
// may still be there, as it goes some time after its namespace.
func plug(p plan) error {
	bridge, err := hold(p.Net)
	if err != nil {
		return fmt.Errorf("connect to the bridge: %w", err)
	}
	defer bridge.close()
	own, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		return fmt.Errorf("connect to the bridge: %w", err)
	}
	defer own.Close()
	if err := setns(bridge.pid, "net"); err != nil {
		return err
	}
	if err := ip(fmt.Sprintf("link add up master %s type veth peer name eth0 netns /proc/%d/fd/%d", bridgeName, os.Getpid(), own.Fd())); err != nil {
		return err
	}
	if err := unix.Setns(int(own.Fd()), unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("return to the container's network namespace: %w", err)
	}
	return ip("link set lo up", fmt.Sprintf("addr add %s/%d dev eth0", p.Addr, bridgeNet.Bits()), "link set eth0 up",
		fmt.Sprintf("route add default via %s", bridgeAddr()))
}

// ip runs commands of iproute2's in the calling thread's network namespace.
func ip(commands ...string) error {
	cmd := exec.Command("ip", "-batch", "-")
	cmd.Stdin = strings.NewReader(strings.Join(commands, "\n") + "\n")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("ip %s: %w: %s", strings.Join(commands, "; "), err, strings.TrimSpace(string(out)))
	}
	return nil
}

// setns brings the calling thread into namespaces of a process that is held.
func setns(pid int, kinds ...string) error {
	for _, kind := range kinds {
		fd, err := unix.Open(fmt.Sprintf("/proc/%d/ns/%s", pid, kind), unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			return fmt.Errorf("open %s namespace of process %d: %w", kind, pid, err)
		}
		err = unix.Setns(fd, 0)
		unix.Close(fd)
		if err != nil {
			return fmt.Errorf("enter %s namespace of process %d: %w", kind, pid, err)
		}
	}
	return nil
}

// elsewhere runs f on a thread of its own that ends with it, so that f may enter namespaces. It is never the process's first thread: that one
// does not end, and others see the process by its namespaces.
func elsewhere(f func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		if unix.Gettid() != unix.Getpid() {
			done <- f() // the thread is never unlocked
			return
		}
		done <- elsewhere(f) // on another, while this one is held
		runtime.UnlockOSThread()
	}()
	return <-done
}

// Dial connects from the namespace of the run's bridge, which this process is not in. The address must be a literal.
func (l *Runtime) Dial(ctx context.Context, run, network, address string) (conn net.Conn, err error) {
	bridge, err := l.bridge(run)
	if err != nil {
		return nil, err
	}
	err = elsewhere(func() error {
		p, err := hold(bridge)
		if err != nil {
			return fmt.Errorf("the bridge of run %s: %w", run, err)
		}
		defer p.close()
		if err := setns(p.pid, "net"); err != nil {
			return err
		}
		var d net.Dialer
		conn, err = d.DialContext(ctx, network, address)
		return err
	})
	return conn, err
}

// bridge returns the process that owns the namespace of a run's bridge.
func (l *Runtime) bridge(run string) (lifecycle.Owner, error) {
	c, err := l.find(run, roleNetwork)
	if err != nil {
		return "", err
	}
	return c.processes.Init, nil
}
