package harness

import (
	"bytes"
	"testing"
	"time"

	"github.com/nodefv/nodefv/infra"
)

func TestLiveWriterPassesOnAllButStatusLines(t *testing.T) {
	var out bytes.Buffer
	l := newLiveWriter(&out)
	for _, part := range []string{"one\n•", infra.LivePrefix + "first status\ntw", "o\nrest"} {
		if _, err := l.Write([]byte(part)); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if got, want := out.String(), "one\ntwo\nrest\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	out.Reset()
	l.last = time.Now().Add(-2 * statusEvery)
	if _, err := l.Write([]byte(infra.LivePrefix + "later status\n")); err != nil || out.String() != "later status\n" {
		t.Errorf("a status that is due: %q, %v", out.String(), err)
	}
}
