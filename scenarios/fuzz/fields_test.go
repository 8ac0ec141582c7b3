package fuzz

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/nodefv/nodefv/workloads"
)

// TestEveryFieldChanges wants each field that is drawn of an object to be seen changing: of an object that stays or, where the API does not let it
// change, of one that comes back under its name. What is known to break an agent changes only if it is asked for.
func TestEveryFieldChanges(t *testing.T) {
	always := []string{
		"node IP",
		"namespace Labels",
		"pod Labels", "pod IPs", "pod Node", "pod Ports", "pod Bare",
		"policy Spec ingress from", "policy Spec ingress ports", "policy Spec egress to", "policy Spec egress ports",
		"admin Spec priority", "admin Spec subject", "admin Spec ingress action", "admin Spec ingress from", "admin Spec ingress ports",
		"admin Spec egress action", "admin Spec egress to", "admin Spec egress ports",
		"baseline Spec subject", "baseline Spec ingress action", "baseline Spec ingress from", "baseline Spec ingress ports",
		"baseline Spec egress action", "baseline Spec egress to", "baseline Spec egress ports",
		"cluster Spec tier", "cluster Spec priority", "cluster Spec subject", "cluster Spec ingress action", "cluster Spec ingress from", "cluster Spec ingress protocols",
		"cluster Spec egress action", "cluster Spec egress to", "cluster Spec egress protocols",
	}
	known := []string{"policy Spec podSelector", "policy Spec policyTypes"}
	for _, c := range []struct {
		known bool
		want  []string
	}{{false, always}, {true, append(slices.Clone(always), known...)}} {
		changed := map[string]bool{}
		for seed := range uint64(8) {
			g, m, last := NewGenerator(seed, Wishes{Admin: true, Cluster: true, Known: c.known}), NewModel("here"), map[string]any{}
			for range 60 {
				for _, op := range g.Batch(Batch) {
					m.Apply(op)
				}
				for name, object := range objectsOf(m.State) {
					if before, was := last[name]; was {
						kind, _, _ := strings.Cut(name, " ")
						fieldsThatDiffer(changed, kind, before, object)
					}
					last[name] = object
				}
			}
		}
		for _, field := range c.want {
			if !changed[field] {
				t.Errorf("known %v: %s never changed", c.known, field)
			}
		}
		if !c.known {
			for _, field := range known {
				if changed[field] {
					t.Errorf("%s changed though that is known to break an agent", field)
				}
			}
		}
	}
}

// objectsOf are the objects of a state as JSON, by kind and name; policies with the types that they have by default.
func objectsOf(s workloads.State) map[string]any {
	all := map[string]any{}
	s = s.Clone()
	for k, p := range s.Policies {
		p.Spec.PolicyTypes = workloads.Directions(p.Spec)
		s.Policies[k] = p
	}
	collect(all, "node", s.Nodes)
	collect(all, "namespace", s.Namespaces)
	collect(all, "pod", s.Pods)
	collect(all, "policy", s.Policies)
	collect(all, "admin", s.AdminPolicies)
	collect(all, "baseline", s.Baseline)
	collect(all, "cluster", s.ClusterPolicies)
	return all
}

func collect[K comparable, V any](all map[string]any, kind string, objects map[K]V) {
	for k, v := range objects {
		data, _ := json.Marshal(v)
		name, _ := json.Marshal(k)
		var object any
		_ = json.Unmarshal(data, &object)
		all[kind+" "+string(name)] = object
	}
}

// fieldsThatDiffer notes the paths of what is not the same, as far down as specifications name it; rules are compared in their order.
func fieldsThatDiffer(into map[string]bool, path string, before, after any) {
	if reflect.DeepEqual(before, after) {
		return
	}
	into[path] = true
	b, isMap := before.(map[string]any)
	a, both := after.(map[string]any)
	if isMap && both {
		for field := range maps.Keys(b) {
			fieldsThatDiffer(into, path+" "+field, b[field], a[field])
		}
		for field := range maps.Keys(a) {
			fieldsThatDiffer(into, path+" "+field, b[field], a[field])
		}
		return
	}
	rules, isList := before.([]any)
	now, both := after.([]any)
	for i := range min(len(rules), len(now)) {
		if isList && both {
			fieldsThatDiffer(into, path, rules[i], now[i])
		}
	}
}
