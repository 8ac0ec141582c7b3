package main

import (
	"strings"
	"testing"
	"unicode/utf8"
)

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
