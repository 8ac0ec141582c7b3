package infra

import (
	"context"
	"errors"
	"io"
)

// errRecorded ends the following of logs whose part of the record is complete.
var errRecorded = errors.New("the record is complete")

// Record lets the containers' logs from now on go to a record's folder. The function that it returns ends that. It is for an environment that
// was attached to: the log of one that Up made goes to its own record.
func (e *Environment) Record(ctx context.Context, dir string) (end func(), err error) {
	end = func() {
		e.stopFollowing(errRecorded)
		e.logs.Wait()
	}
	e.out = dir
	for role, c := range e.watchable() {
		var before counted
		if err = c.Logs(ctx, &before, false); err == nil {
			err = e.followFrom(ctx, c, role, int64(before))
		}
		if err != nil {
			end()
			return nil, err
		}
	}
	return end, nil
}

// counted counts what is written.
type counted int64

func (c *counted) Write(p []byte) (int, error) {
	*c += counted(len(p))
	return len(p), nil
}

// skipping leaves out the beginning of what is written.
type skipping struct {
	to   io.Writer
	left int64
}

func (s *skipping) Write(p []byte) (int, error) {
	n := min(s.left, int64(len(p)))
	s.left -= n
	if n == int64(len(p)) {
		return len(p), nil
	}
	written, err := s.to.Write(p[n:])
	return int(n) + written, err
}
