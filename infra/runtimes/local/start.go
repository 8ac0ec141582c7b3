package local

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/nodefv/nodefv/infra"
	"github.com/nodefv/nodefv/infra/build"
	"github.com/nodefv/nodefv/infra/lifecycle"
)

// Start starts a supervisor for the container, which starts its program. It removes what it made if that fails, or if ctx ends meanwhile.
func (l *Runtime) Start(ctx context.Context, spec infra.Spec) (infra.Container, error) {
	if err := checkSpec(spec); err != nil {
		return nil, fmt.Errorf("start %s: %w", spec.Role, err)
	}
	artifact, err := l.artifact(ctx, spec.Component)
	if err != nil {
		return nil, err
	}
	p := plan{Spec: spec, Maker: lifecycle.Self(), Bin: filepath.Join(artifact.Dir, "bin"), Ends: askForEnds(spec.Streams)}
	if err := p.resolve(); err != nil {
		return nil, fmt.Errorf("start %s: %w", spec.Role, err)
	}
	dir, err := makeRunFolder(spec.Run)
	if err != nil {
		return nil, err
	}
	c, err := l.reserve(ctx, dir, p)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", spec.Role, err)
	}
	return l.launch(ctx, c, p)
}

func checkSpec(spec infra.Spec) error {
	if len(spec.Command) == 0 {
		return errors.New("the spec has no command, and there is no image that has one")
	}
	if spec.Memory > 0 || spec.CPUs > 0 {
		if _, err := writableHierarchies(); err != nil {
			return fmt.Errorf("no limits can be set: %w", err)
		}
	}
	return nil
}

// resolve makes the host's paths such that they hold no links, for they are used below another root.
func (p *plan) resolve() (err error) {
	real := func(path string) string {
		abs, e := filepath.Abs(path)
		if e == nil {
			abs, e = filepath.EvalSymlinks(abs)
		}
		err = errors.Join(err, e)
		return abs
	}
	p.Bin = real(p.Bin)
	binds := map[string]string{}
	for from, to := range p.Binds {
		binds[real(from)] = to
	}
	p.Binds, p.Files = binds, slices.Clone(p.Files)
	for i, f := range p.Files {
		if f.Source != "" {
			p.Files[i].Source = real(f.Source)
		}
	}
	return err
}

// reserve makes the container's folder, which nobody else can have, with what its supervisor must know.
func (l *Runtime) reserve(ctx context.Context, dir string, p plan) (*container, error) {
	l.starts.Lock()
	defer l.starts.Unlock()
	unlock, err := lockFolder(dir)
	if err != nil {
		return nil, err
	}
	defer unlock()
	switch {
	case p.Join != "":
		owner, err := l.find(p.Run, p.Join)
		if err != nil {
			return nil, err
		}
		p.Net = owner.processes.Init
	case p.Role != roleNetwork:
		if p.Net, err = l.haveBridge(ctx, dir, p.Run); err != nil {
			return nil, err
		}
		if p.Addr, err = freeAddr(dir); err != nil {
			return nil, err
		}
	}
	return reserveFolder(dir, p)
}

func reserveFolder(dir string, p plan) (*container, error) {
	c := &container{dir: filepath.Join(dir, string(p.Role)), run: p.Run, role: p.Role, addr: p.Addr}
	if err := os.Mkdir(c.dir, 0o700); err != nil {
		return nil, err
	}
	err := os.Mkdir(filepath.Join(c.dir, rootFolder), 0o700)
	if err == nil {
		err = save(filepath.Join(c.dir, planFile), p)
	}
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(c.dir))
	}
	return c, nil
}

// haveBridge returns the process that owns the bridge's namespace, started if need be.
func (l *Runtime) haveBridge(ctx context.Context, dir, run string) (lifecycle.Owner, error) {
	if bridge, err := l.find(run, roleNetwork); err == nil {
		return bridge.processes.Init, nil
	}
	pause, err := l.builder.Artifact(ctx, build.Node)
	if err != nil {
		return "", err
	}
	p := plan{
		Spec:  infra.Spec{Run: run, Role: roleNetwork, Component: build.Node, Command: []string{"fv-pause"}},
		Maker: lifecycle.Self(), Addr: bridgeAddr(), Bin: filepath.Join(pause.Dir, "bin"),
	}
	if err := p.resolve(); err != nil {
		return "", err
	}
	c, err := reserveFolder(dir, p)
	if err != nil {
		return "", err
	}
	c, err = l.launch(ctx, c, p)
	if err != nil {
		return "", err
	}
	return c.processes.Init, nil
}

// freeAddr returns an address that no container of the run has.
func freeAddr(dir string) (netip.Addr, error) {
	containers, err := containersIn(dir)
	if err != nil {
		return netip.Addr{}, err
	}
	taken := map[netip.Addr]bool{}
	for role := range maps.Keys(containers) {
		if p, err := load[plan](filepath.Join(dir, string(role), planFile)); err == nil {
			taken[p.Addr] = true
		}
	}
	return nextAddr(taken)
}

// lockFolder keeps other processes from starting containers of the run; the lock ends with this process at the latest.
func lockFolder(dir string) (unlock func(), err error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	for {
		err = unix.Flock(int(f.Fd()), unix.LOCK_EX)
		if !errors.Is(err, unix.EINTR) {
			break
		}
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("lock %s: %w", dir, err)
	}
	return func() { f.Close() }, nil
}

// launch starts the supervisor and waits until the container's program runs.
func (l *Runtime) launch(ctx context.Context, c *container, p plan) (*container, error) {
	err := c.launch(ctx, p)
	ran, loadErr := load[processes](filepath.Join(c.dir, processesFile))
	c.processes = ran
	if err == nil {
		err = loadErr
	}
	if err == nil {
		err = c.stream(p.Streams)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start %s: %w", p.Role, err), c.Stop(context.WithoutCancel(ctx)))
	}
	return c, nil
}

// launch returns once the container's program runs.
func (c *container) launch(ctx context.Context, p plan) error {
	log, err := os.OpenFile(filepath.Join(c.dir, logFile), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	status, told, err := os.Pipe()
	if err != nil {
		return err
	}
	defer status.Close()
	supervisor := &exec.Cmd{
		Path: self, Args: []string{superviseName, c.dir}, Dir: "/", Env: os.Environ(), Stdout: log, Stderr: log, ExtraFiles: []*os.File{told},
		SysProcAttr: &syscall.SysProcAttr{Setsid: true},
	}
	if p.Ends.Asked {
		theirs, err := c.awaitEnds()
		if err != nil {
			return err
		}
		defer theirs.Close()
		supervisor.ExtraFiles = append(supervisor.ExtraFiles, theirs)
	}
	err = supervisor.Start()
	told.Close()
	if err != nil {
		return err
	}
	go func() { _ = supervisor.Wait() }() // how the container ended stands in a file
	defer context.AfterFunc(ctx, func() { _ = supervisor.Process.Kill() })()
	said, err := io.ReadAll(status)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil || len(said) == 0 {
		return err
	}
	var f failure // the first is the cause: the supervisor may tell that its child has ended, too
	if err := json.NewDecoder(bytes.NewReader(said)).Decode(&f); err != nil {
		return fmt.Errorf("read what failed: %w", err)
	}
	if f.NoProgram {
		return fmt.Errorf("%w: %s", infra.ErrNoProgram, p.Command[0])
	}
	return errors.New(f.Error)
}
