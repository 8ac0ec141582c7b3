package page

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"
)

func TestLines(t *testing.T) {
	l := Lines{Title: "a < b", Unit: "ms", Every: 0.1, Lines: []Line{
		{"P50", []float64{0, 0.1, 0.5, 0.6}, []float64{1, 2, 3, 4}},
		{"P99", []float64{0.3}, []float64{9}},
		{"nothing", nil, nil},
	}}
	var b bytes.Buffer
	if err := l.Write(&b); err != nil {
		t.Fatal(err)
	}
	d := xml.NewDecoder(bytes.NewReader(b.Bytes()))
	var paths []string
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("it is no XML: %v\n%s", err, b.String())
		}
		if e, ok := token.(xml.StartElement); ok && e.Name.Local == "path" {
			for _, a := range e.Attr {
				if a.Name.Local == "d" && strings.Contains(a.Value, "h0") {
					paths = append(paths, a.Value)
				}
			}
		}
	}
	if len(paths) != 2 || strings.Count(paths[0], "M") != 2 || strings.Count(paths[1], "M") != 1 {
		t.Errorf("a line is broken where nothing is known, and nowhere else; got %q", paths)
	}
	if !strings.Contains(b.String(), "a &lt; b") {
		t.Error("the title is missing")
	}
}

// TestLevelStretchesAreShort wants the ends of a level stretch alone, and every other point.
func TestLevelStretchesAreShort(t *testing.T) {
	l := Lines{Every: 1, Lines: []Line{{"x", []float64{0, 1, 2, 3, 4, 5, 9, 10, 11}, []float64{0, 5, 5, 5, 5, 7, 7, 7, 7}}}}
	same := func(v float64) float64 { return v }
	if got, want := l.path(l.Lines[0], same, scale{0, 1, 0, 1}), "M0.0 0.0h0L1.0 5.0H4.0L5.0 7.0M9.0 7.0h0H11.0"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestLinesOfShares(t *testing.T) {
	l := Lines{Shares: true, Lines: []Line{{"x", []float64{0, 0.9, 0.99, 0.999}, []float64{1, 1, 2, 3}}}}
	x := l.xAxis()
	if a, b := x(0.99)-x(0.9), x(0.999)-x(0.99); a < b-1e-6 || a > b+1e-6 {
		t.Errorf("the rare get %v, the frequent %v", b, a)
	}
	if out := string(l.Inline()); !strings.Contains(out, ">99.9 %<") || strings.Contains(out, "<style>") {
		t.Errorf("got %s", out)
	}
}
