package harness

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/nodefv/nodefv/infra"
	"github.com/nodefv/nodefv/infra/build"
)

// liveWriter takes the driver's output: it shows the status lines and what the driver tells, and leaves the rest to the driver's log
// unless everything is wanted. It is for one goroutine, but for hear.
type liveWriter struct {
	out     io.Writer
	screen  Screen
	status  *status
	label   string // before each status
	all     bool
	pending []byte
	hears   atomic.Int64 // until then everything is passed on; Unix time in nanoseconds
}

// hear passes everything on for a second: the answer to a signal, say.
func (l *liveWriter) hear() { l.hears.Store(time.Now().Add(time.Second).UnixNano()) }

// Write takes whole and partial lines.
func (l *liveWriter) Write(p []byte) (n int, err error) {
	l.pending, err = whole(append(l.pending, p...), l.line)
	return len(p), err
}

func (l *liveWriter) line(line []byte) error {
	if _, status, ok := bytes.Cut(line, []byte(infra.LivePrefix)); ok { // Ginkgo may have begun the line
		l.status.show(l.label + string(status))
		return nil
	}
	var err error
	if told, ok := infra.ReadTold(line); ok {
		_, err = fmt.Fprintln(l.out, l.screen.told(told))
	} else if l.all || time.Now().UnixNano() < l.hears.Load() {
		_, err = fmt.Fprintf(l.out, "%s\n", line)
	}
	return err
}

// told is what the driver tells, as a line.
func (s Screen) told(t infra.Told) string {
	if t.Scenario == "" {
		return t.Remark
	}
	of := ""
	if t.Of > 1 {
		of = fmt.Sprintf("%*d/%d  ", len(fmt.Sprint(t.Of)), t.Number, t.Of)
	}
	return fmt.Sprintf("%s%s  %-36s %7.1fs", of, s.verdict(t.Verdict, len("inconclusive")), t.Scenario, t.Took.Seconds())
}

// Close writes what is left of an unfinished line, and takes the status away.
func (l *liveWriter) Close() error {
	defer l.status.clear()
	line := l.pending
	l.pending = nil
	if len(line) == 0 {
		return nil
	}
	return l.line(line)
}

// reportBuild tells how a build goes.
func (h *Harness) reportBuild(e build.Event) {
	if end, ok := h.building.LoadAndDelete(e.Component); ok {
		end.(func())()
	}
	switch {
	case !e.Done:
		fmt.Fprintf(h.cfg.Progress, "  %-10s %s …\n", e.Component, e.Action)
		h.building.Store(e.Component, h.status.during(fmt.Sprintf("  %-10s %s", e.Component, e.Action)))
	case e.Elapsed >= 500*time.Millisecond: // else nothing was built
		fmt.Fprintf(h.cfg.Progress, "  %-10s %s in %.1fs\n", e.Component, e.Action, e.Elapsed.Seconds())
	}
}

// answers lets the driver's answers to SIGUSR1, which tell where it is, pass until the function that it returns is called.
func (l *liveWriter) answers() (end func()) {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGUSR1)
	go func() {
		for range signals {
			l.hear()
		}
	}()
	return func() { signal.Stop(signals); close(signals) }
}
