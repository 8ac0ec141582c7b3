package infra

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/nodefv/nodefv/metrics/report"
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
	Role  Role
	Exit  Exit
	Cause string   // as far as its log tells
	Log   []string // its last lines
}

// Error quotes the last lines of the log, one under the other.
func (e *DiedError) Error() string {
	why := ""
	if e.Cause != "" {
		why = ": " + e.Cause
	}
	return fmt.Sprintf("%s exited with code %d%s; %s", e.Role, e.Exit.Code, why, quote(e.Log))
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

// lastWords reads a container's log for what it says of the container's end.
func lastWords(ctx context.Context, c Container) *report.LastWords {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	w := &report.LastWords{}
	if err := c.Logs(ctx, w, false); err != nil {
		fmt.Fprintln(w, err) // it takes all
	}
	return w
}
