package felix

import (
	"os"
	"path/filepath"
	"testing"
)

func TestManifests(t *testing.T) {
	dir := t.TempDir()
	const crd = "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: as.x.org}\n"
	const role = "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: other}\nrules: [{apiGroups: [x.org], resources: [as], verbs: [list]}]\n"
	for name, text := range map[string]string{
		"as.yaml":  crd,
		"all.yaml": crd + "---\nkind: ConfigMap\n---\n" + role + "---\nkind: ClusterRole\nmetadata: {name: calico-node}\nrules: [{apiGroups: [x.org], resources: [as], verbs: [list, watch]}]\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, paths := range [][]string{{dir}, {filepath.Join(dir, "as.yaml"), filepath.Join(dir, "all.yaml")}} {
		m, err := readManifests(paths)
		if err != nil {
			t.Fatal(err)
		}
		if len(m.CRDs) != 1 || len(m.Role) != 1 || len(m.Role[0].Verbs) != 2 {
			t.Errorf("%v: %d CRDs, rights %v", paths, len(m.CRDs), m.Role)
		}
	}
	if m, err := readManifests([]string{filepath.Join(dir, "as.yaml")}); err != nil || len(m.Role) != len(felixRules) {
		t.Errorf("without a role: %v, %v", m.Role, err)
	}
	if _, err := readManifests([]string{filepath.Join(dir, "absent")}); err == nil {
		t.Error("a folder that is not there is no error")
	}
}
