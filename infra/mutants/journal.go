package mutants

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"time"
)

// Head says how a table was made.
type Head struct {
	Target    string            `json:"target"`
	DataPlane string            `json:"data_plane"`
	Extras    []string          `json:"extras,omitempty"`
	Runtime   string            `json:"runtime"`
	Seed      uint64            `json:"seed"`
	Stages    []Stage           `json:"stages"`
	FuzzFor   time.Duration     `json:"fuzz_for_ns"`
	Keys      map[string]string `json:"keys"` // of the components that decide: those of the SUT unaltered and of the driver
}

// JournalFile is where a table's rows are kept as they come, in its folder.
const JournalFile = "mutants.jsonl"

// entry is one line of the journal: exactly one field is set.
type entry struct {
	Head *Head `json:"head,omitempty"`
	Row  *Row  `json:"row,omitempty"`
}

// Journal appends rows to a table's folder, each of them whole and at once.
type Journal struct {
	file *os.File
}

// Open begins the journal of a table in dir, or goes on with the one that is there, whose rows it returns. One that was begun with
// another head is an error, but for the stages: a table can go on with more of them.
func Open(dir string, h Head) (*Journal, []Row, error) {
	path := filepath.Join(dir, JournalFile)
	was, rows, err := Load(dir)
	fresh := errors.Is(err, fs.ErrNotExist)
	if err != nil && !fresh {
		return nil, nil, err
	}
	more := !slices.Equal(was.Stages, h.Stages)
	if was.Stages = h.Stages; !fresh && !reflect.DeepEqual(was, h) {
		return nil, nil, fmt.Errorf("the table in %s was made with other flags, or another SUT or driver: with %+v, not %+v", dir, was, h)
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, nil, err
	}
	j := &Journal{file}
	if !fresh {
		if _, err = file.WriteString("\n"); err != nil { // ends a line that a kill has cut
			return j, rows, err
		}
	}
	if fresh || more {
		err = j.write(entry{Head: &h})
	}
	return j, rows, err
}

// Write appends a row.
func (j *Journal) Write(r Row) error { return j.write(entry{Row: &r}) }

func (j *Journal) write(e entry) error {
	data, err := json.Marshal(e)
	if err != nil {
		return err
	}
	if _, err := j.file.Write(append(data, '\n')); err != nil {
		return fmt.Errorf("write the table's journal: %w", err)
	}
	return nil
}

// Close closes the file.
func (j *Journal) Close() error { return j.file.Close() }

// Load reads the journal in dir. Of several rows of one mutant the last counts; half a line at the end is what a kill left.
func Load(dir string) (h Head, rows []Row, err error) {
	file, err := os.Open(filepath.Join(dir, JournalFile))
	if err != nil {
		return h, nil, err
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<24)
	for lines.Scan() {
		var e entry
		if json.Unmarshal(lines.Bytes(), &e) != nil {
			continue
		}
		if e.Head != nil {
			h = *e.Head
		}
		if e.Row != nil {
			rows = slices.DeleteFunc(rows, func(r Row) bool { return r.Mutant == e.Row.Mutant })
			rows = append(rows, *e.Row)
		}
	}
	return h, rows, lines.Err()
}
