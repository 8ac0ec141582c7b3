package fuzz

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/nodefv/nodefv/workloads"
)

// ReproVersion is the layout of a Repro; a reader refuses another.
const ReproVersion = 1

// Repro is a failure with all that repeats it.
type Repro struct {
	Version int     `json:"version"`
	Seed    uint64  `json:"seed"`
	Target  Target  `json:"target"`
	Plant   string  `json:"plant,omitempty"` // the fault that was planted, if one was
	Failure Failure `json:"failure"`
	Batches [][]Op  `json:"batches"` // between which everything is compared
	Shrunk  Shrunk  `json:"shrunk"`
}

// Target is how the environment was made.
type Target struct {
	Name      string              `json:"name"`
	DataPlane string              `json:"dataplane"`
	Extras    []string            `json:"extras,omitempty"` // what ran besides the agent
	Runtime   string              `json:"runtime,omitempty"`
	Settings  []workloads.Setting `json:"settings,omitempty"`
	Versions  map[string]string   `json:"versions,omitempty"`
	Own       bool                `json:"own,omitempty"` // the agent is the user's, not the one that the project pins
}

// agent says what was tested.
func (t Target) agent() string { return strings.TrimSpace(t.Name + " " + t.Versions[t.Name]) }

// Shrunk says how the operations were made fewer, and how sure it is that they fail.
type Shrunk struct {
	From   int           `json:"from"` // operations that failed first
	To     int           `json:"to"`
	Runs   int           `json:"runs"`
	Took   time.Duration `json:"took_ns"`
	Tried  int           `json:"tried"`          // runs of the operations as they are here
	Failed int           `json:"failed"`         // of these
	Note   string        `json:"note,omitempty"` // why it was not shrunk, or not to the end
}

// Write puts the record into a folder as repro.json, and a scenario that does the same as repro.go.txt. A reader never sees half
// of either.
func (r Repro) Write(dir string) error {
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("write repro.json: %w", err)
	}
	source, err := Source(r)
	if err != nil {
		return err
	}
	for name, text := range map[string][]byte{"repro.json": append(data, '\n'), "repro.go.txt": source} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path+".new", text, 0o644); err != nil {
			return fmt.Errorf("write %s: %w", name, err)
		}
		if err := os.Rename(path+".new", path); err != nil {
			return fmt.Errorf("write %s: %w", name, err)
		}
	}
	return nil
}

// ReadRepro reads the record of a failure.
func ReadRepro(path string) (Repro, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return Repro{}, fmt.Errorf("read what is replayed: %w", err)
	}
	var r Repro
	if err := json.Unmarshal(data, &r); err != nil {
		return Repro{}, fmt.Errorf("%s is no repro.json of fv fuzz: %w", path, err)
	}
	if r.Version != ReproVersion {
		return Repro{}, fmt.Errorf("%s has version %d, this program reads %d", path, r.Version, ReproVersion)
	}
	if count(r.Batches) == 0 {
		return Repro{}, fmt.Errorf("%s holds no operations", path)
	}
	for _, ops := range r.Batches {
		for _, op := range ops {
			if verbs[op.Do] == nil || op.Kind != "" && workloads.Find(op.Kind) == nil { // it would mean nothing, and be left out
				return Repro{}, fmt.Errorf("%s holds an operation that this program does not know: %s", path, op)
			}
		}
	}
	return r, nil
}
