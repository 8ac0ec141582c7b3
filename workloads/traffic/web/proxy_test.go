//go:build linux

package web_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nodefv/nodefv/infra/lifecycle"
	"github.com/nodefv/nodefv/workloads/netns"
	"github.com/nodefv/nodefv/workloads/netns/netnstest"
	"github.com/nodefv/nodefv/workloads/requests"
	"github.com/nodefv/nodefv/workloads/traffic/web"
)

// TestBareProxy wants a load through HAProxy to reach all backends, idle connections to stand, and nothing of the proxy to be left.
func TestBareProxy(t *testing.T) {
	plugger, pods := netnstest.Pods(t, 2)
	backends, _ := serving(t, plugger, pods, web.Serving{})
	node, err := netns.Current()
	must(t, err)
	defer node.Close()
	var to []netip.AddrPort
	for _, p := range pods {
		to = append(to, netip.AddrPortFrom(p.V4, port))
	}
	proxy, err := web.StartProxy(t.Context(), node, 18080, 1, to)
	if err != nil {
		t.Skip(err)
	}
	r, err := web.Press(t.Context(), plugger, requests.Load{To: []netip.AddrPort{netip.MustParseAddrPort("10.0.0.1:18080")}, Mix: []requests.Ask{{Host: "a.example"}},
		Connections: 8, Idle: 50, Rate: 200, Size: 22_000, Duration: time.Second})
	must(t, err)
	if r.Count.Right != 200 || r.IdleStood != 50 || r.IdleLost != 0 {
		t.Errorf("%s", r)
	}
	for k, s := range backends.All() {
		if s.Requests < 50 {
			t.Errorf("%s served %d", k, s.Requests)
		}
	}
	must(t, proxy.Stop())
}

// TestBareProxyEndsWithUs kills a process that has started a proxy, and wants the proxy to end.
func TestBareProxyEndsWithUs(t *testing.T) {
	const starts = "FV_TEST_STARTS_A_PROXY"
	if os.Getenv(starts) != "" {
		netnstest.Node(t)
		node, err := netns.Current()
		must(t, err)
		proxy, err := web.StartProxy(t.Context(), node, 18080, 1, []netip.AddrPort{netip.MustParseAddrPort("10.0.0.1:9")})
		if errors.Is(err, web.ErrNoProxy) {
			fmt.Println(err)
			return
		}
		must(t, err)
		fmt.Println("proxy", proxy.PID())
		select {} // until it is killed
	}
	netnstest.Node(t)
	cmd := exec.Command("/proc/self/exe", "-test.run=^TestBareProxyEndsWithUs$")
	cmd.Env = append(os.Environ(), starts+"=1")
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	defer func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}()
	said, err := bufio.NewReader(out).ReadString('\n')
	must(t, err)
	if said == web.ErrNoProxy.Error()+"\n" {
		t.Skip(said)
	}
	var pid int
	if _, err := fmt.Sscanf(said, "proxy %d", &pid); err != nil || !runs(pid) {
		t.Fatalf("it said %q (%v), and the proxy runs: %v", said, err, runs(pid))
	}
	must(t, cmd.Process.Kill())
	if err := lifecycle.Wait(t.Context(), "the proxy's end", 10*time.Second, func(context.Context) error {
		if runs(pid) {
			return errors.New("it runs")
		}
		return nil
	}); err != nil {
		_ = syscall.Kill(pid, syscall.SIGKILL) // nothing is to be left of it
		t.Fatal(err)
	}
}

// runs reports whether a process has not ended, whoever is to take note of that.
func runs(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, state, _ := strings.Cut(string(stat), ") ")
	return err == nil && !strings.HasPrefix(state, "Z")
}
