// Package docs holds what is said of nodefv, and the tests that it can be read: links lead somewhere, and lines are short.
package docs

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

const (
	root    = ".."
	columns = 100
	tab     = "    "
)

// page is a document: its lines outside of code, and what a link may lead to in it.
type page struct {
	text    string
	prose   map[int]string // by number, from 1
	anchors map[string]bool
}

var (
	link      = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	inline    = regexp.MustCompile("`[^`]*`")
	anchor    = regexp.MustCompile(`<a id="([^"]+)">`)
	cited     = regexp.MustCompile(`docs/[\w./-]+\.(?:md|json|yml)(?:#[\w-]+)?`)
	newFile   = regexp.MustCompile("(?m)^`([^`\n]+)`:\n\n```go\n((?s:.+?))\n```\n")
	ourPath   = regexp.MustCompile("`((?:docker|docs|fv|infra|metrics|scenarios|scripts|workloads)/[a-z0-9_./-]+)`")
	ourRepros = regexp.MustCompile(`scenarios/fuzz/testdata/[\w-]+\.json`)
)

// TestLinksLeadSomewhere follows every relative link of the documents.
func TestLinksLeadSomewhere(t *testing.T) {
	pages := readPages(t)
	for name, p := range pages {
		for n, line := range p.prose {
			for _, m := range link.FindAllStringSubmatch(inline.ReplaceAllString(line, ""), -1) {
				if strings.Contains(m[1], "://") {
					continue
				}
				file, _, _ := strings.Cut(m[1], "#")
				to := name
				if file != "" {
					to = filepath.Join(filepath.Dir(name), file)
				}
				if missing := lacks(pages, to, m[1]); missing != "" {
					t.Errorf("%s:%d: link to %s: %s", name, n, m[1], missing)
				}
			}
		}
	}
}

// TestCodeCitesPages follows what comments, messages and scripts say of docs/.
func TestCodeCitesPages(t *testing.T) {
	pages := readPages(t)
	cites := 0
	for _, dir := range []string{"docker", "fv", "infra", "metrics", "scenarios", "scripts", "workloads"} {
		walk(t, dir, func(name string, text string) {
			if strings.Contains(name, "testdata") || strings.HasSuffix(name, "_test.go") {
				return
			}
			for _, cite := range cited.FindAllString(text, -1) {
				cites++
				file, _, _ := strings.Cut(cite, "#")
				if missing := lacks(pages, file, cite); missing != "" {
					t.Errorf("%s cites %s: %s", name, cite, missing)
				}
			}
		})
	}
	if cites == 0 {
		t.Error("no file cites a page: the test looks at the wrong places")
	}
}

// TestPathsExist wants every file and folder of this repository that a page names in code to be there.
func TestPathsExist(t *testing.T) {
	for name, p := range readPages(t) {
		var paths []string
		for _, line := range p.prose {
			if strings.HasSuffix(line, "`:") { // a file that a worked example makes
				continue
			}
			for _, m := range ourPath.FindAllStringSubmatch(line, -1) {
				paths = append(paths, m[1])
			}
		}
		for _, path := range append(paths, ourRepros.FindAllString(p.text, -1)...) {
			if _, err := os.Stat(filepath.Join(root, path)); err != nil {
				t.Errorf("%s names %s, which is not there", name, path)
			}
		}
	}
}

// TestWorkedExamplesCompile puts the Go files of each how-to page, which stand behind their names, into the tree as the compiler sees it.
func TestWorkedExamplesCompile(t *testing.T) {
	if testing.Short() {
		t.Skip("it compiles")
	}
	pages, err := filepath.Glob("how-to/*.md")
	if err != nil || len(pages) == 0 {
		t.Fatalf("%v, %v", pages, err)
	}
	for _, name := range pages {
		t.Run(filepath.Base(name), func(t *testing.T) {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			replace, packages := map[string]string{}, map[string]bool{}
			for i, m := range newFile.FindAllStringSubmatch(string(text), -1) {
				if strings.HasPrefix(m[1], "docker/") {
					continue // a module of its own
				}
				path, err := filepath.Abs(filepath.Join(root, m[1]))
				if err != nil {
					t.Fatal(err)
				}
				example := filepath.Join(t.TempDir(), fmt.Sprintf("%d.go", i))
				if err := os.WriteFile(example, []byte(m[2]+"\n"), 0o644); err != nil {
					t.Fatal(err)
				}
				replace[path], packages["./"+filepath.Dir(m[1])] = example, true
			}
			if len(replace) > 0 {
				compile(t, replace, slices.Sorted(maps.Keys(packages)))
			}
		})
	}
}

