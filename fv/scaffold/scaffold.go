// Package scaffold writes the files with which a scenario, a target or a fault begins: they compile, pass their tests and are documented.
//
// It changes files of a checkout and starts nothing. It is for one goroutine.
package scaffold

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"go/format"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"text/template"
)

//go:embed templates
var templates embed.FS

// Kinds are what can be begun.
var Kinds = []string{"scenario", "target", "fault"}

// name is what a template knows.
type name struct {
	Name    string // as it was given
	Package string // letters and digits alone
	Func    string // the same as a Go name, upper case first
	Upper   string // of Package
	Module  string // of a target, which its program is built from
}

// addition is a line that is put into a file that is there.
type addition struct {
	file  string
	after *regexp.Regexp // the last line that matches, among those that follow the first one without a gap
	line  string
}

// plan is what is written for a kind: file to template.
type plan struct {
	files map[string]string
	adds  []addition
}

var (
	words  = regexp.MustCompile(`^[a-z][a-z0-9]*([ -][a-z0-9]+)*$`)
	module = regexp.MustCompile(`^[a-z0-9.-]+\.[a-z]+(/[\w.~-]+)+$`)
)

// New writes what a thing of that kind and name begins with into a checkout, and returns the files that it made or changed, below root. The
// module is what a target is built from. It changes nothing if one of the files is there, or the name is none.
func New(root, kind, called, module string) ([]string, error) {
	n, err := named(kind, called, module)
	if err != nil {
		return nil, err
	}
	p := planOf(kind, n)
	contents := map[string][]byte{}
	for file, from := range p.files {
		if _, err := os.Stat(filepath.Join(root, file)); !errors.Is(err, os.ErrNotExist) {
			return nil, fmt.Errorf("%s is there already: choose another name", file)
		}
		if contents[file], err = render(from, n); err != nil {
			return nil, err
		}
	}
	for _, a := range p.adds {
		if contents[a.file], err = a.to(root); err != nil {
			return nil, err
		}
	}
	var written []string
	for file, text := range contents {
		path := filepath.Join(root, file)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, text, 0o644)); err != nil {
			return written, err
		}
		written = append(written, file)
	}
	slices.Sort(written)
	return written, nil
}

func named(kind, called, from string) (name, error) {
	switch {
	case !slices.Contains(Kinds, kind):
		return name{}, fmt.Errorf("there is no kind %q; there are: %s", kind, strings.Join(Kinds, ", "))
	case !words.MatchString(called):
		return name{}, fmt.Errorf("%q is no name: write lower-case words, such as \"policy storm\"", called)
	case kind == "target" && !module.MatchString(from):
		return name{}, fmt.Errorf("--module %q: name the Go module that the target is built from, such as github.com/owner/project", from)
	case kind == "target" && strings.Contains(called, " "):
		return name{}, fmt.Errorf("%q is no name of a target: write it without spaces", called)
	}
	n := name{Name: called, Module: from}
	for _, word := range strings.FieldsFunc(called, func(r rune) bool { return r == ' ' || r == '-' }) {
		n.Package += word
		n.Func += strings.ToUpper(word[:1]) + word[1:]
	}
	n.Upper = strings.ToUpper(n.Package)
	return n, nil
}

func planOf(kind string, n name) plan {
	file := strings.NewReplacer(" ", "_", "-", "_").Replace(n.Name) + ".go"
	switch kind {
	case "scenario":
		return plan{
			files: map[string]string{"scenarios/" + file: "scenario.go.tmpl"},
			adds: []addition{{"docs/scenarios.md", regexp.MustCompile(`^\| `),
				"| " + n.Name + " | churn | 10 pods, 5 of them local; each cycle the oldest makes way for another | say here what it proves |"}},
		}
	case "fault":
		return plan{
			files: map[string]string{"scenarios/faults/" + file: "fault.go.tmpl"},
			adds:  []addition{{"README.md", regexp.MustCompile(`^\| .*\| (judged|fail|pass) \|`), "| " + n.Name + " | fail | the address and the pod |"}},
		}
	}
	place := "infra/targets/" + n.Package + "/"
	return plan{
		files: map[string]string{
			place + n.Package + ".go": "target.go.tmpl", place + n.Package + "_test.go": "target_test.go.tmpl",
			"docker/" + n.Name + "/Dockerfile": "Dockerfile.tmpl", "docker/" + n.Name + "/go.mod": "go.mod.tmpl", "docker/" + n.Name + "/recipe.json": "recipe.json.tmpl",
		},
		adds: []addition{
			{"infra/targets/all/all.go", regexp.MustCompile(`^\t_ "`), "\t_ \"github.com/nodefv/nodefv/infra/targets/" + n.Package + "\""},
			{"docs/agents.md", regexp.MustCompile(`^    make fv`), "    make fv TARGET=" + n.Name + "      # " + n.Module},
		},
	}
}

func render(from string, n name) ([]byte, error) {
	t, err := template.ParseFS(templates, "templates/"+from)
	if err != nil {
		return nil, err
	}
	var text bytes.Buffer
	if err := t.Execute(&text, n); err != nil {
		return nil, err
	}
	if strings.HasSuffix(from, ".go.tmpl") {
		return format.Source(text.Bytes())
	}
	return text.Bytes(), nil
}

// to returns the file with the line.
func (a addition) to(root string) ([]byte, error) {
	text, err := os.ReadFile(filepath.Join(root, a.file))
	if err != nil {
		return nil, err
	}
	lines := strings.Split(string(text), "\n")
	at := slices.IndexFunc(lines, a.after.MatchString)
	if at < 0 {
		return nil, fmt.Errorf("%s has no place for %q", a.file, a.line)
	}
	for at+1 < len(lines) && (a.after.MatchString(lines[at+1]) || strings.HasPrefix(lines[at+1], "|---")) {
		at++
	}
	with := []byte(strings.Join(slices.Insert(lines, at+1, a.line), "\n"))
	if strings.HasSuffix(a.file, ".go") {
		return format.Source(with) // which sorts imports
	}
	return with, nil
}
