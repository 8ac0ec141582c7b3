package contour

import (
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nodefv/nodefv/infra"
	"github.com/nodefv/nodefv/infra/targets"
	"github.com/nodefv/nodefv/metrics/report"
	"github.com/nodefv/nodefv/workloads"
)

func TestAgent(t *testing.T) {
	c, err := targets.New(name, targets.Options{Settings: []workloads.Setting{workloads.CountsAll}, Env: map[string]string{"MORE": "word"}})
	if err != nil {
		t.Fatal(err)
	}
	cp := infra.ControlPlane{Kubeconfig: func(name string, _ ...string) ([]byte, error) { return []byte(name), nil }}
	spec, err := c.Specs()[0](cp, infra.NodeInfo{Name: "n1", Addr: netip.MustParseAddr("172.18.0.4")})
	if err != nil {
		t.Fatal(err)
	}
	for _, word := range []string{"contour", "serve", "--kubeconfig=/var/lib/contour/kubeconfig", "--xds-address=127.0.0.1", "--ingress-class-name=contour", "--ingress-status-address=172.18.0.4"} {
		if !slices.Contains(spec.Command, word) {
			t.Errorf("%q lacks %q", spec.Command, word)
		}
	}
	if spec.Role != infra.RoleAgent || spec.Join != infra.RoleNode || spec.Env["MORE"] != "word" || spec.Env["GODEBUG"] == "" || string(spec.Files[0].Data) != name {
		t.Errorf("got %+v", spec)
	}
	if _, err := targets.New(name, targets.Options{Settings: []workloads.Setting{workloads.Panics}}); err == nil {
		t.Error("it panics when it is told to: no error")
	}
}

func TestSeed(t *testing.T) {
	dir := t.TempDir()
	const crd = "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: httpproxies.projectcontour.io}\n" +
		"spec: {names: {plural: httpproxies}, versions: [{name: v1, storage: true}]}\n"
	const role = "---\nkind: ClusterRole\nmetadata: {name: contour}\nrules: [{apiGroups: [x.org], resources: [as], verbs: [list]}]\n"
	file := filepath.Join(dir, "all.yaml")
	if err := os.WriteFile(file, []byte(crd), 0o600); err != nil {
		t.Fatal(err)
	}
	c := contour{program(targets.Options{Manifests: []string{dir}})}
	if _, err := c.Seed(); err == nil || !strings.Contains(err.Error(), "no role contour") {
		t.Errorf("without a role: %v", err)
	}
	if err := os.WriteFile(file, []byte(crd+role), 0o600); err != nil {
		t.Fatal(err)
	}
	stored, err := c.Seed()
	if err != nil || len(stored) != 1 {
		t.Errorf("stored %v, %v", stored, err)
	}
	for key, value := range stored {
		if !strings.HasSuffix(key, "/httpproxies.projectcontour.io") || !strings.Contains(string(value), "Established") {
			t.Errorf("%s: %s", key, value)
		}
	}
}

// TestKnownIssuesAreBounded wants what is excused to be bounded in time.
func TestKnownIssuesAreBounded(t *testing.T) {
	c, err := targets.New(name, targets.Options{})
	if err != nil {
		t.Fatal(err)
	}
	known, unexcused := targets.KnownIssues(c, "v1.33.8")
	if len(known) == 0 || unexcused != "" {
		t.Errorf("%d issues, %q", len(known), unexcused)
	}
	for _, k := range known {
		if k.Excuses.Within < 1 || k.Excuses.Within != report.Lasting(time.Duration(k.Excuses.Within)*time.Second) {
			t.Errorf("%+v", k)
		}
	}
}

func TestLog(t *testing.T) {
	const log = `time="2026-11-29T00:00:00Z" level=error msg="failed to list *v1.Secret: secrets is forbidden: User \"contour\" cannot list resource"` + "\n"
	if got := (contour{program(targets.Options{})}).LacksIn([]byte(log)); got != "it lacks the right to list secrets" {
		t.Errorf("lacks %q", got)
	}
	if got := (contour{program(targets.Options{})}).VersionIn([]byte(log)) + (contour{program(targets.Options{})}).LacksIn(nil); got != "" {
		t.Errorf("of nothing: %q", got)
	}
}
