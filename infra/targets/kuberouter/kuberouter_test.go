package kuberouter

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/nodefv/nodefv/infra"
	"github.com/nodefv/nodefv/infra/targets"
	"github.com/nodefv/nodefv/workloads"
)

func TestAgent(t *testing.T) {
	r, err := targets.New(name, targets.Options{Settings: []workloads.Setting{workloads.NoResync}, Env: map[string]string{"MORE": "word"}})
	if err != nil {
		t.Fatal(err)
	}
	cp := infra.ControlPlane{Kubeconfig: func(name string, _ ...string) ([]byte, error) { return []byte(name), nil }}
	spec, err := r.Specs()[0](cp, infra.NodeInfo{Name: "n1", Addr: netip.MustParseAddr("172.18.0.4")})
	if err != nil {
		t.Fatal(err)
	}
	for _, word := range []string{"kube-router", "--hostname-override=n1", "--iptables-sync-period=24h", "--kubeconfig=/var/lib/kube-router/kubeconfig", "--run-service-proxy=false"} {
		if !slices.Contains(spec.Command, word) {
			t.Errorf("%q lacks %q", spec.Command, word)
		}
	}
	if spec.Role != infra.RoleAgent || spec.Join != infra.RoleNode || spec.Env["MORE"] != "word" || string(spec.Files[0].Data) != name {
		t.Errorf("got %+v", spec)
	}
	if _, err := targets.New(name, targets.Options{Settings: []workloads.Setting{workloads.Panics}}); err == nil {
		t.Error("it panics when it is told to: no error")
	}
}

func TestLog(t *testing.T) {
	const log = "I1125 03:47:41.908488      12 version.go:66] Running kube-router version v2.1.0, built on , go1.26.8\n" +
		"E1125 03:47:42.1      12 reflector.go:147] failed to list *v1.Pod: pods is forbidden: User \"kube-router\" cannot list resource\n"
	if got := (router{program(targets.Options{})}).VersionIn([]byte(log)); got != "v2.1.0" {
		t.Errorf("version %q", got)
	}
	if got := (router{program(targets.Options{})}).LacksIn([]byte(log)); got != "it lacks the right to list pods" {
		t.Errorf("lacks %q", got)
	}
	if got := (router{program(targets.Options{})}).VersionIn(nil) + (router{program(targets.Options{})}).LacksIn(nil); got != "" {
		t.Errorf("of nothing: %q", got)
	}
}
