package traefik

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/nodefv/nodefv/infra"
	"github.com/nodefv/nodefv/infra/targets"
	"github.com/nodefv/nodefv/workloads"
)

func TestLog(t *testing.T) {
	started := []byte(`2026-11-29T01:47:57Z INF Traefik version 3.6.12 built on I don't remember exactly version=3.6.12`)
	if got := (traefik{program(targets.Options{})}).VersionIn(started); got != "v3.6.12" {
		t.Errorf("version %q", got)
	}
	denied := []byte(`E1129 reflector.go:205] "Failed to watch" err="failed to list *v1.Secret: secrets is forbidden: User \"traefik\" cannot list resource"`)
	if got := (traefik{program(targets.Options{})}).LacksIn(denied); got != "it lacks the right to list secrets" {
		t.Errorf("lacks %q", got)
	}
	if v, l := (traefik{program(targets.Options{})}).VersionIn(denied), (traefik{program(targets.Options{})}).LacksIn(started); v != "" || l != "" {
		t.Errorf("got %q, %q", v, l)
	}
}

func TestStatus(t *testing.T) {
	node, flag := infra.NodeInfo{Addr: netip.MustParseAddr("10.1.2.3")}, "--providers.kubernetesingress.ingressendpoint.ip=10.1.2.3"
	for plane, want := range map[string]bool{published: true, unpublished: false} {
		of := traefik{program(targets.Options{DataPlane: plane})}
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
