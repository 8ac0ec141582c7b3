package infra

import (
	"fmt"
	"strings"
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
