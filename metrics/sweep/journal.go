package sweep

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/nodefv/nodefv/metrics"
	"github.com/nodefv/nodefv/metrics/report"
)

// File is the name of the journal in a sweep's folder.
const File = "sweep.jsonl"

// Result is what came of one cell.
type Result struct {
	Cell
	Record     string            `json:"record"` // folder of its record, below that of the sweep
	At         time.Time         `json:"at"`     // it began
	Verdict    metrics.Verdict   `json:"verdict"`
	Reason     string            `json:"reason,omitempty"`
	Quantities []report.Quantity `json:"quantities,omitempty"`
}

// Head is the first line of a journal.
type Head struct {
	Plan    Plan            `json:"plan"`
	Options json.RawMessage `json:"options"` // of the environment, as the harness knows them
	Command string          `json:"command"` // that sweeps the same again
	Agent   string          `json:"agent,omitempty"`
	Machine string          `json:"machine,omitempty"`
}

// Sweep is what a journal holds.
type Sweep struct {
	Head
	Results []Result      // in the order in which they were measured
	Notes   []report.Note // of the user
}

// Lacks returns the cells that were not measured yet, in the plan's order.
func (s Sweep) Lacks() []Cell {
	return slices.DeleteFunc(s.Plan.Cells(), func(c Cell) bool {
		return slices.ContainsFunc(s.Results, func(r Result) bool { return r.Same(c) })
	})
}

// Verdict is the worst of all cells; what was not measured is inconclusive.
func (s Sweep) Verdict() metrics.Verdict {
	var all []metrics.Verdict
	for _, r := range s.Results {
		all = append(all, r.Verdict)
	}
	if len(s.Lacks()) > 0 {
		all = append(all, metrics.Inconclusive)
	}
	return metrics.Worst(all...)
}

// Journal keeps a sweep while it goes on: a line for each cell, in the file at once. One at a time may write.
type Journal struct{ file *os.File }

// Begin starts the journal of a new sweep in a folder.
func Begin(dir string, h Head) (*Journal, error) {
	f, err := os.OpenFile(filepath.Join(dir, File), os.O_CREATE|os.O_EXCL|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return nil, fmt.Errorf("begin the sweep: %w", err)
	}
	j := &Journal{f}
	return j, j.write(h)
}

// Load reads the journal in a folder. A torn last line, which a killed writer may leave, does not count.
func Load(dir string) (s Sweep, err error) {
	data, err := os.ReadFile(filepath.Join(dir, File))
	if err != nil {
		return s, err
	}
	data = data[:bytes.LastIndexByte(data, '\n')+1]
	d := json.NewDecoder(bytes.NewReader(data))
	if err := d.Decode(&s.Head); err != nil {
		return s, fmt.Errorf("the first line is no plan: %w", err)
	}
	for {
		var r Result
		switch err := d.Decode(&r); {
		case errors.Is(err, io.EOF):
			s.Notes, err = report.ReadNotes(dir)
			return s, err
		case err != nil:
			return s, fmt.Errorf("cell %d: %w", len(s.Results)+1, err)
		}
		s.Results = append(s.Results, r)
	}
}

// Resume continues the journal in a folder, which it reads first.
func Resume(dir string) (*Journal, Sweep, error) {
	s, err := Load(dir)
	if err != nil {
		return nil, s, err
	}
	f, err := os.OpenFile(filepath.Join(dir, File), os.O_RDWR|os.O_APPEND, 0o644)
	if err != nil {
		return nil, s, fmt.Errorf("continue the sweep: %w", err)
	}
	data, err := io.ReadAll(f)
	if err == nil {
		err = f.Truncate(int64(bytes.LastIndexByte(data, '\n') + 1))
	}
	return &Journal{f}, s, err
}

// Add notes what came of a cell.
func (j *Journal) Add(r Result) error { return j.write(r) }

func (j *Journal) write(v any) error {
	line, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("write the sweep's journal: %w", err)
	}
	if _, err := j.file.Write(append(line, '\n')); err != nil {
		return fmt.Errorf("write the sweep's journal: %w", err)
	}
	return nil
}

// Close ends the journal.
func (j *Journal) Close() error { return j.file.Close() }
