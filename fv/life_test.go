package fv

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nodefv/nodefv/infra/lifecycle"
	"github.com/nodefv/nodefv/metrics"
	"github.com/nodefv/nodefv/scenarios/engine"
)

// life watches the SUT's process through a pidfd, which can't be fooled by a process number that is used again.
type life struct {
	pid int
	fd  int
}

// watchLife waits until the process runs (the harness starts a SUT that died anew) and takes hold of it.
func watchLife(ctx context.Context, process string) (*life, error) {
	l := &life{fd: -1}
	err := lifecycle.Wait(ctx, "process "+process, 30*time.Second, func(context.Context) error {
		pid, err := metrics.FindProcess(process)
		if err != nil {
			return err
		}
		fd, err := unix.PidfdOpen(pid, 0)
		if err != nil {
			return fmt.Errorf("watch process %d: %w", pid, err)
		}
		l.pid, l.fd = pid, fd
		return nil
	})
	return l, err
}

// guard returns a context that is cancelled with engine.ErrDied when the process ends. The function that it returns
// ends the watch.
func (l *life) guard(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			fds := []unix.PollFd{{Fd: int32(l.fd), Events: unix.POLLIN}}
			n, err := unix.Poll(fds, 100) // so that an ended watch is noticed
			if n > 0 {
				cancel(fmt.Errorf("%w: process %d ended", engine.ErrDied, l.pid))
			} else if err != nil && !errors.Is(err, unix.EINTR) {
				cancel(fmt.Errorf("watch process %d: %w", l.pid, err))
			}
		}
	}()
	return ctx, func() {
		cancel(nil)
		<-done
		_ = unix.Close(l.fd)
	}
}
