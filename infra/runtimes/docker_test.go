package runtimes

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/network"

	"github.com/nodefv/nodefv/infra"
	"github.com/nodefv/nodefv/infra/build"
	"github.com/nodefv/nodefv/infra/lifecycle"
	"github.com/nodefv/nodefv/infra/targets"
)

// engine returns the runtime and a run of the test's own, of which nothing may be left when it ends.
func engine(t *testing.T) (*Docker, string) {
	t.Helper()
	images := engineImages(t)
	d := &Docker{Images: images, client: images.Client}
	run := fmt.Sprintf("test-%d-%d", os.Getpid(), time.Now().UnixNano()%1e6)
	t.Cleanup(func() {
		if err := d.Sweep(context.Background(), run); err != nil {
			t.Error(err)
		}
	})
	return d, run
}

// left lists what the engine has of a run, by its labels.
func left(t *testing.T, d *Docker, run string) []string {
	t.Helper()
	containers, err := d.client.ContainerList(t.Context(), container.ListOptions{All: true, Filters: ours(run)})
	if err != nil {
		t.Fatal(err)
	}
	networks, err := d.client.NetworkList(t.Context(), network.ListOptions{Filters: ours(run)})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, c := range containers {
		names = append(names, c.Names...)
	}
	for _, n := range networks {
		names = append(names, n.Name)
	}
	return names
}

func pause(run, role string) infra.Spec {
	return infra.Spec{Run: run, Role: role, Component: build.Node, Command: []string{"fv-pause"}}
}

