package runtimes

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nodefv/nodefv/infra"
	"github.com/nodefv/nodefv/infra/build"
	"github.com/nodefv/nodefv/infra/targets"
	_ "github.com/nodefv/nodefv/infra/targets/all"
)

func TestFelixUpAndDown(t *testing.T) {
	for _, o := range []targets.Options{{DataPlane: "iptables-nft"}, {DataPlane: "nftables", Extras: []string{"typha"}}} {
		t.Run(fmt.Sprintf("%s %v", o.DataPlane, o.Extras), func(t *testing.T) {
			conform(t, func(t *testing.T, rt infra.Runtime, run string) { felixUpAndDown(t, rt, run, o) })
		})
	}
}

// felix returns a target with Felix's own CRDs.
func felix(t *testing.T, o targets.Options) infra.Target {
	t.Helper()
	root, err := build.FindRoot(".")
	if err != nil {
		t.Fatal(err)
	}
	artifact, err := (&build.Builder{Root: root, Cache: cache}).Artifact(t.Context(), "felix")
	if err != nil {
		t.Fatal(err)
	}
	o.Manifests = []string{filepath.Join(artifact.Dir, "manifests")}
	target, err := targets.New("felix", o)
	if err != nil {
		t.Fatal(err)
	}
	return target
}

func felixUpAndDown(t *testing.T, rt infra.Runtime, run string, o targets.Options) {
	target := felix(t, o)
	openHome(t)
	begun := time.Now()
	e, err := infra.Up(t.Context(), infra.Config{
		Runtime: rt, Target: target, Run: run, Out: t.TempDir(),
		Report: func(step string) { t.Logf("%v %s", time.Since(begun).Round(time.Millisecond), step) },
	})
	if err != nil {
		t.Fatal(err)
	}
	node, err := rt.Find(t.Context(), run, infra.RoleNode)
	if err != nil {
		t.Fatal(err)
	}
	metrics := fetch(t, rt, run, netip.AddrPortFrom(node.Addr(), uint16(target.Facts().MetricsPort)).String()+"/metrics")
	for gauge, selector := range target.(targets.Target).Gauges() {
		if !strings.Contains(metrics, "\n"+selector.Metric+" ") && !strings.Contains(metrics, "\n"+selector.Metric+"{") {
			t.Errorf("%s: Felix has no metric %s", gauge, selector.Metric)
		}
	}
	closedToStrangers(t, rt, run, target.Facts())
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
	if known(t, rt, run) {
		t.Error("something of it is left")
	}
}

// fetch gets what is on the bridge.
func fetch(t *testing.T, rt infra.Runtime, run, address string) string {
	t.Helper()
	response, err := infra.Client(rt, run).Get("http://" + address)
	if err != nil {
		t.Error(err)
		return ""
	}
	var body bytes.Buffer
	_, err = body.ReadFrom(response.Body)
	if err = errors.Join(err, response.Body.Close()); err != nil || response.StatusCode != 200 {
		t.Errorf("%s: %s, %v", address, response.Status, err)
	}
	return body.String()
}

// closedToStrangers wants one who has no certificate to get nothing from etcd, the API server and the agent's debug port, though the first two
// are there to be reached: whoever is on the bridge, and any other user of the machine.
func closedToStrangers(t *testing.T, rt infra.Runtime, run string, facts infra.TargetFacts) {
	t.Helper()
	addr := map[string]netip.Addr{}
	for _, role := range []string{infra.RoleEtcd, infra.RoleAPIServer, infra.RoleNode} {
		c, err := rt.Find(t.Context(), run, role)
		if err != nil {
			t.Fatal(err)
		}
		addr[role] = c.Addr()
	}
	want := map[string]string{
		fmt.Sprintf("http://%s:2379/version", addr[infra.RoleEtcd]):                               "",
		fmt.Sprintf("https://%s:2379/version", addr[infra.RoleEtcd]):                              "certificate required",
		fmt.Sprintf("https://%s:6443/api/v1/nodes", addr[infra.RoleAPIServer]):                    "401",
		fmt.Sprintf("https://%s:6443/version", addr[infra.RoleAPIServer]):                         "401",
		fmt.Sprintf("http://%s:%d/debug/pprof/cmdline", addr[infra.RoleNode], facts.DebugPort):    "refused",
		fmt.Sprintf("http://%s:%d/debug/pprof/heap?gc=1", addr[infra.RoleNode], facts.HealthPort): "404",
	}
	client := infra.Client(rt, run)
	client.Transport.(*http.Transport).TLSClientConfig = &tls.Config{InsecureSkipVerify: true}
	for url, want := range want {
		if got := status(client, url); !strings.Contains(got, want) || got == "200 OK" {
			t.Errorf("%s: got %q, want %q", url, got, want)
		}
	}
	t.Run("to another user", func(t *testing.T) { closedToOthers(t, rt, run, want) })
}
