package local

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nodefv/nodefv/infra"
)

// container is a container's folder and the processes that run it.
type container struct {
	dir, run, role string
	addr           netip.Addr
	processes      processes  // zero if its start did not get that far
	streaming      *streaming // of its program, if this process started it so
}

// openContainer reads a container's folder.
func openContainer(dir, run, role string) (*container, error) {
	p, err := load[plan](filepath.Join(dir, planFile))
	if err != nil {
		return nil, fmt.Errorf("container %s: %w", label(run, role), err)
	}
	ran, err := load[processes](filepath.Join(dir, processesFile))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("container %s: %w", label(run, role), err)
	}
	return &container{dir: dir, run: run, role: role, addr: p.Addr, processes: ran}, nil
}

func (c *container) Name() string     { return label(c.run, c.role) }
func (c *container) Addr() netip.Addr { return c.addr }

// killDelay is how long the output of a command that was killed is waited for: what it started may hold it.
const killDelay = time.Second

func (c *container) Exec(ctx context.Context, command infra.Command) error {
	p, err := load[plan](filepath.Join(c.dir, planFile))
	if err != nil {
		return fmt.Errorf("exec %v in %s: %w", command.Args, c.Name(), err)
	}
	var tail bytes.Buffer
	env := map[string]string{}
	for _, from := range []map[string]string{p.Env, command.Env} {
		for k, v := range from {
			env[k] = v
		}
	}
	cmd := exec.CommandContext(ctx, "")
	cmd.Args, cmd.Env, cmd.Dir, cmd.WaitDelay = command.Args, environment(env), "/", killDelay
	cmd.Stdout, cmd.Stderr = cmp.Or[io.Writer](command.Stdout, &tail), cmp.Or[io.Writer](command.Stderr, &tail)
	if err = elsewhere(func() error { return c.startInside(cmd, p) }); err != nil {
		return fmt.Errorf("exec %v in %s: %w", command.Args, c.Name(), err)
	}
	if all, err := writableHierarchies(); err == nil {
		_ = cgroups{all, c.Name()}.enter(cmd.Process.Pid) // it may have ended
	}
	err = cmd.Wait()
	if ctx.Err() != nil {
		return fmt.Errorf("exec %v in %s: %w", command.Args, c.Name(), context.Cause(ctx))
	}
	exit, err := exitOf(err, cmd.ProcessState)
	if err != nil {
		return fmt.Errorf("exec %v in %s: %w", command.Args, c.Name(), err)
	}
	if exit.Code != 0 {
		return &infra.ExitError{Command: command.Args, Code: exit.Code, Output: infra.Tail(tail.String(), 20)}
	}
	return nil
}

// CPU reads the container's cgroup.
func (c *container) CPU(ctx context.Context) (time.Duration, error) {
	all, err := writableHierarchies()
	if err != nil {
		return 0, fmt.Errorf("read what %s used: %w", c.Name(), err)
	}
	used, err := cgroups{all, c.Name()}.cpu()
	if err != nil {
		return 0, fmt.Errorf("read what %s used: %w", c.Name(), err)
	}
	return used, ctx.Err()
}

// startInside starts a command in the container's namespaces, of which the calling thread does not come back.
func (c *container) startInside(cmd *exec.Cmd, p plan) (err error) {
	init, err := hold(c.processes.Init)
	if err != nil {
		return err
	}
	defer init.close()
	if err := unix.Unshare(unix.CLONE_FS); err != nil { // a mount namespace can't be entered by one who shares its working folder
		return fmt.Errorf("enter the container: %w", err)
	}
	if err := setns(init.pid, "net", "pid", "uts", "ipc", "mnt"); err != nil {
		return err
	}
	if cmd.Path, err = lookPath(cmd.Args[0], cmd.Env); err != nil {
		return err
	}
	cmd.Err = nil
	if err := dropCapabilities(p.Caps); err != nil {
		return err
	}
	return cmd.Start()
}

