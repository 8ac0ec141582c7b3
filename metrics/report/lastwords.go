package report

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The bounds of what LastWords keeps of a log of any length.
const (
	longestLine  = 4 << 10
	longestQuote = 1 << 10          // bytes of a line that is kept for its severity
	wordsLen     = 20               // lines at the end, and after the line of death
	mostPlaces   = 100              // of the source that complained
	sameTrouble  = 10 * time.Second // between two complaints that are of one trouble
)

// LastWords is a writer that reads a program's log and keeps what says why the program ended.
type LastWords struct {
	line    []byte   // not ended yet; its beginning, if it is long
	last    []string // the latest lines
	death   []string // the line that says why a Go program dies, and those after it; nil: it says nothing
	told    []complaint
	stamped string // the latest line that begins with a number, which may be a time
}

// complaint is what was logged from one place of the source as a warning or worse: the first time since that place was silent for
// long.
type complaint struct {
	place, file string
	severity    int
	line        string
	last        time.Time // that it was logged
}

// deaths begin the line in which a Go program says why it dies; its stacks follow.
var deaths = []string{"panic: ", "fatal error: ", "SIGABRT: ", "SIGQUIT: "}

// ginkgoMarks may stand before what the driver says: one for each spec that has ended.
const ginkgoMarks = "S•F"

// Write takes a part of the log.
func (w *LastWords) Write(p []byte) (int, error) {
	for part := range bytes.Lines(p) {
		text, ended := bytes.CutSuffix(part, []byte("\n"))
		w.line = append(w.line, text[:min(len(text), longestLine-len(w.line))]...)
		if ended {
			w.end()
		}
	}
	return len(p), nil
}

// end takes the line as it is.
func (w *LastWords) end() {
	line := string(w.line)
	w.line = w.line[:0]
	dies := func(said string) bool {
		return slices.ContainsFunc(deaths, func(cause string) bool { return strings.HasPrefix(said, cause) })
	}
	if said := strings.TrimLeft(line, ginkgoMarks); dies(said) {
		line = said
	}
	if dies(line) {
		w.death = make([]string, 0, wordsLen)
	}
	if line = worded(strings.TrimSpace(line)); line == "" {
		return
	}
	if w.death != nil && len(w.death) < wordsLen {
		w.death = append(w.death, line)
	}
	w.last = append(w.last[max(0, len(w.last)+1-wordsLen):], line)
	w.complain(line)
}

// complain keeps a line that is a warning or worse.
func (w *LastWords) complain(line string) {
	if strings.HasPrefix(line, "20") {
		w.stamped = line
	}
	severity := severityOf(line)
	if severity == 0 {
		return
	}
	at := source.FindStringSubmatch(line)
	if at == nil {
		return
	}
	now := w.now()
	c := complaint{place: at[0], file: at[1], severity: severity, line: line[:min(len(line), longestQuote)], last: now}
	i := slices.IndexFunc(w.told, func(o complaint) bool { return o.place == c.place })
	if i >= 0 && now.Sub(w.told[i].last) < sameTrouble && severity < fatal {
		w.told[i].last = now
		return
	}
	if i >= 0 {
		w.told = slices.Delete(w.told, i, i+1)
	}
	w.told = append(w.told[max(0, len(w.told)+1-mostPlaces):], c)
}

// now is the time of the latest line that has one.
func (w *LastWords) now() time.Time {
	at, _ := stamp(w.stamped)
	return at
}

// Lines returns what is to be quoted: the end of the log, or, if a Go program has said that it dies, the complaints that belong together and
// were the last before it, and what it said.
func (w *LastWords) Lines() []string {
	w.end()
	if w.death == nil {
		return w.last
	}
	var lines []string
	for _, c := range w.trouble() {
		lines = append(lines, c.line)
	}
	return append(lines, w.death...)
}

// Cause returns in one line why the program ended, as far as its log tells; empty if it does not.
func (w *LastWords) Cause() string {
	w.end()
	trouble := w.trouble()
	if len(trouble) == 0 {
		return w.panicked()
	}
	last := trouble[len(trouble)-1]
	told, why := last.message(), last.detail()
	if last.severity < fatal && w.death != nil {
		return w.panicked()
	}
	for _, c := range trouble { // what was said first is nearest to the cause: later complaints are of what it broke
		if first := c.detail(); first != "" {
			why = first
			break
		}
	}
	if why != "" && !strings.Contains(told, why) {
		told += ": " + why
	}
	return told
}

