package infra

import (
	"strings"
	"testing"
)

func TestSkipping(t *testing.T) {
	var to strings.Builder
	s := &skipping{to: &to, left: 5}
	for _, part := range []string{"ab", "cd", "efg", "h"} {
		if n, err := s.Write([]byte(part)); n != len(part) || err != nil {
			t.Errorf("%q: %d, %v", part, n, err)
		}
	}
	if to.String() != "fgh" {
		t.Errorf("got %q", to.String())
	}
}
