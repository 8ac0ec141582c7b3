package report

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
)

// Format writes a record in one way.
type Format interface {
	File() string // its name in the run's directory, which may be that of a folder and a file
	Write(io.Writer, Record) error
}

// Formats returns all formats; the record itself comes first.
func Formats() []Format {
	return []Format{JSON{}, Summary{}, JUnit{}, Bench{}, OpenMetrics{}, HTML{}}
}

// WriteAll writes the record in all formats into dir, which is made if need be, with its plots and documents. Each file appears whole or not at all,
// and a format that fails does not keep the others from being written.
func WriteAll(dir string, rec Record) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	return writeAll(dir, rec, slices.Concat(Formats(), plots(rec), perf(rec)))
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
	path := filepath.Join(dir, f.File())
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	err = f.Write(tmp, rec)
	err = errors.Join(err, tmp.Chmod(0o644), tmp.Close())
	if err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(tmp.Name()))
	}
	return nil
}
