package traefik

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"github.com/nodefv/nodefv/infra"
	"github.com/nodefv/nodefv/infra/targets"
	"github.com/nodefv/nodefv/workloads"
)

func TestLog(t *testing.T) {
	started := []byte(`2026-11-29T01:47:57Z INF Traefik version 3.6.12 built on I don't remember exactly version=3.6.12`)
	if got := instance(targets.Options{}, 1).VersionIn(started); got != "v3.6.12" {
		t.Errorf("version %q", got)
	}
	denied := []byte(`E1129 reflector.go:205] "Failed to watch" err="failed to list *v1.Secret: secrets is forbidden: User \"traefik\" cannot list resource"`)
	if got := instance(targets.Options{}, 1).LacksIn(denied); got != "it lacks the right to list secrets" {
		t.Errorf("lacks %q", got)
	}
	if v, l := instance(targets.Options{}, 1).VersionIn(denied), instance(targets.Options{}, 1).LacksIn(started); v != "" || l != "" {
		t.Errorf("got %q, %q", v, l)
	}
}

func TestStatus(t *testing.T) {
	node, flag := infra.NodeInfo{Addr: netip.MustParseAddr("10.1.2.3")}, "--providers.kubernetesingress.ingressendpoint.ip=10.1.2.3"
	for plane, want := range map[string]bool{published: true, unpublished: false} {
		of := instance(targets.Options{DataPlane: plane}, 1)
		if flagged, said := slices.Contains(of.flags(node), flag), slices.Contains(of.Features(), workloads.RouteStatus); flagged != want || said != want {
			t.Errorf("%s: flag %v, feature %v", plane, flagged, said)
		}
	}
}

func TestUnknownSetting(t *testing.T) {
	if _, err := targets.New(name, targets.Options{Settings: []workloads.Setting{workloads.DataPlaneHangs}}); err == nil {
		t.Error("taken")
	}
}

// TestInstances wants instances to share no port, and to tell the truth of where they are.
func TestInstances(t *testing.T) {
	taken := map[int]int{}
	for n := 1; n <= infra.MostInstances; n++ {
		made, err := infra.InstanceOf(instance(targets.Options{DataPlane: published}, 1), n)
		if err != nil {
			t.Fatal(err)
		}
		of, ok := made.(traefik)
		if !ok {
			t.Fatalf("instance %d is a %T", n, made)
		}
		at, facts := of.Listens(), of.Facts()
		flags := of.flags(infra.NodeInfo{})
		for flag, port := range map[string]int{"web": int(at.HTTP), "websecure": int(at.HTTPS), "traefik": facts.MetricsPort} {
			word := fmt.Sprintf("--entrypoints.%s.address=:%d", flag, port)
			if !slices.Contains(flags, word) {
				t.Errorf("instance %d lacks %s", n, word)
			}
			if other := taken[port]; other != 0 {
				t.Errorf("instances %d and %d have port %d", other, n, port)
			}
			taken[port] = n
		}
	}
	if _, err := infra.InstanceOf(instance(targets.Options{DataPlane: gateway}, 1), 2); err == nil {
		t.Error("a second instance by the Gateway API is not refused")
	}
	if _, err := infra.InstanceOf(instance(targets.Options{}, 1), infra.MostInstances+1); err == nil {
		t.Error("too many are not refused")
	}
}
