package report

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
)

// JSON is the record itself, from which all other formats can be made again.
type JSON struct{}

// File returns "run.json".
func (JSON) File() string { return "run.json" }

// Write writes the record, indented.
func (JSON) Write(w io.Writer, rec Record) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(rec)
}

// Read reads what JSON has written. It refuses a schema that is newer than Schema.
func Read(r io.Reader) (Record, error) {
	data, err := io.ReadAll(r)
	if err != nil {
		return Record{}, fmt.Errorf("read record: %w", err)
	}
	// The version comes first: a newer layout may not even fit our types.
	var head struct {
		Schema int `json:"schema"`
	}
	if err := json.Unmarshal(data, &head); err != nil {
		return Record{}, fmt.Errorf("read record: %w", err)
	}
	switch {
	case head.Schema > Schema:
		return Record{}, fmt.Errorf("read record: its schema is %d, this program reads up to %d", head.Schema, Schema)
	case head.Schema < 1:
		return Record{}, errors.New("read record: it has no schema, so it is not a record")
	}
	var rec Record
	if err := json.Unmarshal(data, &rec); err != nil {
		return Record{}, fmt.Errorf("read record: %w", err)
	}
	return rec, nil
}

// ReadFile reads the record at path.
func ReadFile(path string) (Record, error) {
	f, err := os.Open(path)
	if err != nil {
		return Record{}, fmt.Errorf("read record: %w", err)
	}
	defer f.Close()
	rec, err := Read(f)
	if err != nil {
		return Record{}, fmt.Errorf("%s: %w", path, err)
	}
	return rec, nil
}
