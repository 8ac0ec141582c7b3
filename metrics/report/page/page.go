// Package page makes the page of a run: one HTML file that needs nothing besides itself, and plots as SVG files.
//
// It owns how a run looks. What is to be seen comes to it as words, numbers and times (Page, Timeline, Chart, Strips); it knows no
// record and judges nothing. Everything in it is plain data and pure functions.
package page

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"html/template"
	"io"
	"slices"
)

// Page is the page of a run.
type Page struct {
	Run          string // its identifier
	Verdict      string // "pass", "fail", "inconclusive" or "skip"
	Reason       string
	Lead         []string // what was run and when, in short
	Degraded     string   // what it means that figures are not to be believed; empty: they can be
	Degradations []string // why which are not
	Counts       []Count  // of the scenarios, by verdict

	Scenarios []Scenario // those that failed first
	Skipped   []Skips    // the others
	Strays    []Death    // of containers, outside of all scenarios
	Remarks   []string   // what known issues excused, and why something was not
	Whole     *Timeline  // of the run; nil: nothing was recorded
	Measured  []Measured
	Notes     []string // of the user
	Facts     []Fact   // what was run, with what, and where
	Series    Points
	Note      string // of the series, such as that they are thinned out
}

// Count is how many scenarios have a verdict.
type Count struct {
	Verdict string
	N       int
}

// Fact is a property of the run with its value.
type Fact struct{ Name, Value string }

// Scenario is one scenario of the run.
type Scenario struct {
	ID                         string // unique on the page
	Name, Doc, Verdict, Reason string
	Broken                     bool   // it neither passed nor was skipped
	Degraded                   string // why its figures are not to be believed; empty: they can be
	Took, Heap, RSS, CPU       string
	Packets                    string // how many were judged, and how sharply
	Repeat                     string // the command that repeats it
	Deaths                     []Death
	Failures                   []Failure
	Connections                *Connections
	Leak                       *Leak
	Budgets                    []Budget
	Courses                    []Course
	Remarks                    []string
	Steps                      []Step
	MoreSteps                  int       // that are not listed
	Timeline                   *Timeline // nil: it was not run
}

// Skips are scenarios that were skipped for the same reason.
type Skips struct{ Title, Verdict, Reason, Names string }

// Course is how something of the scenario went.
type Course struct {
	Doc   string
	Lines Lines
}

// Death is the end of a container.
type Death struct {
	Text string
	Log  []string
}

// Failure is a finding that is not as it must be.
type Failure struct {
	Title, Extent string
	Differences   []Difference
	More          int    // differences that are not listed
	Around        string // which operations are listed
	Operations    []Operation
	Log           []string // what the agent logged meanwhile
}

// Difference is one fact on which model and world disagree.
type Difference struct {
	Fact, Want, Got string
	When            string   // empty: when it was looked at
	Changes         []string // that were under way
}

// Operation is a batch of equal changes.
type Operation struct {
	At, Step, What, Objects, Took, Error string
}

// Connections is the table of connections between pods.
type Connections struct {
	Chosen, Extent string
	Pods           []string
	Rows           [][]Connection
	Differing      []Difference
	More           int
}

// Connection is what became of the flows from one pod to another. The sign is "": none was tried; ".": all are as they must be; "+": one passes
// and must not; "-": one is dropped and must pass; "?": something else.
type Connection struct{ Sign, Text string }

// Budget is the limit on a gauge, and how it was kept.
type Budget struct{ Verdict, Text string }

// Step is one execution of a step, with what was done and found in it.
type Step struct{ Name, Began, Took, Operations, Checks, Verdict string }

// Measured is what was measured under one name.
type Measured struct {
	Title, Doc string
	Heads      []Head
	Rows       [][]string
	Strips     *Strips // nil: there are too few values to draw
}

// Head is the head of a column.
type Head struct {
	Text   string
	Number bool // the column holds numbers
}

//go:embed page.html
var source string

//go:embed page.css
var css string

//go:embed page.js
var script string

// uPlot 1.6.32, see uplot/LICENSE.
var (
	//go:embed uplot/uPlot.min.css
	chartCSS string
	//go:embed uplot/uPlot.min.js
	chartScript string
)

var layout = template.Must(template.New("page").Parse(source))

// Write writes the page.
func (p Page) Write(w io.Writer) error {
	data, err := json.Marshal(p.data()) // it escapes what could end the element
	if err != nil {
		return fmt.Errorf("write the page: %w", err)
	}
	var b bytes.Buffer
	err = layout.Execute(&b, struct {
		Page
		CSS    template.CSS
		Script template.JS
		Data   template.JS
	}{p, template.CSS(chartCSS + "\n" + css), template.JS(chartScript + "\n" + script), template.JS(data)})
	if err != nil {
		return fmt.Errorf("write the page: %w", err)
	}
	_, err = w.Write(b.Bytes())
	return err
}

// data is what the script draws.
func (p Page) data() any {
	lines := map[string]*Timeline{}
	if p.Whole != nil {
		lines["run"] = p.Whole
	}
	for _, sc := range p.Scenarios {
		if sc.Timeline != nil {
			lines[sc.ID] = sc.Timeline
		}
	}
	return struct {
		Points
		Timelines map[string]*Timeline `json:"timelines"`
	}{p.Series, lines}
}

// Broken reports whether a scenario neither passed nor was skipped.
func (p Page) Broken() bool {
	return slices.ContainsFunc(p.Scenarios, func(sc Scenario) bool { return sc.Broken })
}
