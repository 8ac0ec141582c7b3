package workloads

import "testing"

func TestMoved(t *testing.T) {
	s := smallWorld(ingress(is()), ingress(is("app", "db")))
	if moved := s.Moved(s.Clone()); len(moved) > 0 {
		t.Errorf("nothing moved, got %v", moved)
	}
	to := s.Clone()
	web, db := Key{"a", "web"}, Key{"a", "db"}
	pod := to.Pods[web]
	pod.Labels = map[string]string{"app": "other"}
	to.Pods[web] = pod
	delete(to.Pods, db)
	to.Namespaces["b"] = Namespace{Name: "b"}
	delete(to.Policies, Key{"a", "policy-1"})
	to.AdminPolicies["first"] = AdminPolicy{Name: "first"}
	moved := s.Moved(to)
	if p, ok := moved[PodPart(web)].(Pod); !ok || p.Labels["app"] != "other" {
		t.Errorf("pod: %v", moved[PodPart(web)])
	}
	for _, part := range []Part{PodPart(db), {string(NetworkKind), Key{"a", "policy-1"}}} {
		if is, ok := moved[part]; !ok || is != nil {
			t.Errorf("%v: %v, %t", part, is, ok)
		}
	}
	if r, ok := moved[Part{string(AdminKind), Key{Name: "first"}}].(*Ruleset); !ok || r.Tier != AdminTier {
		t.Errorf("admin policy: %v", r)
	}
	if _, ok := moved[NamespacePart("b")]; !ok || len(moved) != 5 {
		t.Errorf("moved %v", moved)
	}
}