// Logs reads the file that the container writes.
func (c *container) Logs(ctx context.Context, w io.Writer, follow bool) error {
	file, err := os.Open(filepath.Join(c.dir, logFile))
	if err != nil {
		return fmt.Errorf("read the log of %s: %w", c.Name(), err)
	}
	defer file.Close()
	if follow {
		err = c.follow(ctx, file, w)
	} else {
		_, err = io.Copy(w, file)
	}
	if err != nil && (!follow || ctx.Err() == nil) {
		return fmt.Errorf("read the log of %s: %w", c.Name(), err)
	}
	return nil
}

// follow copies what is written until the container has ended.
func (c *container) follow(ctx context.Context, log *os.File, w io.Writer) error {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return err
	}
	changes := os.NewFile(uintptr(fd), "inotify")
	defer changes.Close()
	if _, err := unix.InotifyAddWatch(fd, fmt.Sprintf("/proc/self/fd/%d", log.Fd()), unix.IN_MODIFY); err != nil {
		return err
	}
	watching, stop := context.WithCancel(ctx)
	defer stop()
	go func() {
		_, _ = c.Wait(watching)
		_ = changes.SetReadDeadline(time.Unix(1, 0))
	}()
	events := make([]byte, 4096)
	for ended := false; ; {
		if _, err := io.Copy(w, log); err != nil || ended {
			return err
		}
		_, err := changes.Read(events)
		ended = errors.Is(err, os.ErrDeadlineExceeded) // once more: it may have written since
		if err != nil && !ended {
			return err
		}
	}
}

// Put replaces a file as a whole: whoever reads it finds the old one or the new one.
func (c *container) Put(_ context.Context, f infra.File) error {
	init, err := hold(c.processes.Init)
	if err != nil {
		return fmt.Errorf("put %s into %s: %w", f.Path, c.Name(), err)
	}
	defer init.close()
	path := filepath.Join("/proc", strconv.Itoa(init.pid), "root", f.Path)
	if err = os.WriteFile(path+".new", f.Data, cmp.Or(f.Mode.Perm(), 0o644)); err == nil {
		err = os.Rename(path+".new", path)
	}
	if err != nil {
		return fmt.Errorf("put %s into %s: %w", f.Path, c.Name(), err)
	}
	return nil
}

func (c *container) Signal(_ context.Context, sig os.Signal) error {
	s, ok := sig.(syscall.Signal)
	if !ok {
		s = syscall.SIGTERM
	}
	init, err := hold(c.processes.Init)
	if err == nil {
		err = init.signal(s)
		init.close()
	}
	if err != nil {
		return fmt.Errorf("send %v to %s: %w", sig, c.Name(), err)
	}
	return nil
}

// Wait waits for the supervisor, which writes how the container ended. One that was killed takes the container with it.
func (c *container) Wait(ctx context.Context) (infra.Exit, error) {
	if err := await(ctx, c.processes); err != nil {
		return infra.Exit{}, fmt.Errorf("wait for %s: %w", c.Name(), err)
	}
	c.streaming.wait()
	exit, err := load[infra.Exit](filepath.Join(c.dir, exitFile))
	if errors.Is(err, os.ErrNotExist) {
		return infra.Exit{Code: 128 + int(unix.SIGKILL)}, nil
	}
	if err != nil {
		return infra.Exit{}, fmt.Errorf("wait for %s: %w", c.Name(), err)
	}
	return exit, nil
}

// await returns when the supervisor has ended.
func await(ctx context.Context, p processes) error {
	supervisor, err := hold(p.Supervisor)
	if errors.Is(err, os.ErrProcessDone) {
		return nil
	}
	if err != nil {
		return err
	}
	defer supervisor.close()
	return supervisor.wait(ctx)
}

// Stop kills the container's processes and removes its files.
func (c *container) Stop(ctx context.Context) error {
	name := c.Name()
	matches := func(l string) bool { return l == name }
	if err := killLabelled(ctx, matches); err != nil {
		return fmt.Errorf("stop %s: %w", name, err)
	}
	if err := await(ctx, c.processes); err != nil {
		return fmt.Errorf("stop %s: %w", name, err)
	}
	if err := sweepStrays(ctx, matches); err != nil { // if the supervisor was killed
		return fmt.Errorf("stop %s: %w", name, err)
	}
	if err := os.RemoveAll(c.dir); err != nil {
		return fmt.Errorf("stop %s: %w", name, err)
	}
	return nil
}
