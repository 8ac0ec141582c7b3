package leak

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nodefv/nodefv/workloads"
)

// TestEveryChurn wants each kind of churn to make a scenario that can be planned.
func TestEveryChurn(t *testing.T) {
	names, docs := Churns()
	want := strings.Fields("agent-restarts api-restarts endpoints-of-routes everything interfaces labels local-pods namespaces nodes policies remote-pods routes")
	if !slices.Equal(names, want) {
		t.Errorf("got the kinds of churn %v, want %v", names, want)
	}
	for i, n := range names {
		sc, err := Order{Churn: n, Cycles: 3}.Scenario()
		if err != nil {
			t.Fatal(err)
		}
		if sc.Name != "leak by "+n || docs[i] == "" || sc.Timeout <= grace {
			t.Errorf("%+v", sc)
		}
		if _, err := workloads.NewPlan(1, sc.Topology, "here"); err != nil {
			t.Errorf("%s: %v", n, err)
		}
	}
}

func TestOrders(t *testing.T) {
	for what, c := range map[string]struct {
		order Order
		want  string // part of the error; empty: none
	}{
		"a time":          {Order{Churn: "policies", For: time.Minute}, ""},
		"cycles":          {Order{Churn: "policies", Cycles: 1, Identities: Same}, ""},
		"no end":          {Order{Churn: "policies"}, "ends it"},
		"no such churn":   {Order{Churn: "cheese", Cycles: 1}, "there are: agent-restarts"},
		"no such names":   {Order{Churn: "policies", Cycles: 1, Identities: "old"}, "want fresh or same"},
		"negative number": {Order{Churn: "policies", Cycles: 1, Objects: -1}, "negative"},
	} {
		o, err := c.order.Check()
		if c.want == "" && (err != nil || o.Identities == "" || o.See != SeeBytes) || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %+v, %v", what, o, err)
		}
	}
}

// TestIdentities wants names to return only if that is asked for.
func TestIdentities(t *testing.T) {
	for identities, want := range map[string]int{Fresh: 3, Same: 0} {
		if c := (course{order: Order{Identities: identities}, cycle: 3}); c.number() != want {
			t.Errorf("%s: %d, want %d", identities, c.number(), want)
		}
	}
}
