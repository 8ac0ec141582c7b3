package felix

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	yamlstream "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"
)

// manifests are what a release brings along for the API server.
type manifests struct {
	crds []*unstructured.Unstructured // each once, by name
	role []rbacv1.PolicyRule          // of its agent; none: it does not say
}

// felixRules are the rights of a Felix whose release brings no role.
var felixRules = []rbacv1.PolicyRule{
	{APIGroups: []string{""}, Resources: []string{"nodes", "namespaces", "pods", "serviceaccounts", "services", "endpoints"}, Verbs: []string{"get", "list", "watch"}},
	{APIGroups: []string{""}, Resources: []string{"nodes/status", "pods/status"}, Verbs: []string{"patch", "update"}},
	{APIGroups: []string{"discovery.k8s.io"}, Resources: []string{"endpointslices"}, Verbs: []string{"get", "list", "watch"}},
	{APIGroups: []string{"networking.k8s.io"}, Resources: []string{"networkpolicies"}, Verbs: []string{"get", "list", "watch"}},
	{APIGroups: []string{"policy.networking.k8s.io"}, Resources: []string{"*"}, Verbs: []string{"get", "list", "watch"}},
	{APIGroups: []string{"crd.projectcalico.org"}, Resources: []string{"*"}, Verbs: []string{"get", "list", "watch", "create", "update", "delete"}},
}

func (m manifests) rights() []rbacv1.PolicyRule {
	if len(m.role) > 0 {
		return m.role
	}
	return felixRules
}

// readManifests reads files, and folders of them; what is neither a CRD nor the agent's role is passed over.
func readManifests(paths []string) (manifests, error) {
	var m manifests
	seen := map[string]bool{}
	for _, path := range paths {
		files := []string{path}
		if info, err := os.Stat(path); err != nil {
			return m, fmt.Errorf("read manifests: %w", err)
		} else if info.IsDir() {
			if files, err = filepath.Glob(filepath.Join(path, "*.yaml")); err != nil {
				return m, fmt.Errorf("read manifests: %w", err)
			}
		}
		for _, file := range files {
			if err := m.read(file, seen); err != nil {
				return m, fmt.Errorf("read manifest %s: %w", filepath.Base(file), err)
			}
		}
	}
	return m, nil
}

var (
	crdWord  = []byte("CustomResourceDefinition")
	roleWord = []byte("ClusterRole")
)

func (m *manifests) read(file string, seen map[string]bool) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // it was only read
	reader := yamlstream.NewYAMLReader(bufio.NewReader(f))
	for {
		document, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if bytes.Contains(document, crdWord) || bytes.Contains(document, roleWord) {
			if err := m.add(document, seen); err != nil {
				return err
			}
		}
	}
}

func (m *manifests) add(document []byte, seen map[string]bool) error {
	object := &unstructured.Unstructured{}
	if err := yaml.Unmarshal(document, &object.Object); err != nil {
		return err
	}
	name := object.GetKind() + " " + object.GetName()
	if seen[name] {
		return nil
	}
	seen[name] = true
	switch {
	case object.GetKind() == string(crdWord):
		m.crds = append(m.crds, object)
	case object.GetKind() == string(roleWord) && object.GetName() == felixUser:
		var role rbacv1.ClusterRole
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, &role); err != nil {
			return err
		}
		m.role = role.Rules
	}
	return nil
}
