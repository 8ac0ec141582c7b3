package mutants

import (
	"go/parser"
	"go/token"
	"strings"
	"testing"
	"testing/fstest"
)

const source = `// Package lib does something.
package lib // says who

import "fmt"

func Word(n int) string {
	if n > 15 {
		n = 15
	}
	return fmt.Sprint(n)
}
`

func library() fstest.MapFS { return fstest.MapFS{"lib/lib.go": {Data: []byte(source)}} }

// mutant returns one that is well-formed, as changed.
func mutant(name string, change func(*Mutant)) Mutant {
	m := Mutant{
		Name: name, Bug: "a number is one too large", Class: Programmed, Cause: "number",
		Edits: []Edit{{File: "lib/lib.go", Old: "n > 15", New: "n > 15 || $on && n > 14"}},
	}
	if change != nil {
		change(&m)
	}
	return m
}

func edit(old, new string) func(*Mutant) {
	return func(m *Mutant) { m.Edits = []Edit{{File: "lib/lib.go", Old: old, New: new}} }
}

func TestWeave(t *testing.T) {
	table := Table{Module: "example.org/lib", Mutants: []Mutant{
		mutant("second", edit("return fmt.Sprint(n)", "if $on {\n\t\tn++\n\t}\n\t$old")),
		mutant("first", nil),
	}}
	a, err := table.Weave(library())
	if err != nil {
		t.Fatal(err)
	}
	want := strings.NewReplacer(
		"package lib", `package lib; import "example.org/lib/fvmutant"`,
		"n > 15", `n > 15 || fvmutant.Is("first") && n > 14`,
		"return fmt", "if fvmutant.Is(\"second\") {\n\t\tn++\n\t}\n\treturn fmt",
	).Replace(source)
	if got := string(a.Files["lib/lib.go"]); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
	if len(a.Files) != 2 || a.Module != table.Module {
		t.Errorf("got %d files in %s", len(a.Files), a.Module)
	}
	if _, err := parser.ParseFile(token.NewFileSet(), "guard.go", a.Files["fvmutant/guard.go"], 0); err != nil {
		t.Errorf("the guard: %v", err)
	}
}

func TestWeaveNamesWhatDoesNotApply(t *testing.T) {
	for name, c := range map[string]struct {
		mutants []Mutant
		want    []string
	}{
		"gone":    {[]Mutant{mutant("a", edit("n > 16", "$on")), mutant("b", nil), mutant("c", edit("m", "$on"))}, []string{"mutant a: lib/lib.go", "mutant c: lib/lib.go"}},
		"twice":   {[]Mutant{mutant("a", edit("15", "$on"))}, []string{"mutant a", "2 times"}},
		"overlap": {[]Mutant{mutant("a", nil), mutant("b", edit("if n > 15 {", "if $on {"))}, []string{"mutants b and a", "overlap"}},
		"no Go":   {[]Mutant{mutant("a", edit("n > 15", "$on {"))}, []string{"lib/lib.go", "no Go"}},
		"clause":  {[]Mutant{mutant("a", edit("does something", "$on"))}, []string{"mutant a", "package clause"}},
		"no file": {[]Mutant{mutant("a", func(m *Mutant) { m.Edits[0].File = "lib/other.go" })}, []string{"mutant a", "lib/other.go"}},
	} {
		_, err := Table{Module: "example.org/lib", Mutants: c.mutants}.Weave(library())
		if err == nil {
			t.Errorf("%s: no error", name)
			continue
		}
		for _, w := range c.want {
			if !strings.Contains(err.Error(), w) {
				t.Errorf("%s: %q does not say %q", name, err, w)
			}
		}
	}
}

func TestCheck(t *testing.T) {
	good := []Mutant{mutant("one", nil), mutant("two-words", func(m *Mutant) { m.Class, m.Cause, m.Why = Equivalent, "", "it only saves work" })}
	if err := (Table{Mutants: good}).Check(); err != nil {
		t.Error(err)
	}
	for name, m := range map[string]Mutant{
		"a name twice":                   mutant("one", nil),
		"the control's name":             mutant(Control, nil),
		"capitals":                       mutant("One", nil),
		"no bug":                         mutant("x", func(m *Mutant) { m.Bug = "" }),
		"no such class":                  mutant("x", func(m *Mutant) { m.Class = "slow" }),
		"an equivalent without a reason": mutant("x", func(m *Mutant) { m.Class, m.Cause = Equivalent, "" }),
		"a reason without an equivalent": mutant("x", func(m *Mutant) { m.Why = "why not" }),
		"no cause":                       mutant("x", func(m *Mutant) { m.Cause = "" }),
		"a cause that is no pattern":     mutant("x", func(m *Mutant) { m.Cause = "(" }),
		"no edit":                        mutant("x", func(m *Mutant) { m.Edits = nil }),
		"an edit that always holds":      mutant("x", edit("n > 15", "n > 14")),
	} {
		if err := (Table{Mutants: append(good[:2:2], m)}).Check(); err == nil || !strings.Contains(err.Error(), "mutant "+m.Name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
