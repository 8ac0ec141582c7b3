package harness

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/nodefv/nodefv/metrics/report"
	"github.com/nodefv/nodefv/metrics/sweep"
)

// mostNote is how many bytes a note has at most: what is longer belongs into a file of its own.
const mostNote = 10_000

// AddNote writes a note beside the results of a run or a sweep, and makes their pages again. They are found as Judge finds a record. A run
// that goes on shows it once it has ended. It returns the folder.
func AddNote(run, out, text string) (dir string, err error) {
	switch text = strings.TrimSpace(text); {
	case text == "":
		return "", usage(fmt.Errorf("the note is empty: say what is to stand beside the results"))
	case len(text) > mostNote:
		return "", usage(fmt.Errorf("the note has %d bytes: %d at most", len(text), mostNote))
	case !utf8.ValidString(text):
		return "", usage(fmt.Errorf("the note is no text"))
	}
	note := report.Note{At: time.Now(), Text: text}
	for _, dir := range []string{run, filepath.Join(out, run)} {
		if _, err := os.Stat(filepath.Join(dir, sweep.File)); err != nil {
			continue
		}
		if err := report.AddNote(dir, note); err != nil {
			return dir, err
		}
		s, err := sweep.Load(dir)
		if err != nil || len(s.Results) == 0 {
			return dir, err
		}
		return dir, s.WriteAll(dir, s.Compare(nil))
	}
	_, dir, err = find(run, out, report.Load)
	if err != nil {
		return dir, err
	}
	if err := report.AddNote(dir, note); err != nil {
		return dir, err
	}
	if _, err := os.Stat(filepath.Join(dir, report.HTML{}.File())); errors.Is(err, fs.ErrNotExist) {
		return dir, nil // the run goes on, and makes its pages at its end
	}
	_, err = Report(dir, out)
	return dir, err
}
