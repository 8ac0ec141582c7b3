package main

import (
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/nodefv/nodefv/fv/harness"
	"github.com/nodefv/nodefv/scenarios/faults"
)

func TestEachFaultIsChosenOrSkipped(t *testing.T) {
	for _, target := range []string{"felix", "kube-router", "traefik"} {
		chosen, skipped, err := choose(harness.Options{Target: target}, regexp.MustCompile(""))
		if err != nil {
			t.Fatal(err)
		}
		n := len(chosen)
		for _, s := range skipped {
			n += len(s.names)
			for line := range strings.Lines(s.String()) {
				if utf8.RuneCountInString(line) > 81 {
					t.Errorf("%s: a long line: %s", target, line)
				}
			}
		}
		if n != len(faults.All()) || len(chosen) == 0 || len(skipped) == 0 {
			t.Errorf("%s: %d chosen, %v skipped, of %d", target, len(chosen), skipped, len(faults.All()))
		}
	}
}

func TestFoundFitsATerminal(t *testing.T) {
	got := found(strings.Repeat("wórds of it ", 30)+"\nmore", "out/a")
	if !strings.HasSuffix(got, "…\n        record: out/a\n") || !utf8.ValidString(got) || strings.Contains(got, "more") {
		t.Errorf("got %q", got)
	}
	for line := range strings.Lines(got) {
		if n := utf8.RuneCountInString(line) - 1; n > 80 || !strings.HasPrefix(line, "        ") {
			t.Errorf("%d columns: %s", n, line)
		}
	}
}
