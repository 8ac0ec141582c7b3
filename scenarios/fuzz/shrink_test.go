package fuzz

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/nodefv/nodefv/metrics/report"
)

func never() bool { return false }

// needs fails if all these are still there, simpler or not, and says how many operations it was shown at most.
func needs(wanted map[string]bool) func([][]Op) bool {
	return func(batches [][]Op) bool {
		found := map[string]bool{}
		for _, p := range flatten(batches) {
			if wanted[p.op.String()] {
				found[p.op.String()] = true
			}
		}
		return len(found) == len(wanted)
	}
}

func TestShrinkKeepsWhatIsNeeded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		batches := drawn(t, Wishes{Restarts: true, Admin: true, Cluster: true})
		all := flatten(batches)
		wanted := map[string]bool{}
		for range rapid.IntRange(1, 4).Draw(t, "culprits") {
			wanted[all[rapid.IntRange(0, len(all)-1).Draw(t, "culprit")].op.String()] = true
		}
		fails, runs := needs(wanted), 0
		shrunk := Shrink(batches, func(b [][]Op) bool { runs++; return fails(b) }, never)
		if !fails(shrunk) || count(shrunk) != len(wanted) {
			t.Fatalf("%d operations are left for %v: %v", count(shrunk), wanted, shrunk)
		}
		for i, p := range flatten(shrunk) {
			if without := regroup(without(flatten(shrunk), i)); fails(without) {
				t.Fatalf("%v is not needed", p.op)
			}
			if len(p.op.Labels)+len(p.op.Ports) > 0 || p.op.Bare || p.op.Forced || len(p.op.IPs) > 1 {
				t.Fatalf("%+v could be simpler", p.op)
			}
		}
		if most := 400 + 40*len(all); runs > most {
			t.Fatalf("%d runs for %d operations", runs, len(all))
		}
	})
}

// TestShrinkRespectsBatches wants two operations that fail only when a comparison is between them to stay apart.
func TestShrinkRespectsBatches(t *testing.T) {
	a, b := Op{Do: AddNamespace, Namespace: "a"}, Op{Do: RemoveNamespace, Namespace: "a"}
	other := Op{Do: AddNode, Name: "n"}
	at := func(batches [][]Op, wanted Op) int {
		for i, ops := range batches {
			for _, op := range ops {
				if op.String() == wanted.String() {
					return i
				}
			}
		}
		return -1
	}
	fails := func(batches [][]Op) bool { return at(batches, a) >= 0 && at(batches, b) > at(batches, a) }
	got := Shrink([][]Op{{other}, {a, other}, {other, other}, {b}, {other}}, fails, never)
	if want := [][]Op{{a}, {b}}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %v", got)
	}
}

// TestShrinkOfTheUncertain wants a failure that comes and goes to be shrunk to something that failed, and to end.
func TestShrinkOfTheUncertain(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		batches := drawn(t, Wishes{})
		fails := needs(map[string]bool{batches[0][0].String(): true})
		failed := map[string]bool{text(batches): true}
		shrunk := Shrink(batches, func(b [][]Op) bool {
			if fails(b) && rapid.IntRange(0, 3).Draw(t, "luck") > 0 {
				failed[text(b)] = true
				return true
			}
			return false
		}, never)
		if !failed[text(shrunk)] {
			t.Fatalf("%v never failed", shrunk)
		}
	})
}

// TestShrinkJoins has three policies wherever they are.
func TestShrinkJoins(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		fails := func(batches [][]Op) bool {
			m := NewModel("here")
			for _, p := range flatten(batches) {
				if m.Apply(p.op); threePolicies(m.State) {
					return true
				}
			}
			return false
		}
		if batches := drawn(t, Wishes{}); fails(batches) {
			if shrunk := Shrink(batches, fails, never); count(shrunk) != 4 {
				t.Fatalf("left are %v", shrunk)
			}
		}
	})
}

func TestShrinkStops(t *testing.T) {
	batches, runs := [][]Op{NewGenerator(1, Wishes{}).Batch(50)}, 0
	shrunk := Shrink(batches, func(b [][]Op) bool { runs++; return count(b) > 0 }, func() bool { return runs == 3 })
	if runs != 3 || count(shrunk) == 0 {
		t.Errorf("%d runs, %d operations are left", runs, count(shrunk))
	}
}

