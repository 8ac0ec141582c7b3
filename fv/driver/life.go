package driver

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
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

// watchLife waits until the process runs (the harness starts a SUT that died anew) and takes hold of it. It is none of the others.
func watchLife(ctx context.Context, process string, others func() []int) (*life, error) {
	l := &life{fd: -1}
	err := lifecycle.Wait(ctx, "process "+process, 30*time.Second, func(context.Context) error {
		pid, err := metrics.FindProcess(process, others()...)
		if err != nil {
			return err
		}
		fd, err := unix.PidfdOpen(pid, 0)
		if err != nil {
			return fmt.Errorf("watch process %d: %w", pid, err)
		}
		if ended, err := (&life{fd: fd}).ended(0); ended || err != nil { // one that is killed is found until it is waited for
			_ = unix.Close(fd)
			return errors.Join(fmt.Errorf("process %d has ended", pid), err)
		}
		l.pid, l.fd = pid, fd
		return nil
	})
	return l, err
}

// guard returns a context that is cancelled with engine.ErrDied when the process ends. If that was asked for, again takes hold of its
// successor instead. The function that it returns ends the watch.
func (l *life) guard(ctx context.Context, again func(context.Context) (next *life, asked bool, err error)) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			ended, err := l.ended(100) // so that an ended watch is noticed
			if ended {
				next, asked, err := again(ctx)
				if asked && err == nil {
					_ = unix.Close(l.fd)
					*l = *next
					continue
				}
				cancel(errors.Join(fmt.Errorf("%w: process %d ended", engine.ErrDied, l.pid), err))
			} else if err != nil {
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

// ended waits for so many milliseconds for the process to end, and reports whether it has.
func (l *life) ended(wait int) (bool, error) {
	fds := []unix.PollFd{{Fd: int32(l.fd), Events: unix.POLLIN}}
	n, err := unix.Poll(fds, wait)
	if errors.Is(err, unix.EINTR) {
		err = nil
	}
	return n > 0, err
}

// guardAlone makes the SUT's end that of what cancel ends, and not that of the scenario; nil: of the scenario again.
func (d *Driver) guardAlone(cancel context.CancelCauseFunc) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.bereave = cancel
}

// survived ends what is guarded by itself, and reports whether there is such.
func (d *Driver) survived() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.bereave != nil {
		d.bereave(engine.ErrDied)
	}
	return d.bereave != nil
}

// stopped reports whether the process is there, but stopped by a signal: field 3 of proc(5)'s stat.
func stopped(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	after := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:])) // the name may hold anything
	return len(after) > 0 && after[0] == "T"
}
