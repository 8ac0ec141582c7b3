package harness

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"

	"github.com/nodefv/nodefv/metrics"
)

// Screen is where what a harness tells is read. The zero Screen is a plain log.
type Screen struct {
	Width   func() int // of a terminal whose lines can be written over, in columns; nil: there is none
	Colours bool       // a terminal shows them
	Actions bool       // GitHub Actions reads the log: it knows groups and annotations
	GitLab  bool       // GitLab reads the log: it knows sections
	Summary string     // file to which the run's summary is added, for GitHub Actions to show; empty: none
}

// ScreenOf is the screen that a file shows its text on. Variables are those of the environment that terminals and CI systems set.
func ScreenOf(out io.Writer, variable func(string) string) Screen {
	s := Screen{Actions: variable("GITHUB_ACTIONS") == "true", GitLab: variable("GITLAB_CI") == "true"}
	if s.Actions {
		s.Summary = variable("GITHUB_STEP_SUMMARY")
	}
	file, ok := out.(*os.File)
	if !ok || !term.IsTerminal(int(file.Fd())) || variable("TERM") == "dumb" {
		return s
	}
	s.Colours = variable("NO_COLOR") == ""
	s.Width = func() int {
		columns, _, err := term.GetSize(int(file.Fd()))
		if err != nil || columns < 1 { // a terminal that does not say
			return 80
		}
		return columns
	}
	return s
}

// verdict is a verdict in so many columns.
func (s Screen) verdict(v metrics.Verdict, columns int) string {
	text := fmt.Sprintf("%-*s", columns, v)
	colour, ok := map[metrics.Verdict]string{metrics.Pass: "32", metrics.Fail: "31;1", metrics.Inconclusive: "33", metrics.Skip: "2"}[v]
	if !s.Colours || !ok {
		return text
	}
	return "\x1b[" + colour + "m" + text + "\x1b[0m"
}

// statusEvery is how often the status is told where lines follow each other, and moveEvery where it can be written over.
const (
	statusEvery = 30 * time.Second
	moveEvery   = time.Second
)

// status is a line that tells how far something is: in place on a terminal, else a line now and then. It is safe for concurrent use.
type status struct {
	out   io.Writer
	width func() int

	mu    sync.Mutex
	shown bool
	last  time.Time // of a line that was told
}

func newStatus(out io.Writer, s Screen) *status {
	return &status{out: out, width: s.Width, last: time.Now()}
}

// show tells how far something is.
func (s *status) show(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.width != nil {
		fmt.Fprintf(s.out, "\r\x1b[K%s", fitting(text, s.width()-1)) // one less: some terminals wrap at a full line
		s.shown = true
	} else if time.Since(s.last) >= statusEvery {
		s.last = time.Now()
		fmt.Fprintln(s.out, text)
	}
}

// partGap stands between the parts of a status.
const partGap = "  "

// fitting cuts a text to so many columns: where a part of it ends, two columns before the next, if that leaves half of the line at least.
func fitting(text string, columns int) string {
	runes := []rune(text)
	if len(runes) <= columns {
		return text
	}
	for end := columns; end > columns/2; end-- {
		if strings.HasPrefix(string(runes[end:]), partGap) {
			return string(runes[:end])
		}
	}
	return string(runes[:max(columns-1, 0)]) + "…"
}

// during shows what is done, and for how long, until it has ended.
func (s *status) during(what string) (ended func()) {
	begun, done, stopped := time.Now(), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		tick := time.NewTicker(moveEvery)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				s.show(fmt.Sprintf("%s … %.0fs", what, time.Since(begun).Seconds()))
			case <-done:
				return
			}
		}
	}()
	return func() { close(done); <-stopped; s.clear() }
}

// clear takes the status away.
func (s *status) clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clearNow()
}

func (s *status) clearNow() {
	if s.shown {
		_, _ = io.WriteString(s.out, "\r\x1b[K")
		s.shown = false
	}
}

// besideStatus takes the status away before each line that is told beside it. What is told counts as a sign of life.
type besideStatus struct {
	*status
	io.Writer
}

func (b besideStatus) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.clearNow()
	b.last = time.Now()
	return b.Writer.Write(p)
}

var newline = []byte("\n")

// whole calls each with every whole line of what has been written so far, and returns the rest.
func whole(pending []byte, each func(line []byte) error) (rest []byte, err error) {
	for {
		line, after, ok := bytes.Cut(pending, newline)
		if !ok {
			return pending, nil
		}
		if err := each(line); err != nil {
			return after, err
		}
		pending = after
	}
}
