package infra

import (
	"fmt"
	"strings"
	"testing"
)

func TestLastWords(t *testing.T) {
	var chatter strings.Builder
	for i := range 50_000 {
		fmt.Fprintf(&chatter, "line %d\n", i)
	}
	c := &fakeCont{log: chatter.String()}
	if got := lastWords(t.Context(), c); len(got) != wordsLen || got[wordsLen-1] != "line 49999" {
		t.Errorf("%d lines: %q", len(got), got)
	}
	c.log += "panic: nil map\n\ngoroutine 1 [running]:\n" + strings.Repeat("main.f()\n", 100)
	if got := lastWords(t.Context(), c); len(got) != wordsLen || got[0] != "panic: nil map" {
		t.Errorf("%d lines: %q", len(got), got)
	}
}

func TestTailIsBounded(t *testing.T) {
	var log tail
	for range 10_000 {
		fmt.Fprintln(&log, strings.Repeat("x", 99))
	}
	if len(log) > 128<<10 || len(log) < 64<<10 {
		t.Errorf("it holds %d bytes", len(log))
	}
}
