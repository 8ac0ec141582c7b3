//go:build linux

package web

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nodefv/nodefv/infra/lifecycle"
	"github.com/nodefv/nodefv/workloads/netns"
)

// ErrNoProxy is what StartProxy returns where there is no HAProxy.
var ErrNoProxy = errors.New("this machine has no haproxy: install Debian's package of that name")

// Proxy is a bare HAProxy that passes all requests on to a few backends, by turns: what a plain proxy does on this machine.
type Proxy struct {
	cmd    *exec.Cmd
	said   bytes.Buffer
	exited chan error
}

// StartProxy starts one in a namespace, on a port of all its addresses, with so many threads. It must be stopped, and ends
// with this process at the latest.
func StartProxy(ctx context.Context, node *netns.Namespace, port uint16, threads int, to []netip.AddrPort) (p *Proxy, err error) {
	path, err := exec.LookPath("haproxy")
	if err != nil {
		if path = "/usr/sbin/haproxy"; !exists(path) {
			return nil, ErrNoProxy
		}
	}
	p = &Proxy{exited: make(chan error, 1)}
	p.cmd = exec.Command(path, "-db", "-f", "/dev/stdin") // so that no file of it can be left
	p.cmd.Stdin = bytes.NewReader(proxyConfig(port, threads, to))
	p.cmd.Stdout, p.cmd.Stderr = &p.said, &p.said
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} // so that it ends with us, however we end
	begun := make(chan error, 2)
	go func() {
		begun <- node.Do(func() error { // a program begins in the namespace of the thread that starts it, and ends with that thread: it is kept as long
			if err := p.cmd.Start(); err != nil {
				return err
			}
			begun <- nil
			p.exited <- p.cmd.Wait()
			return nil
		})
	}()
	if err := <-begun; err != nil {
		return nil, fmt.Errorf("start haproxy: %w", err)
	}
	err = lifecycle.Wait(ctx, "haproxy", 10*time.Second, func(ctx context.Context) error {
		select {
		case err := <-p.exited:
			p.exited <- err
			return fmt.Errorf("it ended: %w: %s", err, bytes.TrimSpace(p.said.Bytes()))
		default:
		}
		return node.Do(func() error {
			c, err := net.DialTimeout("tcp", fmt.Sprintf("127.0.0.1:%d", port), time.Second)
			if err != nil {
				return err
			}
			return c.Close()
		})
	})
	if err != nil {
		return nil, errors.Join(err, p.Stop())
	}
	return p, nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// proxyConfig is as plain as can be: connections are kept on both sides, and nothing is logged or changed.
func proxyConfig(port uint16, threads int, to []netip.AddrPort) []byte {
	var b strings.Builder
	room := 1000
	var limit unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &limit) == nil { // idle connections need one file each; it would begin with half of them, unless it is told not to care
		room = int(min(limit.Max, 1<<20)) - 1000
	}
	fmt.Fprintf(&b, "global\n  no strict-limits\n  nbthread %d\n  maxconn %d\n", max(threads, 1), room)
	b.WriteString("defaults\n  mode http\n  timeout connect 5s\n  timeout client 1h\n  timeout server 1h\n  timeout http-request 1h\n  timeout http-keep-alive 1h\n")
	fmt.Fprintf(&b, "frontend front\n  bind :%d backlog 65535\n  default_backend back\nbackend back\n  balance roundrobin\n  http-reuse always\n", port)
	for i, a := range to {
		fmt.Fprintf(&b, "  server s%d %s\n", i, a)
	}
	return []byte(b.String())
}

// Reference starts a bare proxy on the client's node.
func (c *Client) Reference(ctx context.Context, port uint16, to []netip.AddrPort) (stop func() error, err error) {
	p, err := StartProxy(ctx, c.node, port, 1, to)
	if err != nil {
		return nil, err
	}
	return p.Stop, nil
}

// PID is that of its process.
func (p *Proxy) PID() int { return p.cmd.Process.Pid }

// Stop ends it at once.
func (p *Proxy) Stop() error {
	err := p.cmd.Process.Kill()
	if errors.Is(err, os.ErrProcessDone) {
		err = nil
	}
	<-p.exited
	return err
}
