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

func TestLastWordsOfAnyLength(t *testing.T) {
	stacks := strings.Repeat("main.f()\n", 1<<17) // more than a megabyte of them
	c := &fakeCont{log: "starting\nSIGABRT: abort\nPC=0x4974e1\n" + stacks}
	if got := lastWords(t.Context(), c); len(got) != wordsLen || got[0] != "SIGABRT: abort" {
		t.Errorf("%d lines: %q", len(got), got)
	}
	c.log = strings.Repeat("x", 1<<20) + "\nunended"
	if got := lastWords(t.Context(), c); len(got) != 2 || len(got[0]) != 4<<10 || got[1] != "unended" {
		t.Errorf("%d lines", len(got))
	}
}
