package infra

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// ExitError is what a program that ended with another code than 0 leaves.
type ExitError struct {
	Command []string
	Code    int
	Output  []string // its last lines
}

// Error names command and code, and quotes the last lines.
func (e *ExitError) Error() string {
	text := fmt.Sprintf("%s: exit code %d", strings.Join(e.Command, " "), e.Code)
	if len(e.Output) > 0 {
		text += ": " + strings.Join(e.Output, " | ")
	}
	return text
}

// DiedError is the end of a part of the environment that nobody asked for.
type DiedError struct {
	Role string
	Exit Exit
	Log  []string // its last lines, see lastWords
}

// Error quotes the last lines of the log, one under the other.
func (e *DiedError) Error() string {
	return fmt.Sprintf("%s exited with code %d; %s", e.Role, e.Exit.Code, quote(e.Log))
}

func quote(log []string) string {
	if len(log) == 0 {
		return "it logged nothing"
	}
	return "last log lines:\n  " + strings.Join(log, "\n  ")
}

// Tail returns the last n lines that are not empty.
func Tail(text string, n int) []string {
	var lines []string
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, line)
		}
	}
	return lines[max(0, len(lines)-n):]
}

// wordsLen is how many lines of a log an error or an event quotes.
const wordsLen = 20

// deaths begin the line in which a Go program says why it dies; its stacks follow.
var deaths = []string{"panic: ", "fatal error: ", "SIGABRT: ", "SIGQUIT: "}

// lastWords returns the end of a container's log; of a Go program that panicked, what it panicked with and the lines
// after it.
func lastWords(ctx context.Context, c Container) []string {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	var w words
	if err := c.Logs(ctx, &w, false); err != nil {
		return []string{err.Error()}
	}
	w.end()
	if w.death != nil {
		return w.death
	}
	return w.last
}

// words is a writer that keeps of a log what lastWords returns: the log, and the stacks in it, can be of any length.
type words struct {
	line  []byte   // not ended yet; its beginning, if it is long
	last  []string // the latest lines
	death []string // the line that says why the program dies, and those after it; nil: it says nothing
}

func (w *words) Write(p []byte) (int, error) {
	const longest = 4 << 10
	for part := range bytes.Lines(p) {
		text, ended := bytes.CutSuffix(part, []byte("\n"))
		w.line = append(w.line, text[:min(len(text), longest-len(w.line))]...)
		if ended {
			w.end()
		}
	}
	return len(p), nil
}

func (w *words) end() {
	line := string(w.line)
	w.line = w.line[:0]
	if slices.ContainsFunc(deaths, func(cause string) bool { return strings.HasPrefix(line, cause) }) {
		w.death = make([]string, 0, wordsLen)
	}
	if line = strings.TrimSpace(line); line == "" {
		return
	}
	if w.death != nil && len(w.death) < wordsLen {
		w.death = append(w.death, line)
	}
	w.last = append(w.last[max(0, len(w.last)+1-wordsLen):], line)
}
