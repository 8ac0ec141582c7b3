// Package mutants measures what the tester finds: small bugs put into a SUT's source, which of them the suite, the fuzzer and the leak
// test catch, how soon, and whether the first line told names the cause.
//
// A mutant is data. All mutants of a SUT are woven into one binary, each behind a guard that the environment opens, so that one build
// serves the whole table. What caught a mutant is a pure function of the run's record. The package knows no SUT and starts nothing.
package mutants

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Class says what a mutant breaks.
type Class string

// The classes. What the kernel is told is wrong with the first two alone.
const (
	FailOpen   Class = "fail-open"  // packets pass that must not
	Programmed Class = "programmed" // rules, sets, routes or settings in the kernel are wrong otherwise, or left over
	Gauge      Class = "gauge"      // what the SUT says of itself is wrong: a metric, a file of its state
	Leak       Class = "leak"       // the SUT, or the kernel's table of connections, keeps what is of no more use
	Equivalent Class = "equivalent" // nothing can tell it from the SUT without it
)

// Classes lists the classes in the order of tables.
var Classes = []Class{FailOpen, Programmed, Gauge, Leak, Equivalent}

// Mutant is one bug.
type Mutant struct {
	Name  string // unique: lower case words joined by hyphens
	Bug   string // what is wrong, in a line, as a maintainer would put it
	Class Class
	// Cause matches a first line told that names the cause; empty only for an equivalent.
	Cause string
	Edits []Edit
	// Why is the reason for which an equivalent is one, or empty.
	Why string
}

// Edit is a place in the source of the module and what stands there instead.
type Edit struct {
	File string // path in the module
	Old  string // must be there exactly once
	// New is Go in which On stands for the condition that this mutant is chosen, and Original for Old. Without the mutant it must do what Old does.
	New string
}

// What stands in an edit's New for other text.
const (
	On       = "$on"
	Original = "$old"
)

// Table is the mutants of one SUT.
type Table struct {
	Component string // of infra/build, whose binary is altered
	Module    string // whose source is edited
	Mutants   []Mutant
}

var name = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)

// Check reports everything that is wrong with the table itself.
func (t Table) Check() error {
	var errs []error
	seen := map[string]bool{Control: true}
	for _, m := range t.Mutants {
		if err := m.check(); err != nil {
			errs = append(errs, fmt.Errorf("mutant %s: %w", m.Name, err))
		}
		if seen[m.Name] {
			errs = append(errs, fmt.Errorf("mutant %s: the name is not unique", m.Name))
		}
		seen[m.Name] = true
	}
	return errors.Join(errs...)
}

func (m Mutant) check() error {
	switch {
	case !name.MatchString(m.Name):
		return errors.New("the name must be lower case words joined by hyphens")
	case m.Bug == "" || strings.Contains(m.Bug, "\n"):
		return errors.New("the bug must be told in one line")
	case !slices.Contains(Classes, m.Class):
		return fmt.Errorf("there is no class %q", m.Class)
	case (m.Class == Equivalent) != (m.Why != "") || (m.Class == Equivalent) != (m.Cause == ""):
		return errors.New("an equivalent has a reason and no cause, any other a cause and no reason")
	case len(m.Edits) == 0:
		return errors.New("it edits nothing")
	}
	for _, e := range m.Edits {
		if !strings.Contains(e.New, On) {
			return fmt.Errorf("%s: the new text does not depend on %s", e.File, On)
		}
	}
	_, err := regexp.Compile(m.Cause)
	return err
}

// Digest names what the mutant does: equal digests, equal edits.
func (m Mutant) Digest() string {
	h := sha256.New()
	fmt.Fprintf(h, "%q", m.Edits)
	return hex.EncodeToString(h.Sum(nil))[:16]
}
