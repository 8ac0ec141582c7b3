package report

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/nodefv/nodefv/metrics"
	"github.com/nodefv/nodefv/metrics/leak"
)

// TestTableFitsATerminal wants every sentence within the terminal's width, and as it was said: without Markdown's escapes.
func TestTableFitsATerminal(t *testing.T) {
	long := strings.Repeat("some_words of [it] ", 12)
	rec := Record{Reason: long, Run: Run{Unexcused: long}, Scenarios: []Scenario{{
		Name: "a", Verdict: metrics.Fail, Reason: long, Unexcused: long, Findings: []Finding{{Name: "b", Note: long}}, Leak: &leak.Trial{Churn: "pods", Thing: "pod"},
	}}}
	var b bytes.Buffer
	if err := Table(&b, rec, "runs"); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(b.String()) {
		if n := utf8.RuneCountInString(strings.TrimSpace(line)); n > tableWidth || strings.Contains(line, `\`) {
			t.Errorf("%d columns: %s", n, line)
		}
	}
}

func TestTableOfARunWithoutAScenario(t *testing.T) {
	var b bytes.Buffer
	if err := Table(&b, Record{Reason: "interrupted"}, "runs"); err != nil || b.String() != "inconclusive: interrupted\n" {
		t.Errorf("got %q, %v", b.String(), err)
	}
}

func TestCellIsShownAsItIs(t *testing.T) {
	if got, want := cell("a&lt;b ~~c~~ <d>|_e_"), `a&amp;lt;b \~\~c\~\~ &lt;d>\|\_e\_`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