// compile checks packages, their tests among them, with files that they do not have.
func compile(t *testing.T, replace map[string]string, packages []string) {
	t.Helper()
	overlay, err := json.Marshal(map[string]map[string]string{"Replace": replace})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "overlay.json")
	if err := os.WriteFile(file, overlay, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, pkg := range packages {
		verb := "vet"
		if _, err := os.Stat(filepath.Join(root, pkg)); err != nil {
			verb = "build" // vet wants to enter the folder
		}
		check := exec.Command("go", verb, "-overlay", file, pkg)
		check.Dir = root
		if out, err := check.CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", pkg, err, out)
		}
	}
	for path, example := range replace {
		if out, err := exec.Command("gofmt", "-l", "-s", example).CombinedOutput(); err != nil || len(out) > 0 {
			t.Errorf("%s is not formatted: %v %s", path, err, out)
		}
	}
}

// TestLinesAreShort wants it of prose, code and what is quoted; tables and the targets of links may be longer.
func TestLinesAreShort(t *testing.T) {
	for name, p := range readPages(t) {
		for i, line := range strings.Split(p.text, "\n") {
			if strings.HasPrefix(line, "|") {
				continue
			}
			line = strings.ReplaceAll(link.ReplaceAllString(line, "]"), "\t", tab)
			if width := utf8.RuneCountInString(line); width > columns {
				t.Errorf("%s:%d has %d columns, more than %d", name, i+1, width, columns)
			}
		}
	}
}

// lacks says why a link to a file, with an anchor or without one, leads nowhere; empty if it does not.
func lacks(pages map[string]page, file, target string) string {
	if _, err := os.Stat(filepath.Join(root, file)); err != nil {
		return "no such file"
	}
	if _, a, ok := strings.Cut(target, "#"); ok && !pages[file].anchors[a] {
		return "no such heading or anchor"
	}
	return ""
}

// readPages reads the documents, by their paths from the root.
func readPages(t *testing.T) map[string]page {
	t.Helper()
	pages := map[string]page{}
	for _, name := range []string{"README.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs"} {
		walk(t, name, func(name, text string) {
			if strings.HasSuffix(name, ".md") {
				pages[name] = parse(text)
			}
		})
	}
	if len(pages) < 5 {
		t.Fatalf("%d pages: the test looks at the wrong places", len(pages))
	}
	return pages
}

func walk(t *testing.T, from string, visit func(name, text string)) {
	t.Helper()
	err := filepath.WalkDir(filepath.Join(root, from), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, path)
		visit(name, string(text))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func parse(text string) page {
	p := page{text: text, prose: map[int]string{}, anchors: map[string]bool{}}
	fenced := false
	for i, line := range strings.Split(text, "\n") {
		if strings.HasPrefix(strings.TrimSpace(line), "```") {
			fenced = !fenced
			continue
		}
		if fenced || strings.HasPrefix(line, "    ") {
			continue
		}
		p.prose[i+1] = line
		if title := strings.TrimLeft(line, "#"); title != line && strings.HasPrefix(title, " ") {
			p.anchors[slug(strings.TrimSpace(title))] = true
		}
		for _, m := range anchor.FindAllStringSubmatch(line, -1) {
			p.anchors[m[1]] = true
		}
	}
	return p
}

// slug is the anchor that GitHub gives a heading.
func slug(title string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == ' ':
			return '-'
		case unicode.IsLetter(r), unicode.IsDigit(r), r == '-', r == '_':
			return unicode.ToLower(r)
		}
		return -1
	}, title)
}
