package felix

import (
	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/nodefv/nodefv/infra/targets"
)

// felixRules are the rights of a Felix whose release brings no role.
var felixRules = []rbacv1.PolicyRule{
	{APIGroups: []string{""}, Resources: []string{"nodes", "namespaces", "pods", "serviceaccounts", "services", "endpoints"}, Verbs: []string{"get", "list", "watch"}},
	{APIGroups: []string{""}, Resources: []string{"nodes/status", "pods/status"}, Verbs: []string{"patch", "update"}},
	{APIGroups: []string{"discovery.k8s.io"}, Resources: []string{"endpointslices"}, Verbs: []string{"get", "list", "watch"}},
	{APIGroups: []string{"networking.k8s.io"}, Resources: []string{"networkpolicies"}, Verbs: []string{"get", "list", "watch"}},
	{APIGroups: []string{"policy.networking.k8s.io"}, Resources: []string{"*"}, Verbs: []string{"get", "list", "watch"}},
	{APIGroups: []string{"crd.projectcalico.org"}, Resources: []string{"*"}, Verbs: []string{"get", "list", "watch", "create", "update", "delete"}},
}

// readManifests reads what a release brings; without a role in it Felix has felixRules.
func readManifests(paths []string) (targets.Manifests, error) {
	m, err := targets.ReadManifests(paths, felixUser)
	if len(m.Role) == 0 {
		m.Role = felixRules
	}
	return m, err
}
