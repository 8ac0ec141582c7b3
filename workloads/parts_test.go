package workloads

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func TestMoved(t *testing.T) {
	s := smallWorld(ingress(is()), ingress(is("app", "db")))
	if moved := s.Moved(s); len(moved) > 0 {
		t.Errorf("nothing moved, got %v", moved)
	}
	to := s
	web, db := Key{"a", "web"}, Key{"a", "db"}
	pod := to.Pods().Get(web)
	pod.Labels = map[string]string{"app": "other"}
	to.Put(pod)
	to.Remove(PodKind.Part(db))
	to.Put(Namespace{Name: "b"})
	to.Remove(NetworkKind.Part(Key{"a", "policy-1"}))
	to.Put(AdminPolicy{Name: "first"})
	moved := s.Moved(to)
	if p, ok := moved[PodKind.Part(web)].(Pod); !ok || p.Labels["app"] != "other" {
		t.Errorf("pod: %v", moved[PodKind.Part(web)])
	}
	for _, part := range []Part{PodKind.Part(db), NetworkKind.Part(Key{"a", "policy-1"})} {
		if is, ok := moved[part]; !ok || is != nil {
			t.Errorf("%v: %v, %t", part, is, ok)
		}
	}
	if r, ok := moved[AdminKind.Named("first")].(*Ruleset); !ok || r.Tier != AdminTier {
		t.Errorf("admin policy: %v", r)
	}
	if _, ok := moved[NamespaceKind.Named("b")]; !ok || len(moved) != 5 {
		t.Errorf("moved %v", moved)
	}
}

// TestSelects wants a policy to say of a pod alone what an index says of the whole state, also of one whose namespace is not there.
func TestSelects(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawnState(t)
		if rapid.Bool().Draw(t, "a namespace is gone") {
			s.Remove(NamespaceKind.Named("ns-0"))
		}
		x := NewIndex(s)
		for _, p := range s.Pods().All() {
			var got, want []string
			for _, r := range s.Rulesets() {
				if r.Selects(p, s.Namespaces().Named(p.Namespace)) {
					got = append(got, r.String())
				}
			}
			for _, r := range x.Selecting(p) {
				want = append(want, r.String())
			}
			if slices.Sort(got); !slices.Equal(got, slices.Sorted(slices.Values(want))) {
				t.Fatalf("%s is selected by %v, the index says %v", p, got, want)
			}
		}
	})
}
