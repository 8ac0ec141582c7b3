package harness

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nodefv/nodefv/metrics"
	"github.com/nodefv/nodefv/metrics/report"
)

func TestAnnotations(t *testing.T) {
	rec := report.Record{Scenarios: []report.Scenario{
		{Name: "fine", Verdict: metrics.Pass, Validity: "degraded: the driver, it could not run", Source: "scenarios/fine.go:1"},
		{Name: "a: b, c", Verdict: metrics.Fail, Reason: "50% lost\nall of them", Source: "scenarios/pod_churn.go:15"},
		{Name: "open", Verdict: metrics.Inconclusive, Reason: "too weak"},
		{Name: "not here", Verdict: metrics.Skip, Skipped: "no"},
	}}
	summary := filepath.Join(t.TempDir(), "summary.md")
	if err := os.WriteFile(summary, []byte("of another step\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := (Screen{Actions: true, Summary: summary}).annotate(&out, rec); err != nil {
		t.Fatal(err)
	}
	want := "::error file=scenarios/pod_churn.go,line=15,title=fail%3A a%3A b%2C c::50%25 lost%0Aall of them\n::error title=inconclusive%3A open::too weak\n::warning title=figures of fine::degraded: the driver, it could not run\n"
	if out.String() != want {
		t.Errorf("got\n%swant\n%s", out.String(), want)
	}
	if said, err := os.ReadFile(summary); err != nil || !strings.HasPrefix(string(said), "of another step\n# Run ") {
		t.Errorf("%v: the summary is %s", err, said)
	}
	out.Reset()
	if err := (Screen{}).annotate(&out, rec); err != nil || out.Len() > 0 {
		t.Errorf("not in GitHub Actions: %v, %s", err, out.String())
	}
}
