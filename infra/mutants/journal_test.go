package mutants

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestJournalGoesOn(t *testing.T) {
	dir := t.TempDir()
	head := Head{Target: "sut", Seed: 1, Stages: []Stage{Set}, Keys: map[string]string{"sut": "abc"}}
	j, rows, err := Open(dir, head)
	if err != nil || len(rows) != 0 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	for _, r := range []Row{{Mutant: "one", Outcome: Inconclusive}, {Mutant: "two", Outcome: Caught}, {Mutant: "one", Outcome: Escaped}} {
		if err := j.Write(r); err != nil {
			t.Fatal(err)
		}
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, JournalFile)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, append(data, `{"row": {"mut`...), 0o644); err != nil { // a kill in the middle of a write
		t.Fatal(err)
	}
	j, rows, err = Open(dir, head)
	if err != nil {
		t.Fatal(err)
	}
	if len(rows) != 2 || rows[0].Mutant != "two" || rows[1].Outcome != Escaped {
		t.Errorf("got %+v", rows)
	}
	if err := j.Write(Row{Mutant: "three", Outcome: Caught}); err != nil {
		t.Fatal(err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if _, rows, err = Load(dir); err != nil || len(rows) != 3 {
		t.Errorf("after half a line: %+v, %v", rows, err)
	}
	head.Stages = []Stage{Set, Fuzz}
	if j, rows, err = Open(dir, head); err != nil || len(rows) != 3 {
		t.Fatalf("with one more stage: %+v, %v", rows, err)
	}
	_ = j.Close()
	if was, _, err := Load(dir); err != nil || !slices.Equal(was.Stages, head.Stages) {
		t.Errorf("stages %v, %v", was.Stages, err)
	}
	head.Seed = 2
	if _, _, err := Open(dir, head); err == nil {
		t.Error("a table of another seed went on")
	}
}
