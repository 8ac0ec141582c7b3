package infra

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// heldFile, in the record's folder, is locked by the harness as long as that drives. The two share nothing else that ends with the harness
// however that ends: a driver in a container sees none of its processes.
const heldFile = ".held"

// hold makes the driver of a record's folder know that its harness lives, until release is called or this process ends.
func hold(dir string) (release func() error, err error) {
	unlock, err := lock(dir, heldFile, 0)
	if err != nil {
		return nil, err
	}
	return func() error { return errors.Join(os.Remove(filepath.Join(dir, heldFile)), unlock()) }, nil
}

// AwaitAbandoned returns once nobody drives any more by way of a record's folder: the harness was killed, or it is done. An error says that this
// can't be known.
func AwaitAbandoned(dir string) error {
	file, err := os.Open(filepath.Join(dir, heldFile))
	if err != nil {
		return fmt.Errorf("watch the harness: %w", err)
	}
	defer file.Close()
	for {
		err = unix.Flock(int(file.Fd()), unix.LOCK_SH)
		if !errors.Is(err, unix.EINTR) {
			break
		}
	}
	if err != nil {
		return fmt.Errorf("watch the harness: %w", err)
	}
	_ = os.Remove(file.Name()) // a harness that was killed has not
	return nil
}
