package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
)

// Journal keeps a run's entries while it goes on: one JSON line each, in the file at once, so that a process that is
// killed loses nothing it had written. It is safe for concurrent use.
type Journal struct {
	mu   sync.Mutex
	file *os.File
	err  error
}

// Create starts a journal at path; Load reads those named journal*.jsonl. It is an error if the file is there already.
func Create(path string) (*Journal, error) {
	return open(path, os.O_CREATE|os.O_EXCL)
}

// Append continues the journal at path, or starts it. A torn last line, which a killed writer may leave, is cut off.
func Append(path string) (*Journal, error) {
	j, err := open(path, os.O_CREATE)
	if err != nil {
		return nil, err
	}
	if err := cutTorn(j.file); err != nil {
		return nil, errors.Join(fmt.Errorf("continue journal: %w", err), j.Close())
	}
	return j, nil
}

func open(path string, flags int) (*Journal, error) {
	f, err := os.OpenFile(path, flags|os.O_RDWR|os.O_APPEND, 0o644)
	if err != nil {
		return nil, fmt.Errorf("open journal: %w", err)
	}
	return &Journal{file: f}, nil
}

func cutTorn(f *os.File) error {
	data, err := io.ReadAll(f)
	if err != nil {
		return err
	}
	end := bytes.LastIndexByte(data, '\n') + 1
	if end == len(data) {
		return nil
	}
	return f.Truncate(int64(end))
}

// Write appends an entry with one write(2). After a write that failed, which may have torn a line, all later ones
// fail with the same error.
func (j *Journal) Write(e Entry) error {
	line, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("write journal: %w", err)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.err == nil {
		_, j.err = j.file.Write(append(line, '\n'))
	}
	if j.err != nil {
		return fmt.Errorf("write journal: %w", j.err)
	}
	return nil
}

// Close ends the journal.
func (j *Journal) Close() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if err := j.file.Close(); err != nil {
		return fmt.Errorf("close journal: %w", err)
	}
	return nil
}
