package harness

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// group begins a part of a log that GitHub Actions or GitLab folds, until the function that it returns is called; elsewhere it does nothing.
func (s Screen) group(out io.Writer, title string) (end func()) {
	switch {
	case s.Actions:
		fmt.Fprintf(out, "::group::%s\n", escapedData(title))
		return func() { fmt.Fprintln(out, "::endgroup::") }
	case s.GitLab:
		begun := time.Now()
		// A name may be in a job's log once only, and the job may call fv again.
		name := fmt.Sprintf("fv_%s_%d", strings.ReplaceAll(title, " ", "_"), begun.UnixNano())
		fmt.Fprintf(out, "\x1b[0Ksection_start:%d:%s[collapsed=true]\r\x1b[0K%s\n", begun.Unix(), name, title)
		return func() { fmt.Fprintf(out, "\x1b[0Ksection_end:%d:%s\r\x1b[0K\n", time.Now().Unix(), name) }
	}
	return func() {}
}