func start(t *testing.T, d *Docker, spec infra.Spec) infra.Container {
	t.Helper()
	c, err := d.Start(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func output(t *testing.T, c infra.Container, args ...string) string {
	t.Helper()
	var out bytes.Buffer
	if err := c.Exec(t.Context(), infra.Command{Args: args, Stdout: &out}); err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(out.String())
}

func TestDockerContainer(t *testing.T) {
	d, run := engine(t)
	spec := pause(run, infra.RoleNode)
	spec.Sysctls = map[string]string{"net.ipv4.ip_forward": "1"}
	spec.Files = []infra.File{{Path: "/etc/fv/deep/file", Mode: 0o600, Data: []byte("content")}}
	spec.Tmpfs = []string{"/data"}
	spec.Env = map[string]string{"FV_TEST": "value"}
	node := start(t, d, spec)
	if !node.Addr().IsValid() {
		t.Error("it has no address")
	}
	for want, args := range map[string][]string{
		"content":   {"cat", "/etc/fv/deep/file"},
		"600":       {"stat", "-c", "%a", "/etc/fv/deep/file"},
		"1":         {"cat", "/proc/sys/net/ipv4/ip_forward"},
		"tmpfs":     {"stat", "-f", "-c", "%T", "/data"},
		"value":     {"sh", "-c", "echo $FV_TEST"},
		"fv-pause":  {"cat", "/proc/1/comm"},
		"unchanged": {"echo", "unchanged"},
	} {
		if got := output(t, node, args...); got != want {
			t.Errorf("%v: %q, want %q", args, got, want)
		}
	}
	var exit *infra.ExitError
	err := node.Exec(t.Context(), infra.Command{Args: []string{"sh", "-c", "echo words >&2; exit 3"}})
	if !errors.As(err, &exit) || exit.Code != 3 || !slices.Equal(exit.Output, []string{"words"}) {
		t.Errorf("exec: %v", err)
	}
	found, err := d.Find(t.Context(), run, infra.RoleNode)
	if err != nil || found.Addr() != node.Addr() || found.Name() != "fv-"+run+"-node" {
		t.Errorf("found %v, %v", found, err)
	}
	if err := node.Signal(t.Context(), syscall.SIGKILL); err != nil {
		t.Error(err)
	}
	if got, err := node.Wait(t.Context()); err != nil || got.Code != 137 || got.OOM {
		t.Errorf("exit %+v, %v", got, err)
	}
	for range 2 {
		if err := node.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	}
	if _, err := d.Find(t.Context(), run, infra.RoleNode); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a removed container: %v", err)
	}
}

func TestDockerJoin(t *testing.T) {
	d, run := engine(t)
	node := start(t, d, pause(run, infra.RoleNode))
	spec := pause(run, infra.RoleAgent)
	spec.Join, spec.RawSystem, spec.Caps = infra.RoleNode, true, []string{"NET_ADMIN"}
	spec.Command = []string{"sh", "-c", "echo out; echo diag >&2; exec sleep 60"}
	agent := start(t, d, spec)
	for _, ns := range []string{"net", "pid"} {
		if a, n := output(t, agent, "readlink", "/proc/self/ns/"+ns), output(t, node, "readlink", "/proc/self/ns/"+ns); a != n {
			t.Errorf("%s: %s is not %s", ns, a, n)
		}
	}
	output(t, agent, "sh", "-c", "ip link add fv-test type veth && ip link del fv-test && echo 1 > /proc/sys/net/ipv4/conf/all/arp_ignore")
	if agent.Addr() != (netip.Addr{}) {
		t.Errorf("a joined container has the address %v", agent.Addr())
	}
	if err := agent.Signal(t.Context(), os.Interrupt); err != nil {
		t.Error(err)
	}
	if exit, err := agent.Wait(t.Context()); err != nil || exit.Code != 130 {
		t.Errorf("exit %+v, %v", exit, err)
	}
	var log bytes.Buffer
	if err := agent.Logs(t.Context(), &log, true); err != nil || !strings.Contains(log.String(), "out\n") || !strings.Contains(log.String(), "diag\n") {
		t.Errorf("log %q, %v", log.String(), err)
	}
}

func TestDockerWaitEndsWithItsContext(t *testing.T) {
	d, run := engine(t)
	node := start(t, d, pause(run, infra.RoleNode))
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := node.Wait(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("wait: %v", err)
	}
	ctx, cancel = context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	begun := time.Now()
	if err := node.Exec(ctx, infra.Command{Args: []string{"sleep", "60"}}); !errors.Is(err, context.DeadlineExceeded) || time.Since(begun) > 10*time.Second {
		t.Errorf("exec: %v after %v", err, time.Since(begun))
	}
}

func TestDockerStartThatFailsLeavesNothing(t *testing.T) {
	d, run := engine(t)
	spec := pause(run, infra.RoleNode)
	spec.Command = []string{"no-such-program"}
	if _, err := d.Start(t.Context(), spec); !errors.Is(err, infra.ErrNoProgram) || !strings.Contains(err.Error(), "no-such-program") {
		t.Errorf("error %v", err)
	}
	if names := left(t, d, run); !slices.Equal(names, []string{"fv-" + run}) { // the network is the run's, not the container's
		t.Errorf("left %v", names)
	}
}

func TestDockerSweep(t *testing.T) {
	d, run := engine(t)
	other, neighbour := engine(t)
	start(t, d, pause(run, infra.RoleNode))
	joined := pause(run, infra.RoleAgent)
	joined.Join = infra.RoleNode
	start(t, d, joined)
	start(t, other, pause(neighbour, infra.RoleNode))
	runs, err := d.Runs(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(runs, func(r infra.RunInfo) bool { return r.Run == run })
	if i < 0 || runs[i].Containers != 2 || runs[i].Owner != lifecycle.Self() {
		t.Errorf("runs %+v lack %s", runs, run)
	}
	for range 2 {
		if err := d.Sweep(t.Context(), run); err != nil {
			t.Fatal(err)
		}
	}
	if names := left(t, d, run); len(names) > 0 {
		t.Errorf("left %v", names)
	}
	if names := left(t, other, neighbour); len(names) != 2 {
		t.Errorf("of the neighbour's run %v is left", names)
	}
}

func TestFelixUpAndDown(t *testing.T) {
	for _, o := range []targets.Options{{DataPlane: "iptables-nft"}, {DataPlane: "nftables", Typha: true}} {
		t.Run(fmt.Sprintf("%s typha=%v", o.DataPlane, o.Typha), func(t *testing.T) { felixUpAndDown(t, o) })
	}
}

func felixUpAndDown(t *testing.T, o targets.Options) {
	d, run := engine(t)
	crds, err := d.Images.Builder.Artifact(t.Context(), build.Felix)
	if err != nil {
		t.Fatal(err)
	}
	o.CRDs = filepath.Join(crds.Dir, "crd")
	target, err := targets.New("felix", o)
	if err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	e, err := infra.Up(t.Context(), infra.Config{
		Runtime: d, Target: target, Run: run, Out: t.TempDir(),
		Report: func(step string) { t.Logf("%v %s", time.Since(begun).Round(time.Millisecond), step) },
	})
	if err != nil {
		t.Fatal(err)
	}
	node, err := d.Find(t.Context(), run, infra.RoleNode)
	if err != nil {
		t.Fatal(err)
	}
	if err := target.Quiesce(t.Context(), node.Addr()); err != nil {
		t.Errorf("quiesce: %v", err)
	}
	response, err := http.Get("http://" + netip.AddrPortFrom(node.Addr(), uint16(target.Facts().MetricsPort)).String() + "/metrics")
	if err != nil {
		t.Error(err)
	} else {
		var metrics bytes.Buffer
		if _, err := metrics.ReadFrom(response.Body); err != nil {
			t.Error(err)
		}
		response.Body.Close()
		for gauge, selector := range target.Gauges() {
			if text := metrics.String(); !strings.Contains(text, "\n"+selector.Metric+" ") && !strings.Contains(text, "\n"+selector.Metric+"{") {
				t.Errorf("%s: Felix has no metric %s", gauge, selector.Metric)
			}
		}
	}
	var out bytes.Buffer
	exit, err := e.Exec(t.Context(), infra.Spec{Component: build.Node, Command: []string{"sh", "-c", "echo $FV_NODE; exit 4"}}, &out)
	if err != nil || exit.Code != 4 || out.String() != "fv-local\n" {
		t.Errorf("exec: %+v, %v, %q", exit, err, out.String())
	}
	begun = time.Now()
	if err := e.Down(t.Context()); err != nil {
		t.Error(err)
	}
	t.Logf("down in %v", time.Since(begun).Round(time.Millisecond))
	if names := left(t, d, run); len(names) > 0 {
		t.Errorf("left %v", names)
	}
}
