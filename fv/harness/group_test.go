package harness

import (
	"bytes"
	"fmt"
	"regexp"
	"testing"
)

func TestGroups(t *testing.T) {
	told := func(s Screen) string {
		var out bytes.Buffer
		end := s.group(&out, "the environment")
		fmt.Fprintln(&out, "a line")
		end()
		return out.String()
	}
	if got, want := told(Screen{}), "a line\n"; got != want {
		t.Errorf("a plain log: %q", got)
	}
	if got, want := told(Screen{Actions: true}), "::group::the environment\na line\n::endgroup::\n"; got != want {
		t.Errorf("GitHub: %q", got)
	}
	// As GitLab's documentation of custom collapsible sections has it.
	section := regexp.MustCompile(`^\x1b\[0Ksection_start:\d{10}:([a-z0-9_]+)\[collapsed=true\]\r\x1b\[0Kthe environment\na line\n\x1b\[0Ksection_end:\d{10}:([a-z0-9_]+)\r\x1b\[0K\n$`)
	names := map[string]bool{}
	for range 2 {
		m := section.FindStringSubmatch(told(Screen{GitLab: true}))
		if m == nil || m[1] != m[2] || names[m[1]] {
			t.Fatalf("GitLab: %q", m)
		}
		names[m[1]] = true
	}
}
