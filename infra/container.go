package infra

import (
	"context"
	"fmt"
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

// lastWords returns the end of a container's log; of a Go program that panicked, what it panicked with and the lines
// after it.
func lastWords(ctx context.Context, c Container) []string {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	var log tail
	if err := c.Logs(ctx, &log, false); err != nil {
		return []string{err.Error()}
	}
	lines := Tail(string(log), len(log))
	for i, line := range lines {
		if strings.HasPrefix(line, "panic: ") || strings.HasPrefix(line, "fatal error: ") {
			return lines[i:min(i+wordsLen, len(lines))]
		}
	}
	return lines[max(0, len(lines)-wordsLen):]
}

// tail is a writer that keeps the end of what is written to it, 64 to 128 KiB: a log can be larger than memory.
type tail []byte

func (t *tail) Write(p []byte) (int, error) {
	const keep = 64 << 10
	*t = append(*t, p...)
	if len(*t) > 2*keep {
		*t = append((*t)[:0], (*t)[len(*t)-keep:]...)
	}
	return len(p), nil
}
