package report

import (
	"cmp"
	"encoding/xml"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/nodefv/nodefv/metrics"
)

// JUnit is for CI systems. A fail is a failure, an inconclusive scenario an error. A run that is worse than its
// scenarios has a test case of its own, called "run", so that a reader of the file alone is not misled.
type JUnit struct{}

// File returns "junit.xml".
func (JUnit) File() string { return "junit.xml" }

type junitSuites struct {
	XMLName xml.Name   `xml:"testsuites"`
	Suite   junitSuite `xml:"testsuite"`
}

type junitSuite struct {
	Name       string          `xml:"name,attr"`
	Tests      int             `xml:"tests,attr"`
	Failures   int             `xml:"failures,attr"`
	Errors     int             `xml:"errors,attr"`
	Skipped    int             `xml:"skipped,attr"`
	Time       string          `xml:"time,attr"`
	Timestamp  string          `xml:"timestamp,attr"`
	Properties []junitProperty `xml:"properties>property"`
	Cases      []junitCase     `xml:"testcase"`
}

type junitProperty struct {
	Name  string `xml:"name,attr"`
	Value string `xml:"value,attr"`
}

type junitCase struct {
	Name    string       `xml:"name,attr"`
	Class   string       `xml:"classname,attr"`
	File    string       `xml:"file,attr,omitempty"`
	Line    string       `xml:"line,attr,omitempty"`
	Time    string       `xml:"time,attr"`
	Failure *junitResult `xml:"failure,omitempty"`
	Error   *junitResult `xml:"error,omitempty"`
	Skipped *junitResult `xml:"skipped,omitempty"`
	Output  string       `xml:"system-out,omitempty"`
}

type junitResult struct {
	Message string `xml:"message,attr"`
	Text    string `xml:",chardata"`
}

// Write writes XML.
func (JUnit) Write(w io.Writer, rec Record) error {
	r := rec.Run
	s := junitSuite{
		Name: "nodefv", Time: seconds(max(r.Ended.Sub(r.Started), 0)), Timestamp: r.Started.UTC().Format("2006-01-02T15:04:05"),
		Properties: []junitProperty{
			{"run", plain(r.ID)}, {"target", plain(r.Target)}, {"runtime", plain(r.Runtime)},
			{"seed", fmt.Sprint(r.Seed)}, {"command", plain(strings.ReplaceAll(r.Command, " --focus "+Focus, ""))},
		},
	}
	if rec.Validity != "" {
		s.Properties = append(s.Properties, junitProperty{"validity", plain(rec.Validity)})
	}
	if r.Unexcused != "" {
		s.Properties = append(s.Properties, junitProperty{"unexcused", plain(r.Unexcused)})
	}
	var verdicts []metrics.Verdict
	for _, sc := range rec.Scenarios {
		text := rec.details(sc)
		if sc.Verdict != metrics.Pass && r.Command != "" {
			text = append(text, "to repeat it: "+plain(r.Repeat(sc.Name)))
		}
		for _, f := range rec.diagnostics(sc.Name) {
			text = append(text, "diagnostics: "+f)
		}
		s.add(sc.Name, sc.Duration(), sc.Verdict, cmp.Or(sc.Reason, sc.Skipped), text)
		c := &s.Cases[len(s.Cases)-1]
		c.place(r.Target, sc.Source)
		output := append(sc.Remarks(), sc.Measured()...)
		if Degraded(sc.Validity) {
			output = append([]string{plain(sc.Validity)}, output...)
		}
		c.Output = strings.Join(output, "\n")
		verdicts = append(verdicts, sc.Verdict)
	}
	if len(verdicts) == 0 || metrics.Worst(verdicts...) != rec.Verdict {
		var text []string
		for _, e := range rec.strays() {
			text = append(text, e.lines(rec.Run.Target)...)
		}
		s.add("run", 0, rec.Verdict, rec.Reason, text)
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	enc := xml.NewEncoder(w)
	enc.Indent("", "  ")
	if err := enc.Encode(junitSuites{Suite: s}); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}

// place names the file that the case is written in, and after it and the SUT its class.
func (c *junitCase) place(target, source string) {
	file, line := SourceLine(source)
	c.File, c.Line = file, line
	for _, part := range []string{target, strings.ReplaceAll(strings.TrimSuffix(file, ".go"), "/", ".")} {
		if part != "" {
			c.Class += "." + plain(part)
		}
	}
}

// SourceLine splits a scenario's source into file and line.
func SourceLine(source string) (file, line string) {
	i := strings.LastIndexByte(source, ':')
	if i < 0 {
		return source, ""
	}
	return source[:i], source[i+1:]
}

func (s *junitSuite) add(name string, took time.Duration, v metrics.Verdict, reason string, text []string) {
	c := junitCase{Name: plain(name), Class: "nodefv", Time: seconds(took)}
	result := &junitResult{Message: plain(reason), Text: strings.Join(text, "\n")}
	switch v {
	case metrics.Pass:
	case metrics.Fail:
		c.Failure, s.Failures = result, s.Failures+1
	case metrics.Skip:
		result.Text = ""
		c.Skipped, s.Skipped = result, s.Skipped+1
	default:
		c.Error, s.Errors = result, s.Errors+1
	}
	s.Tests++
	s.Cases = append(s.Cases, c)
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.3f", d.Seconds()) }
