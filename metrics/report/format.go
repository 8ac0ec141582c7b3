package report

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// Format writes a record in one way.
type Format interface {
	File() string // its name in the run's directory
	Write(io.Writer, Record) error
}

// Formats returns all formats; the record itself comes first.
func Formats() []Format {
	return []Format{JSON{}, Summary{}, JUnit{}, Bench{}, OpenMetrics{}}
}

// WriteAll writes the record in all formats into dir, which is made if need be. Each file appears whole or not at all,
// and a format that fails does not keep the others from being written.
func WriteAll(dir string, rec Record) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	return writeAll(dir, rec, Formats())
}

func writeAll(dir string, rec Record, formats []Format) error {
	var errs []error
	for _, f := range formats {
		if err := writeFile(dir, rec, f); err != nil {
			errs = append(errs, fmt.Errorf("write %s: %w", f.File(), err))
		}
	}
	return errors.Join(errs...)
}

func writeFile(dir string, rec Record, f Format) error {
	tmp, err := os.CreateTemp(dir, "."+f.File()+".*")
	if err != nil {
		return err
	}
	err = f.Write(tmp, rec)
	err = errors.Join(err, tmp.Chmod(0o644), tmp.Close())
	if err == nil {
		err = os.Rename(tmp.Name(), filepath.Join(dir, f.File()))
	}
	if err != nil {
		return errors.Join(err, os.Remove(tmp.Name()))
	}
	return nil
}