func text(batches [][]Op) string {
	data, _ := json.Marshal(batches)
	return string(data)
}

func TestSimplificationsAreSimpler(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		for _, p := range flatten(drawn(t, Wishes{Admin: true, Cluster: true})) {
			before := text([][]Op{{p.op}})
			for _, simpler := range Simplifications(p.op) {
				if simpler.Do != p.op.Do || simpler.key() != p.op.key() || extent(simpler) >= extent(p.op) {
					t.Fatalf("%s is no simpler %s", text([][]Op{{simpler}}), before)
				}
			}
			if text([][]Op{{p.op}}) != before {
				t.Fatalf("%s was changed", before)
			}
		}
	})
}

func repro() Repro {
	g := NewGenerator(11, Wishes{Admin: true, Cluster: true})
	r := Repro{Version: ReproVersion, Seed: 11, Target: Target{Name: "felix", DataPlane: "nftables"}, Plant: "rule deleted",
		Failure: Failure{Probe: "kernel", Differing: 1, Differences: []report.Difference{{Fact: "a\nrule", Want: "1"}}},
		Shrunk:  Shrunk{From: 100, To: 60, Runs: 7, Took: time.Minute, Tried: 3, Failed: 2}}
	for range 30 {
		r.Batches = append(r.Batches, g.Batch(Batch))
	}
	return r
}

func TestReproIsReadBack(t *testing.T) {
	dir, want := t.TempDir(), repro()
	if err := want.Write(dir); err != nil {
		t.Fatal(err)
	}
	got, err := ReadRepro(filepath.Join(dir, "repro.json"))
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v", got, err)
	}
	for name, change := range map[string]func(*Repro){
		"has version": func(r *Repro) { r.Version++ }, "no operations": func(r *Repro) { r.Batches = nil },
		"does not know: paint pod":          func(r *Repro) { r.Batches = [][]Op{{{Do: "paint pod", Name: "a"}}} },
		"does not know: add object Feather": func(r *Repro) { r.Batches = [][]Op{{{Do: AddObject, Kind: "Feather", Name: "a"}}} },
	} {
		r := want
		change(&r)
		if err := r.Write(dir); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadRepro(filepath.Join(dir, "repro.json")); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("got %v, want %q", err, name)
		}
	}
}

// TestKeptFailures wants the failures that docs/findings names to be readable, and each of their operations to mean something.
func TestKeptFailures(t *testing.T) {
	paths, err := filepath.Glob("testdata/*.json")
	if err != nil || len(paths) == 0 {
		t.Fatalf("%v, %v", paths, err)
	}
	for _, path := range paths {
		r, err := ReadRepro(path)
		if err != nil {
			t.Fatal(err)
		}
		m := NewModel("here")
		for _, p := range flatten(r.Batches) {
			if m.Apply(p.op) == nil {
				t.Errorf("%s: %v means nothing", path, p.op)
			}
		}
	}
}

// TestSourceCompiles puts the scenario into the library as the compiler sees it.
func TestSourceCompiles(t *testing.T) {
	goCommand, err := exec.LookPath("go")
	if err != nil {
		t.Skip("no go command here")
	}
	dir := t.TempDir()
	if err := repro().Write(dir); err != nil {
		t.Fatal(err)
	}
	library, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	overlay, _ := json.Marshal(map[string]map[string]string{"Replace": {filepath.Join(library, "found_by_fuzz.go"): filepath.Join(dir, "repro.go.txt")}})
	if err := os.WriteFile(filepath.Join(dir, "overlay.json"), overlay, 0o644); err != nil {
		t.Fatal(err)
	}
	vet := exec.Command(goCommand, "vet", "-overlay", filepath.Join(dir, "overlay.json"), ".")
	vet.Dir = library
	if out, err := vet.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	format := exec.Command(goCommand+"fmt", "-l", "-s", filepath.Join(dir, "repro.go.txt"))
	if out, err := format.CombinedOutput(); err == nil && len(out) > 0 {
		t.Errorf("not formatted: %s", out)
	}
}
