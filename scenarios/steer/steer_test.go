package steer

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nodefv/nodefv/scenarios/effects"
	"github.com/nodefv/nodefv/workloads"
	"github.com/nodefv/nodefv/workloads/load"
)

// all is an order of each sort.
var all = []Order{
	{Traffic: &Traffic{Name: "t1", Pattern: OnePair, From: "ns-0/web-0", To: "ns-1/api-0", Protocol: load.UDP, Connections: 3, Rate: 12.5, Budget: load.Budget{Lost: new(uint64(5)), P99: new(time.Second)}}},
	{Impair: &Impair{Name: "slow", Traffic: "t1", Connection: 2, Way: Both, Quality: effects.Quality{Delay: 100 * time.Millisecond, Loss: 0.03, Rate: 5e6}}},
	{Impair: &Impair{Name: "link", From: "ns-0/web-0", To: "ns-1/api-0", Quality: effects.Quality{Jitter: 1500 * time.Microsecond}}},
	{Churn: &Churn{Kind: "policies", Objects: 5, Every: 2 * time.Second}},
	{Policy: &Policy{Name: "p1", Namespace: "ns-0", Role: "api", Let: "web"}},
	{Agent: &Agent{Do: Freeze, For: 3 * time.Second}},
	{Mend: Everything}, {StopChurn: "policies"}, {RemovePolicy: "ns-0/p1"}, {StopTraffic: "t1"},
}

func TestOrders(t *testing.T) {
	for _, o := range all {
		if err := o.Check(); err != nil {
			t.Errorf("%s: %v", o, err)
		}
		text, err := json.Marshal(o)
		if err != nil {
			t.Fatal(err)
		}
		var again Order
		if err := json.Unmarshal(text, &again); err != nil || again.String() != o.String() {
			t.Errorf("%s is read as %s: %v", o, again, err)
		}
	}
	for want, o := range map[string]Order{
		"says 0":              {},
		"says 2":              {Mend: "a", StopChurn: "b"},
		"pattern":             {Traffic: &Traffic{Name: "t", Rate: 1}},
		"which two pods":      {Traffic: &Traffic{Name: "t", Pattern: OnePair, From: "a/b", To: "a/b", Rate: 1}},
		"a rate of 0":         {Traffic: &Traffic{Name: "t", Pattern: Ring}},
		"1001 connections":    {Traffic: &Traffic{Name: "t", Pattern: Ring, Rate: 1, Connections: 1001}},
		"protocol":            {Traffic: &Traffic{Name: "t", Pattern: Ring, Rate: 1, Protocol: "smoke"}},
		"what is to be":       {Impair: &Impair{Name: "i"}},
		"loss of 300 %":       {Impair: &Impair{Name: "i", From: "a/b", Quality: effects.Quality{Loss: 3}}},
		"reordering needs":    {Impair: &Impair{Name: "i", From: "a/b", Quality: effects.Quality{Reordering: 0.1}}},
		"way":                 {Impair: &Impair{Name: "i", From: "a/b", Way: "up"}},
		"there are":           {Churn: &Churn{Kind: "agent-restarts", Every: time.Second}},
		"a cycle each 1ms":    {Churn: &Churn{Kind: "policies", Every: time.Millisecond}},
		"whom it lets in":     {Policy: &Policy{Name: "p"}},
		"neither restart nor": {Agent: &Agent{Do: "kill"}},
		"1m0s at most":        {Agent: &Agent{Do: Freeze, For: time.Hour}},
	} {
		if err := o.Check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", o, err, want)
		}
	}
}

// TestNamesHoldForEverySeed wants the same short names whatever the seed.
func TestNamesHoldForEverySeed(t *testing.T) {
	stage := Stage{Nodes: 2, Namespaces: 2, Pods: 6, Local: 9}
	if err := stage.Check(); err != nil {
		t.Fatal(err)
	}
	names := func(seed uint64) string {
		plan, err := workloads.NewPlan(seed, stage.Topology(), "here")
		if err != nil {
			t.Fatal(err)
		}
		s := plan.State()
		Arrange(&s)
		var all []string
		for _, p := range s.Pods().List() {
			if !planned(p) {
				t.Errorf("%s is taken for churn", p.Key)
			}
			all = append(all, Short(p.Key)+"@"+ShortNamespace(p.Node))
		}
		return strings.Join(all, " ")
	}
	one, other := names(1), names(77777)
	if one != other || !strings.Contains(one, "team-b/cache-1@here") || strings.Count(one, " ") != 11 {
		t.Errorf("%s\n%s", one, other)
	}
}

// TestSourceCompiles wants the scenario of all orders to be accepted by the compiler, as a file of the library, and to hold those that succeeded.
func TestSourceCompiles(t *testing.T) {
	var entries []Entry
	for i, o := range all {
		entries = append(entries, Entry{At: time.Duration(i) * 1234 * time.Millisecond, Order: o})
	}
	entries = append(entries, Entry{At: time.Minute, Order: Order{Mend: "what failed"}, Error: "it failed"})
	source, err := Source("slow shop", Stage{Nodes: 2, Namespaces: 2, Pods: 4, Local: 6, DualStack: true}, entries)
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Count(string(source), "{After: "); got != len(all) || strings.Contains(string(source), "what failed") {
		t.Errorf("%d orders of %d:\n%s", got, len(all), source)
	}
	if FileName("slow shop") != "slow_shop.go" {
		t.Error(FileName("slow shop"))
	}
	vetted(t, source)
	for _, bad := range []string{"", "Slow", "a\"b", "../x"} {
		if _, err := Source(bad, Stage{}, entries); err == nil {
			t.Errorf("%q passes for a name", bad)
		}
	}
	if _, err := Source("nothing", Stage{}, nil); err == nil {
		t.Error("nothing is a scenario")
	}
}

// vetted compiles a file as one of package scenarios, without writing it there.
func vetted(t *testing.T, source []byte) {
	t.Helper()
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("no go command here")
	}
	folder, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	file, overlay := filepath.Join(dir, "saved.go"), filepath.Join(dir, "overlay.json")
	over, err := json.Marshal(map[string]any{"Replace": map[string]string{filepath.Join(folder, "slow_shop.go"): file}})
	if err != nil {
		t.Fatal(err)
	}
	for path, data := range map[string][]byte{file: source, overlay: over} {
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	c := exec.Command("go", "build", "-overlay", overlay, ".")
	c.Dir = folder
	if said, err := c.CombinedOutput(); err != nil {
		t.Errorf("%v: %s\n%s", err, said, source)
	}
}
