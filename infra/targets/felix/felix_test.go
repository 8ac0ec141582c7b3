package felix

import (
	"encoding/json"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/nodefv/nodefv/infra"
	"github.com/nodefv/nodefv/infra/targets"
)

func newFelix(t *testing.T, o targets.Options) targets.Target {
	t.Helper()
	f, err := targets.New("felix", o)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// specs makes all specs of a target with a control plane that runs what is named.
func specs(t *testing.T, target targets.Target, running map[infra.Role]netip.Addr) []infra.Spec {
	t.Helper()
	cp := infra.ControlPlane{
		Kubeconfig: func(name string, _ ...string) ([]byte, error) { return []byte(name), nil },
		Addr:       func(role infra.Role) (netip.Addr, bool) { a, ok := running[role]; return a, ok },
	}
	var all []infra.Spec
	for _, make := range target.Specs() {
		spec, err := make(cp, infra.NodeInfo{Name: "n1", Addr: netip.MustParseAddr("172.18.0.4")})
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, spec)
	}
	return all
}

func TestHostInterface(t *testing.T) {
	// printf default.nginx | sha1sum
	if got := newFelix(t, targets.Options{}).HostInterface("default", "nginx"); got != "calic440f455693" {
		t.Errorf("got %s", got)
	}
}

func TestAgent(t *testing.T) {
	all := specs(t, newFelix(t, targets.Options{
		DataPlane: "nftables", Command: []string{"dlv", "exec"}, Env: map[string]string{"MORE": "word", "FELIX_LOGSEVERITYSCREEN": "Debug"},
	}), nil)
	if len(all) != 1 {
		t.Fatalf("%d specs", len(all))
	}
	agent := all[0]
	if agent.Role != infra.RoleAgent || agent.Join != infra.RoleNode || !agent.RawSystem || agent.Command[0] != "dlv" || string(agent.Files[0].Data) != felixUser {
		t.Errorf("agent %+v", agent)
	}
	for k, v := range map[string]string{
		"FELIX_NFTABLESMODE": "Enabled", "FELIX_FELIXHOSTNAME": "n1", "FELIX_DebugSkipCTLBCleanup": "true", "MORE": "word", "FELIX_LOGSEVERITYSCREEN": "Debug",
	} {
		if agent.Env[k] != v {
			t.Errorf("%s=%q, want %q", k, agent.Env[k], v)
		}
	}
	if addr, ok := agent.Env["FELIX_TYPHAADDR"]; ok {
		t.Errorf("without Typha it looks for one at %s", addr)
	}
}

func TestTyphaStandsBeforeTheAgent(t *testing.T) {
	all := specs(t, newFelix(t, targets.Options{Extras: []string{typhaWord}}), map[infra.Role]netip.Addr{typhaWord: netip.MustParseAddr("172.18.0.5")})
	if len(all) != 2 || all[0].Role != typhaWord || all[0].Join != "" || all[1].Role != infra.RoleAgent {
		t.Fatalf("specs %+v", all)
	}
	if got := all[1].Env["FELIX_TYPHAADDR"]; got != "172.18.0.5:5473" {
		t.Errorf("the agent looks for Typha at %q", got)
	}
}

func TestRefusals(t *testing.T) {
	for _, c := range []struct {
		name string
		o    targets.Options
		want string
	}{
		{"felix", targets.Options{DataPlane: "ebpf"}, "nftables"},
		{"flannel", targets.Options{}, "felix"},
	} {
		if _, err := targets.New(c.name, c.o); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s %+v: %v, which does not say what there is", c.name, c.o, err)
		}
	}
}

func TestDecorate(t *testing.T) {
	f := newFelix(t, targets.Options{})
	pod := &corev1.Pod{Status: corev1.PodStatus{PodIPs: []corev1.PodIP{{IP: "10.65.0.1"}, {IP: "fd00::1"}}}}
	bare := &corev1.Pod{}
	node := &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{"mine": "kept"}},
		Status:     corev1.NodeStatus{Addresses: []corev1.NodeAddress{{Type: corev1.NodeHostName, Address: "n"}, {Type: corev1.NodeInternalIP, Address: "172.18.0.4"}}},
	}
	for _, o := range []any{pod, bare, node} {
		f.Decorate(o)
	}
	if want := map[string]string{"cni.projectcalico.org/podIP": "10.65.0.1/32", "cni.projectcalico.org/podIPs": "10.65.0.1/32,fd00::1/128"}; !maps.Equal(pod.Annotations, want) {
		t.Errorf("pod %v", pod.Annotations)
	}
	if len(bare.Annotations) > 0 {
		t.Errorf("a pod without address %v", bare.Annotations)
	}
	if want := map[string]string{"mine": "kept", "projectcalico.org/IPv4Address": "172.18.0.4/24"}; !maps.Equal(node.Annotations, want) {
		t.Errorf("node %v", node.Annotations)
	}
}

func TestSeed(t *testing.T) {
	dir := t.TempDir()
	const crd = `{apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, metadata: {name: as.x.org}, spec: {group: x.org, names: {kind: A, plural: as},
versions: [{name: v1, served: true, storage: false}, {name: v2, served: true, storage: true}]}}`
	if err := os.WriteFile(filepath.Join(dir, "as.yaml"), []byte(crd), 0o600); err != nil {
		t.Fatal(err)
	}
	stored, err := newFelix(t, targets.Options{Manifests: []string{dir}}).(infra.Seeder).Seed()
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Metadata struct{ UID, CreationTimestamp string }
		Status   struct {
			Conditions     []struct{ Type, Status string }
			AcceptedNames  struct{ Kind, Plural string }
			StoredVersions []string
		}
	}
	if err := json.Unmarshal(stored["/registry/apiextensions.k8s.io/customresourcedefinitions/as.x.org"], &got); err != nil || len(stored) != 1 {
		t.Fatalf("%v in %q", err, stored)
	}
	s := got.Status
	if got.Metadata.UID == "" || got.Metadata.CreationTimestamp == "" || len(s.Conditions) != 2 || s.Conditions[0].Status != "True" ||
		s.AcceptedNames.Kind != "A" || !slices.Equal(s.StoredVersions, []string{"v2"}) {
		t.Errorf("stored as %+v", got)
	}
}
