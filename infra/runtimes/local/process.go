package local

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nodefv/nodefv/infra/lifecycle"
)

// process is a hold of a process, which can't be fooled by a number that is used again.
type process struct {
	pid  int
	fd   int // a pidfd
	file *os.File
}

// hold takes hold of a process; it wraps os.ErrProcessDone if that has ended.
func hold(owner lifecycle.Owner) (*process, error) {
	pid, ok := owner.PID()
	if !ok {
		return nil, os.ErrProcessDone
	}
	fd, err := unix.PidfdOpen(pid, unix.PIDFD_NONBLOCK)
	if errors.Is(err, unix.ESRCH) {
		return nil, os.ErrProcessDone
	}
	if err != nil {
		return nil, fmt.Errorf("take hold of process %d: %w", pid, err)
	}
	p := &process{pid: pid, fd: fd, file: os.NewFile(uintptr(fd), "pidfd")}
	if _, ok := owner.PID(); !ok { // it may have been another's number already
		p.close()
		return nil, os.ErrProcessDone
	}
	return p, nil
}

func (p *process) close() { p.file.Close() }

func (p *process) signal(sig unix.Signal) error {
	err := unix.PidfdSendSignal(p.fd, sig, nil, 0)
	if errors.Is(err, unix.ESRCH) {
		return os.ErrProcessDone
	}
	return err
}

// wait blocks until the process has ended.
func (p *process) wait(ctx context.Context) error {
	conn, err := p.file.SyscallConn()
	if err != nil {
		return err
	}
	defer context.AfterFunc(ctx, func() { _ = p.file.SetReadDeadline(time.Unix(1, 0)) })()
	err = conn.Read(func(fd uintptr) bool {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 0)
		return n > 0 || err != nil && !errors.Is(err, unix.EINTR)
	})
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// labelled returns the processes whose root file system carries a label of ours that matches, by label. All that a container starts is
// among them, whoever its parent is, and nothing of another.
func labelled(matches func(label string) bool) (map[string][]int, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	found := map[string][]int{}
	labels := map[string]string{} // by mount namespace: there are few
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		space, err := os.Readlink("/proc/" + e.Name() + "/ns/mnt")
		if err != nil {
			continue // it ended, or is not ours to ask
		}
		l, known := labels[space]
		if !known {
			l = rootLabel(e.Name())
			labels[space] = l
		}
		if l != "" && matches(l) {
			found[l] = append(found[l], pid)
		}
	}
	return found, nil
}

// rootLabel returns what a process's root is mounted from, if it is a container's.
func rootLabel(pid string) string {
	mounts, _ := os.ReadFile("/proc/" + pid + "/mountinfo")
	for line := range bytes.Lines(mounts) {
		place, what, _ := strings.Cut(string(line), " - ")
		p, w := strings.Fields(place), strings.Fields(what)
		if len(p) > 4 && p[4] == "/" && len(w) > 1 && w[0] == "tmpfs" && strings.HasPrefix(w[1], labelStart) {
			return w[1]
		}
	}
	return ""
}

// killBound is how long killed processes may take to end.
const killBound = 10 * time.Second

// killLabelled kills the processes whose label matches until there are none.
func killLabelled(ctx context.Context, matches func(label string) bool) error {
	return lifecycle.Wait(ctx, "end of processes", killBound, func(context.Context) error {
		found, err := labelled(matches)
		if err != nil {
			return err
		}
		for l, pids := range found {
			for _, pid := range pids {
				if err := killIf(pid, l); err != nil {
					return err
				}
			}
		}
		if len(found) > 0 {
			return fmt.Errorf("%d containers have processes", len(found))
		}
		return nil
	})
}

// killIf kills a process unless its number is another's by now.
func killIf(pid int, l string) error {
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return nil // it ended
	}
	defer unix.Close(fd)
	if rootLabel(strconv.Itoa(pid)) != l {
		return nil
	}
	if err := unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0); err != nil && !errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("kill process %d: %w", pid, err)
	}
	return nil
}
