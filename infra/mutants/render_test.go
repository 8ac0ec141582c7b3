package mutants

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write the golden files")

// table returns one mutant of each kind of outcome, and the rows of a run.
func table() (Table, []Row) {
	made := func(name string, class Class) Mutant {
		return mutant(name, func(m *Mutant) {
			m.Class, m.Bug = class, "what "+name+" breaks"
			if class == Equivalent {
				m.Cause, m.Why = "", "nobody asks"
			}
		})
	}
	t := Table{Module: "example.org/lib", Mutants: []Mutant{
		made("rule-lost", FailOpen), made("order-swapped-where-two-policies-have-one-order", FailOpen), made("route-stays", Programmed), made("set-stays", Programmed),
		made("never-run", Programmed), made("wrong-gauge", Gauge), made("goroutine-stuck", Leak), made("no-op", Equivalent), made("not-run-yet", Gauge),
	}}
	row := func(m Mutant, outcome Outcome, change func(*Row)) Row {
		r := NewRow(m)
		r.Outcome, r.Passed, r.Took = outcome, true, time.Minute
		if change != nil {
			change(&r)
		}
		return r
	}
	caught := func(stage Stage, scenario string, after time.Duration, told string) func(*Row) {
		return func(r *Row) { r.Stage, r.Scenario, r.After, r.Told = stage, scenario, after, told }
	}
	m := t.Mutants
	return t, []Row{
		row(m[1], Caught, caught(Set, "two isolated namespaces", 82*time.Second, "kernel, step \"churn\": 2 of 261 facts differ after 30s, first: policy a|b in: want 3 rules, got 2")),
		row(Mutant{Name: Control}, Escaped, nil),
		row(m[0], Caught, caught(Set, "pod churn", 34*time.Second, "a number is wrong: "+strings.Repeat("word ", 80))),
		row(m[2], Caught, caught(Fuzz, "fuzz", 211*time.Second, "routes, step \"fuzz\": a number is wrong")),
		row(m[3], Inconclusive, func(r *Row) { r.Told = "the API server died" }),
		row(m[4], Escaped, func(r *Row) { r.Passed = false }),
		row(m[5], Escaped, nil),
		row(m[6], Caught, caught(Soak, "no leak", 900*time.Second, "a number is wrong: goroutines grow by 3 per cycle")),
		row(m[7], Caught, caught(Set, "", 2*time.Second, "the SUT died: agent exited with code 2")),
	}
}

func TestRendering(t *testing.T) {
	all, rows := table()
	head := Head{Target: "sut", DataPlane: "iptables-nft", Runtime: "docker", Seed: 1, Stages: Stages, FuzzFor: 5 * time.Minute, Keys: map[string]string{"sut": "abc"}}
	r := NewReport(head, all, rows)
	dir := t.TempDir()
	if err := r.Write(dir); err != nil {
		t.Fatal(err)
	}
	var terminal strings.Builder
	terminal.WriteString(Heading() + "\n")
	for _, row := range r.Rows {
		terminal.WriteString(row.Line() + "\n")
	}
	terminal.WriteString("\n" + r.Score.Terminal())
	for _, line := range strings.Split(terminal.String(), "\n") {
		if n := len([]rune(line)); n > width {
			t.Errorf("a line of %d characters: %s", n, line)
		}
	}
	golden(t, "table.txt", terminal.String())
	for _, file := range []string{"mutants.md", "mutants.json"} {
		data, err := os.ReadFile(filepath.Join(dir, file))
		if err != nil {
			t.Fatal(err)
		}
		golden(t, file, string(data))
	}
	trouble := r.Trouble()
	if trouble == nil || !strings.Contains(trouble.Error(), "set-stays has no verdict: the API server died") || strings.Contains(trouble.Error(), Control) {
		t.Errorf("trouble: %v", trouble)
	}
}

func TestTroubleOfTheControl(t *testing.T) {
	r := NewReport(Head{}, Table{}, []Row{{Mutant: Control, Digest: Mutant{}.Digest(), Outcome: Caught, Told: "a route is missing"}})
	if err := r.Trouble(); err == nil || !strings.Contains(err.Error(), "a route is missing") {
		t.Errorf("got %v", err)
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs (go test -update writes it):\n%s", path, got)
	}
}

func TestDurationOfTheFuzzer(t *testing.T) {
	for d, want := range map[time.Duration]string{30 * time.Second: "30s", 90 * time.Second: "1m30s", 10 * time.Minute: "10m", time.Minute: "1m"} {
		var b bytes.Buffer
		Report{Head: Head{Stages: []Stage{Fuzz}, FuzzFor: d}}.markdown(&b)
		if !strings.Contains(b.String(), "fuzz for "+want+".") {
			t.Errorf("%v: %s", d, strings.SplitN(b.String(), "\n", 2)[0])
		}
	}
}
