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
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/network"

	"github.com/nodefv/nodefv/infra"
	"github.com/nodefv/nodefv/infra/build"
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
