package harness

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/term"

	"github.com/nodefv/nodefv/infra"
	"github.com/nodefv/nodefv/infra/build"
)

// statusEvery is how often the live line is printed where it can't be rewritten in place.
const statusEvery = 10 * time.Second

// liveWriter passes the driver's output on and shows its status lines: in place on a terminal, else now and then.
// It is for one goroutine.
type liveWriter struct {
	out      io.Writer
	terminal bool
	pending  []byte
	shown    bool
	last     time.Time
}

func newLiveWriter(out io.Writer) *liveWriter {
	return &liveWriter{out: out, terminal: terminal(out), last: time.Now()}
}

func terminal(out io.Writer) bool {
	file, ok := out.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

// Write takes whole and partial lines.
func (l *liveWriter) Write(p []byte) (int, error) {
	l.pending = append(l.pending, p...)
	for {
		i := bytes.IndexByte(l.pending, '\n')
		if i < 0 {
			return len(p), nil
		}
		if err := l.line(l.pending[:i]); err != nil {
			return 0, err
		}
		l.pending = l.pending[i+1:]
	}
}

func (l *liveWriter) line(line []byte) error {
	before, status, isStatus := bytes.Cut(line, []byte(infra.LivePrefix)) // Ginkgo may have begun the line
	var err error
	switch {
	case isStatus && l.terminal:
		_, err = fmt.Fprintf(l.out, "\r\x1b[K%s%s", before, status)
		l.shown = true
	case isStatus:
		if time.Since(l.last) >= statusEvery {
			l.last = time.Now()
			_, err = fmt.Fprintf(l.out, "%s%s\n", before, status)
		}
	default:
		if l.shown {
			_, _ = io.WriteString(l.out, "\r\x1b[K")
			l.shown = false
		}
		_, err = fmt.Fprintf(l.out, "%s\n", line)
	}
	return err
}

// Close writes what is left of an unfinished line.
func (l *liveWriter) Close() error {
	if len(l.pending) == 0 {
		return nil
	}
	line := l.pending
	l.pending = nil
	return l.line(line)
}

// reportBuild tells how a build goes.
func (h *Harness) reportBuild(e build.Event) {
	if e.Done && e.Elapsed < 500*time.Millisecond {
		return // nothing was built
	}
	if e.Done {
		fmt.Fprintf(h.cfg.Progress, "  %-10s %s in %.1fs\n", e.Component, e.Action, e.Elapsed.Seconds())
		return
	}
	fmt.Fprintf(h.cfg.Progress, "  %-10s %s …\n", e.Component, e.Action)
}
