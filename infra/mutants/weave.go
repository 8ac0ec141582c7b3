package mutants

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"go/format"
	"go/parser"
	"go/token"
	"io/fs"
	"slices"
	"strconv"
	"strings"

	"github.com/nodefv/nodefv/infra/build"
)

// Variable names the mutant that an altered SUT shall have, in its environment; without it, it has none.
const Variable = "FV_MUTANT"

// What an altered SUT writes to its log: when it starts, and when it first comes by a place that the mutant has changed.
const (
	chosenLine = "fv mutant chosen: "
	passedLine = "fv mutant passed: "
)

// guard is the package that is added to the module.
const (
	guardFolder = "fvmutant"
	guardSource = `// Package ` + guardFolder + ` says which mutant is chosen.
package ` + guardFolder + `

import (
	"os"
	"sync"
)

var (
	chosen = os.Getenv("` + Variable + `")
	first  sync.Once
)

func init() {
	if chosen != "" {
		os.Stderr.WriteString("` + chosenLine + `" + chosen + "\n")
	}
}

// Is reports whether this mutant is chosen.
func Is(name string) bool {
	if chosen != name {
		return false
	}
	first.Do(func() { os.Stderr.WriteString("` + passedLine + `" + name + "\n") })
	return true
}
`
)

// place is an edit of one mutant, found in the source.
type place struct {
	mutant     string
	begin, end int
	text       string
}

// Weave returns the alteration that puts all mutants into the module whose source is src. Its error names each mutant with an edit
// that does not apply.
func (t Table) Weave(src fs.FS) (build.Alteration, error) {
	a := build.Alteration{Module: t.Module, Files: map[string][]byte{guardFolder + "/guard.go": []byte(guardSource)}}
	places := map[string][]place{}
	var errs []error
	for _, m := range t.Mutants {
		for _, e := range m.Edits {
			p, err := find(src, m.Name, e)
			if err != nil {
				errs = append(errs, fmt.Errorf("mutant %s: %w", m.Name, err))
				continue
			}
			places[e.File] = append(places[e.File], p)
		}
	}
	for file, all := range places {
		text, err := t.edit(src, file, all)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		a.Files[file] = text
	}
	return a, errors.Join(errs...)
}

func find(src fs.FS, mutant string, e Edit) (place, error) {
	data, err := fs.ReadFile(src, e.File)
	if err != nil {
		return place{}, err
	}
	if n := strings.Count(string(data), e.Old); n != 1 || e.Old == "" {
		return place{}, fmt.Errorf("%s has %d times, not once: %s", e.File, n, e.Old)
	}
	begin := strings.Index(string(data), e.Old)
	text := strings.NewReplacer(On, guardFolder+".Is("+strconv.Quote(mutant)+")", Original, e.Old).Replace(e.New)
	return place{mutant: mutant, begin: begin, end: begin + len(e.Old), text: text}, nil
}

// edit returns the file with the texts in their places.
func (t Table) edit(src fs.FS, file string, all []place) ([]byte, error) {
	data, err := fs.ReadFile(src, file)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(all, func(a, b place) int { return cmp.Compare(a.begin, b.begin) })
	parsed, err := parser.ParseFile(token.NewFileSet(), file, data, parser.PackageClauseOnly)
	if err != nil {
		return nil, err
	}
	at := int(parsed.Name.End()) - 1
	var out bytes.Buffer
	out.Write(data[:at])
	// On the line of the package clause, so that the lines of stacks are those of the release as long as no edit adds any.
	fmt.Fprintf(&out, "; import %q", t.Module+"/"+guardFolder)
	for i, p := range all {
		if p.begin < at {
			return nil, fmt.Errorf("mutant %s: %s: its edit is not below the package clause", p.mutant, file)
		}
		if i+1 < len(all) && p.end > all[i+1].begin {
			return nil, fmt.Errorf("mutants %s and %s: %s: their edits overlap", p.mutant, all[i+1].mutant, file)
		}
		out.Write(data[at:p.begin])
		out.WriteString(p.text)
		at = p.end
	}
	out.Write(data[at:])
	if _, err := format.Source(out.Bytes()); err != nil {
		return nil, fmt.Errorf("%s is no Go any more once the mutants are in: %w", file, err)
	}
	return out.Bytes(), nil
}
