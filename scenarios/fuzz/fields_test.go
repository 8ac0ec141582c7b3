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
		"Node IP",
		"Namespace Labels",
		"Pod Labels", "Pod IPs", "Pod Node", "Pod Ports", "Pod Bare",
		"NetworkPolicy Spec ingress from", "NetworkPolicy Spec ingress ports", "NetworkPolicy Spec egress to", "NetworkPolicy Spec egress ports",
		"AdminNetworkPolicy Spec priority", "AdminNetworkPolicy Spec subject", "AdminNetworkPolicy Spec ingress action", "AdminNetworkPolicy Spec ingress from", "AdminNetworkPolicy Spec ingress ports",
		"AdminNetworkPolicy Spec egress action", "AdminNetworkPolicy Spec egress to", "AdminNetworkPolicy Spec egress ports",
		"BaselineAdminNetworkPolicy Spec subject", "BaselineAdminNetworkPolicy Spec ingress action", "BaselineAdminNetworkPolicy Spec ingress from", "BaselineAdminNetworkPolicy Spec ingress ports",
		"BaselineAdminNetworkPolicy Spec egress action", "BaselineAdminNetworkPolicy Spec egress to", "BaselineAdminNetworkPolicy Spec egress ports",
		"ClusterNetworkPolicy Spec tier", "ClusterNetworkPolicy Spec priority", "ClusterNetworkPolicy Spec subject", "ClusterNetworkPolicy Spec ingress action", "ClusterNetworkPolicy Spec ingress from", "ClusterNetworkPolicy Spec ingress protocols",
		"ClusterNetworkPolicy Spec egress action", "ClusterNetworkPolicy Spec egress to", "ClusterNetworkPolicy Spec egress protocols",
	}
	known := []string{"NetworkPolicy Spec podSelector", "NetworkPolicy Spec policyTypes"}
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
	for _, p := range s.Policies().All() {
		p.Spec.PolicyTypes = workloads.Directions(p.Spec)
		s.Put(p)
	}
	for _, d := range workloads.Kinds() {
		for _, k := range s.Names(d.Kind()) {
			data, _ := json.Marshal(s.Object(d.Kind().Part(k)))
			var object any
			_ = json.Unmarshal(data, &object)
			all[string(d.Kind())+" "+k.String()] = object
		}
	}
	return all
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
