package traefik

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/nodefv/nodefv/infra"
	"github.com/nodefv/nodefv/infra/targets"
	"github.com/nodefv/nodefv/workloads"
)

func TestGatewayAPI(t *testing.T) {
	dir := t.TempDir()
	crd := `{apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, metadata: {name: KINDS.GROUP}, spec: {group: GROUP, versions: [{name: v1, served: true, storage: true}]}}`
	for kinds, group := range map[string]string{"httproutes": gatewayGroup, "others": "example.org"} {
		text := strings.NewReplacer("KINDS", kinds, "GROUP", group).Replace(crd)
		if err := os.WriteFile(filepath.Join(dir, kinds+".yaml"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for plane, routes := range map[string]bool{gateway: true, published: false, unpublished: false} {
		of := instance(targets.Options{DataPlane: plane, Manifests: []string{dir}}, 1)
		has := func(prefix string) bool {
			return slices.ContainsFunc(of.flags(infra.NodeInfo{}), func(f string) bool { return strings.HasPrefix(f, prefix) })
		}
		stored, err := of.Seed()
		if err != nil || (len(stored) == 1) != routes {
			t.Errorf("%s: seeds %v, %v", plane, stored, err)
		}
		features := of.Features()
		if slices.Contains(features, workloads.GatewayRoutes) != routes || slices.Contains(features, workloads.HTTPRouting) == routes || !slices.Contains(features, workloads.RequestRouting) {
			t.Errorf("%s: features %v", plane, features)
		}
		if has("--providers.kubernetesgateway") != routes || has("--providers.kubernetesingress") == routes {
			t.Errorf("%s: flags %v", plane, of.flags(infra.NodeInfo{}))
		}
		if d := of.Dialect(); (d.GatewayClass != "") != routes || (d.IngressClass != "") == routes {
			t.Errorf("%s: %+v", plane, d)
		}
		reads := slices.ContainsFunc(of.rights(), func(r rbacv1.PolicyRule) bool { return slices.Contains(r.Resources, "httproutes") })
		if reads != routes {
			t.Errorf("%s: rights %v", plane, of.rights())
		}
	}
	if _, err := instance(targets.Options{DataPlane: gateway, Manifests: []string{t.TempDir()}}, 1).Seed(); err == nil || !strings.Contains(err.Error(), "no CRDs") {
		t.Errorf("without CRDs: %v", err)
	}
}
