package report

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Note is what a user wrote beside the results, once the run had begun.
type Note struct {
	At   time.Time `json:"at"`   // it was written
	Text string    `json:"text"` // as it was given
}

// NotesJournal is the name of the journal that holds a record's notes.
const NotesJournal = "journal-notes.jsonl"

// AddNote writes a note down beside the results in a folder.
func AddNote(dir string, n Note) error {
	j, err := Append(filepath.Join(dir, NotesJournal))
	if err != nil {
		return err
	}
	return errors.Join(j.Write(Entry{Note: &n}), j.Close())
}

// ReadNotes reads those in a folder; there need be none.
func ReadNotes(dir string) (notes []Note, err error) {
	entries, err := readEntries(filepath.Join(dir, NotesJournal))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	for _, e := range entries {
		if e.Note != nil {
			notes = append(notes, *e.Note)
		}
	}
	return notes, err
}

// String tells the note in a line.
func (n Note) String() string {
	return n.At.UTC().Format("2006-01-02 15:04:05 UTC") + ": " + strings.Join(strings.Fields(n.Text), " ")
}

// TellNotes are notes for people, a line each, the oldest first.
func TellNotes(notes []Note) (lines []string) {
	for _, n := range slices.SortedStableFunc(slices.Values(notes), func(a, b Note) int { return a.At.Compare(b.At) }) {
		lines = append(lines, plain(n.String()))
	}
	return lines
}

// NotesMarkdown is the section of a summary that shows notes as they were written; empty: there are none.
func NotesMarkdown(notes []Note) string {
	if len(notes) == 0 {
		return ""
	}
	var b strings.Builder
	b.WriteString("## Notes\n\n")
	for _, line := range TellNotes(notes) {
		fmt.Fprintf(&b, "- %s\n", cell(line))
	}
	b.WriteByte('\n')
	return b.String()
}
