package harness

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nodefv/nodefv/infra"
	"github.com/nodefv/nodefv/metrics"
)

// driven is what a driver says: its own words, what Ginkgo says, a status and the end of a scenario.
func driven(t *testing.T, l *liveWriter) {
	t.Helper()
	var said bytes.Buffer
	fmt.Fprintf(&said, "Running Suite: nodefv\nSSS%sone ▸ deploy\n•", infra.LivePrefix)
	infra.Told{Scenario: "one", Verdict: metrics.Fail, Took: 1500 * time.Millisecond, Number: 2, Of: 11}.Tell(&said)
	said.WriteString("[FAILED] rest")
	for _, b := range said.Bytes() { // in pieces
		if _, err := l.Write([]byte{b}); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

const ended = " 2/11  fail          one                                      1.5s\n"

func TestLiveWriterTellsTheUserWhatIsForHim(t *testing.T) {
	var out bytes.Buffer
	driven(t, &liveWriter{out: &out, status: newStatus(&out, Screen{})})
	if out.String() != ended {
		t.Errorf("got %q, want %q", out.String(), ended)
	}
	out.Reset()
	driven(t, &liveWriter{out: &out, status: newStatus(&out, Screen{}), all: true})
	if want := "Running Suite: nodefv\n" + ended + "[FAILED] rest\n"; out.String() != want {
		t.Errorf("all that is said: got %q, want %q", out.String(), want)
	}
	out.Reset()
	screen := Screen{Width: func() int { return 8 }}
	driven(t, &liveWriter{out: besideStatus{newStatus(&out, screen), &out}, status: newStatus(&out, screen)})
	if want := "\r\x1b[Kone ▸ …"; !strings.HasPrefix(out.String(), want) {
		t.Errorf("on a narrow terminal: got %q, want first %q", out.String(), want)
	}
}

func TestFitting(t *testing.T) {
	const text = "3/12 pod churn ▸ churn  waits for routes (3 of 80)  cpu 40%"
	for columns, want := range map[int]string{
		80: text, 59: text, 58: "3/12 pod churn ▸ churn  waits for routes (3 of 80)", 50: "3/12 pod churn ▸ churn  waits for routes (3 of 80)", 49: "3/12 pod churn ▸ churn  waits for routes (3 of 8…",
		30: "3/12 pod churn ▸ churn", 5: "3/12…", 1: "…", 0: "…",
	} {
		if got := fitting(text, columns); got != want {
			t.Errorf("%d columns: got %q, want %q", columns, got, want)
		}
	}
}

func TestStatus(t *testing.T) {
	var out bytes.Buffer
	s := newStatus(&out, Screen{})
	s.show("too soon")
	s.last = time.Now().Add(-2 * statusEvery)
	s.show("due")
	s.show("too soon again")
	if out.String() != "due\n" {
		t.Errorf("a plain log shows %q", out.String())
	}
	out.Reset()
	s = newStatus(&out, Screen{Width: func() int { return 80 }})
	s.show("going on")
	fmt.Fprintln(besideStatus{s, &out}, "a line")
	fmt.Fprintln(besideStatus{s, &out}, "another")
	if want := "\r\x1b[Kgoing on\r\x1b[Ka line\nanother\n"; out.String() != want {
		t.Errorf("a terminal shows %q, want %q", out.String(), want)
	}
}

func TestScreenOfAFile(t *testing.T) {
	of := func(variables map[string]string) Screen {
		return ScreenOf(&bytes.Buffer{}, func(name string) string { return variables[name] })
	}
	if s := of(map[string]string{"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": "/summary"}); !s.Actions || s.Summary != "/summary" || s.Width != nil || s.Colours {
		t.Errorf("in GitHub Actions: %+v", s)
	}
	if s := of(map[string]string{"GITLAB_CI": "true"}); !s.GitLab || s.Actions || s.Width != nil || s.Colours {
		t.Errorf("in GitLab: %+v", s)
	}
	if s := of(map[string]string{"GITHUB_STEP_SUMMARY": "/summary"}); s.Actions || s.GitLab || s.Summary != "" {
		t.Errorf("elsewhere: %+v", s)
	}
	if got := (Screen{Colours: true}).verdict(metrics.Fail, 6); got != "\x1b[31;1mfail  \x1b[0m" {
		t.Errorf("in colours: %q", got)
	}
}
