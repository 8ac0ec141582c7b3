package report

import (
	"encoding/json"
	"fmt"
	"strings"
)

// worded turns a line that a program logged as JSON, as etcd does, into one that logrus would have written; any other line stays.
func worded(line string) string {
	if !strings.HasPrefix(line, "{") {
		return line
	}
	var said struct {
		Level  string `json:"level"`
		Time   string `json:"ts"`
		Caller string `json:"caller"`
		Msg    string `json:"msg"`
		Error  string `json:"error"`
	}
	if err := json.Unmarshal([]byte(line), &said); err != nil || said.Msg == "" {
		return line
	}
	line = fmt.Sprintf("%s level=%s %s msg=%q", said.Time, said.Level, said.Caller, said.Msg)
	if said.Error != "" {
		line += fmt.Sprintf(" error=%q", said.Error)
	}
	return strings.TrimSpace(line)
}

// sentence is what a line of a log says, without its time, place and marks, where it is of a form that tells them apart.
func sentence(line string) string {
	if !message.MatchString(line) {
		return line
	}
	c := complaint{line: line}
	said, why := c.message(), c.detail()
	if why != "" && !strings.Contains(said, why) {
		said += ": " + why
	}
	return said
}