// trouble returns the complaints, oldest first, that belong with the last one that may have ended the program: of one source file, and
// not much older.
func (w *LastWords) trouble() []complaint {
	var last complaint
	now := w.now()
	recent := func(c complaint) bool {
		if now.IsZero() { // nothing has a time: what is among the last lines
			return slices.ContainsFunc(w.last, func(line string) bool { return strings.HasPrefix(line, c.line) })
		}
		return now.Sub(c.last) < sameTrouble
	}
	for _, c := range w.told {
		if c.severity >= max(failed, last.severity) && recent(c) {
			last = c
		}
	}
	var all []complaint
	for _, c := range w.told {
		if last.severity > 0 && c.file == last.file && last.last.Sub(c.last) < sameTrouble && (!now.IsZero() || recent(c)) {
			all = append(all, c)
		}
	}
	return all
}

// panicked tells what a Go program panicked with, and where in its own source.
func (w *LastWords) panicked() string {
	if len(w.death) == 0 {
		return ""
	}
	told := w.death[0]
	if mute.MatchString(told) {
		told = "panic"
	}
	if at := ownFrame(w.death[1:]); at != "" {
		told += " at " + at
	}
	return told
}

// mute is a panic with a value that says nothing when it is printed.
var mute = regexp.MustCompile(`^panic: \(\*?[\w./]+\) (0x[0-9a-f]+|\{.*\})`)

// frame is a line of a stack that names a place in the source.
var frame = regexp.MustCompile(`^(\S+/)?([^/\s]+/[^/\s]+\.go:\d+)( \+0x[0-9a-f]+)?$`)

// logging are the packages from which a program panics on behalf of the one that calls them.
var logging = regexp.MustCompile(`^(github\.com/sirupsen/logrus|k8s\.io/klog|go\.uber\.org/zap|k8s\.io/apimachinery/pkg/util/runtime)\b`)

// ownFrame returns function and place of the first call in a stack that is neither of Go's library nor of one that logs; empty if there
// is none.
func ownFrame(stack []string) string {
	for i := 0; i+1 < len(stack); i++ {
		at := frame.FindStringSubmatch(stack[i+1])
		domain, _, _ := strings.Cut(stack[i], "/")
		own := strings.HasPrefix(stack[i], "main.") || strings.Contains(stack[i], "/") && strings.Contains(domain, ".")
		if at == nil || !own || logging.MatchString(stack[i]) || strings.HasPrefix(stack[i], "created by ") {
			continue
		}
		call := stack[i][:max(0, strings.LastIndexByte(stack[i], '('))] // a line of a log may stand among those of a stack
		if function := call[strings.LastIndexByte(call, '/')+1:]; function != "" {
			return fmt.Sprintf("%s (%s)", function, at[2])
		}
	}
	return ""
}

// How bad a line of a log is.
const (
	warning = 1 + iota
	failed
	fatal
)

// severities is how loggers of Go mark lines: logrus by itself and as some write it, klog.
var severities = regexp.MustCompile(`\[(W)ARN(?:ING)?\]|\[(E)RROR\]|\[(F)ATAL\]|\[(P)ANIC\]|\blevel=([wefp])|^([WEF])\d{4} `)

func severityOf(line string) int {
	head := line[:min(len(line), 100)]
	if !strings.ContainsRune("WEF", rune(head[0])) && !strings.Contains(head, "[") && !strings.Contains(head, "level=") {
		return 0 // most lines are spared the expression
	}
	found := severities.FindStringSubmatch(head)
	if found == nil {
		return 0
	}
	switch strings.ToUpper(strings.Join(found[1:], "")) {
	case "W":
		return warning
	case "E":
		return failed
	}
	return fatal
}

var (
	source  = regexp.MustCompile(`\b([\w./-]+\.go)[: ]\d+`)
	fields  = regexp.MustCompile(` [A-Za-z_]\w*=`)
	message = regexp.MustCompile(`\bmsg=("(?:[^"\\]|\\.)*")`)
	// details are the fields that say what went wrong, the most telling first: what a program that was run said.
	details = []string{"errorOutput", "stderr", "error", "err"}
)

// message is what was said, without time, place and fields.
func (c complaint) message() string {
	if said := message.FindStringSubmatch(c.line); said != nil {
		if text, err := strconv.Unquote(said[1]); err == nil {
			return text
		}
	}
	_, text, _ := strings.Cut(c.line, c.place)
	text = strings.TrimLeft(text, ":] ")
	if at := fields.FindStringIndex(text); at != nil {
		text = text[:at[0]]
	}
	return strings.Trim(text, `" `)
}

// detail is the first line of what the complaint is about; empty if it does not say.
func (c complaint) detail() string {
	for _, field := range details {
		_, value, ok := strings.Cut(c.line, " "+field+"=")
		if !ok {
			continue
		}
		if quoted, err := strconv.QuotedPrefix(value); err == nil {
			value, _ = strconv.Unquote(quoted)
		} else if at := fields.FindStringIndex(value); at != nil {
			value = value[:at[0]]
		}
		if first, _, _ := strings.Cut(strings.TrimSpace(value), "\n"); first != "" {
			return first
		}
	}
	return ""
}
