package infra

import (
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/nodefv/nodefv/workloads"
)

// TestDriverRules wants the driver to have the rights that scenarios need; a kind that is added brings its own.
func TestDriverRules(t *testing.T) {
	all, some := []string{"get", "list", "watch", "create", "update", "patch", "delete"}, []string{"update", "patch"}
	want, got := map[string]bool{}, map[string]bool{}
	add := func(to map[string]bool, r rbacv1.PolicyRule) {
		for _, group := range r.APIGroups {
			for _, resource := range r.Resources {
				for _, verb := range r.Verbs {
					to[verb+" "+group+"/"+resource] = true
				}
			}
		}
	}
	for _, r := range []rbacv1.PolicyRule{
		{APIGroups: []string{""}, Resources: []string{"nodes", "namespaces", "pods"}, Verbs: all},
		{APIGroups: []string{""}, Resources: []string{"nodes/status", "pods/status", "namespaces/finalize"}, Verbs: some},
		{APIGroups: []string{"networking.k8s.io"}, Resources: []string{"networkpolicies"}, Verbs: all},
		{
			APIGroups: []string{"policy.networking.k8s.io"}, Verbs: all,
			Resources: []string{"adminnetworkpolicies", "baselineadminnetworkpolicies", "clusternetworkpolicies"},
		},
		{APIGroups: []string{"coordination.k8s.io"}, Resources: []string{"leases"}, Verbs: []string{"get", "create", "update", "delete"}},
	} {
		add(want, r)
	}
	for _, r := range driverRules([]workloads.Feature{workloads.AdminPolicies, workloads.ClusterPolicies}) {
		add(got, r)
	}
	for right := range want {
		if !got[right] {
			t.Errorf("the driver may not %s", right)
		}
	}
	if got["list /secrets"] {
		t.Error("the driver may list secrets, which are of no use to such a target")
	}
}
