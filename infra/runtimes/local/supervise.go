package local

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/nodefv/nodefv/infra"
	"github.com/nodefv/nodefv/infra/lifecycle"
)

// The names by which this program calls itself to start a container; the container's folder is the argument.
const (
	superviseName = "nodefv-supervise"
	initName      = "nodefv-init"
)

// self is this program, also when its file has been replaced.
const self = "/proc/self/exe"

// BecomeLauncher never returns if a Runtime started this process to start a container. Every program that uses one calls it first.
func BecomeLauncher() {
	if len(os.Args) != 2 {
		return
	}
	launch := map[string]func(string) error{superviseName: supervise, initName: initialise}[os.Args[0]]
	if launch == nil {
		return
	}
	unix.CloseOnExec(statusFD)
	unix.CloseOnExec(endsFD)
	tell(os.NewFile(statusFD, "status"), launch(os.Args[1]))
	os.Exit(0)
}

// supervise starts a container's first process, waits for its end, removes what that leaves and writes how it ended. It belongs to no
// terminal and outlives the harness; the container does not outlive it.
func supervise(dir string) error {
	runtime.LockOSThread() // namespaces are a thread's own, and the first process dies with the thread that started it
	p, err := load[plan](filepath.Join(dir, planFile))
	if err != nil {
		return err
	}
	cgroup, err := makeCgroups(p.Spec)
	if err != nil && (p.Memory > 0 || p.CPUs > 0) {
		return fmt.Errorf("limit %s: %w", p.Role, err)
	}
	exit, err := runInit(p, dir)
	if err != nil {
		return errors.Join(err, cgroup.remove(context.Background()))
	}
	name := label(p.Run, p.Role)
	err = killLabelled(context.Background(), func(l string) bool { return l == name })
	exit.OOM = cgroup.oom()
	if err = errors.Join(err, cgroup.remove(context.Background())); err != nil {
		fmt.Fprintln(os.Stderr, "nodefv:", err) // this is the container's log
	}
	return save(filepath.Join(dir, exitFile), exit)
}

// runInit runs the container's first process to its end. It tells the harness to go on as soon as that runs.
func runInit(p plan, dir string) (infra.Exit, error) {
	if err := enterNetwork(p); err != nil {
		return infra.Exit{}, err
	}
	status := os.NewFile(statusFD, "status")
	cmd := &exec.Cmd{
		Path: self, Args: []string{initName, dir}, Dir: "/", Stdout: os.Stdout, Stderr: os.Stderr, ExtraFiles: []*os.File{status},
		SysProcAttr: &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNS | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC},
	}
	if p.Ends.Asked {
		ends := os.NewFile(endsFD, "ends")
		defer ends.Close()
		cmd.ExtraFiles = append(cmd.ExtraFiles, ends)
	}
	if p.Join == "" {
		cmd.SysProcAttr.Cloneflags |= unix.CLONE_NEWPID
	}
	if err := cmd.Start(); err != nil {
		return infra.Exit{}, fmt.Errorf("start %s: %w", p.Role, err)
	}
	init, err := lifecycle.OwnerOf(cmd.Process.Pid)
	if err == nil {
		err = save(filepath.Join(dir, processesFile), processes{lifecycle.Self(), init})
	}
	if err != nil {
		return infra.Exit{}, errors.Join(err, cmd.Process.Kill(), cmd.Wait())
	}
	status.Close()
	return exitOf(cmd.Wait(), cmd.ProcessState)
}

// exitOf returns how a process ended, with 128 added to the number of a signal that ended it.
func exitOf(err error, state *os.ProcessState) (infra.Exit, error) {
	var ended *exec.ExitError
	if err != nil && !errors.As(err, &ended) {
		return infra.Exit{}, fmt.Errorf("wait for the container: %w", err)
	}
	if ws, ok := state.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		return infra.Exit{Code: 128 + int(ws.Signal())}, nil
	}
	return infra.Exit{Code: state.ExitCode()}, nil
}
