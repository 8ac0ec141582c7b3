package infra

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/nodefv/nodefv/infra/build"
	"github.com/nodefv/nodefv/metrics/report"
)

// The places in the driver's container.
const (
	driverOut        = "/out"
	driverHandoff    = "/etc/fv/handoff.json"
	driverKubeconfig = "/etc/fv/kubeconfig"
	driverEtcd       = "/etc/fv/etcd.json"
)

// InterruptSignal asks the driver to end in order. It is not the one of a terminal, for Ginkgo answers that with the stacks of all goroutines.
const InterruptSignal = syscall.SIGUSR2

// stopBound is how long an interrupted driver may take to undo what it made, and removeBound how long the runtime may take to remove one.
const (
	stopBound   = 8 * time.Second
	removeBound = 20 * time.Second
)

var errNotRemoved = fmt.Errorf("it was interrupted, and the runtime did not remove it within %v", stopBound+removeBound)

// driverCaps is what namespaces, veths, netlink and a look at the agent's process need.
var driverCaps = []string{"NET_ADMIN", "NET_RAW", "SYS_ADMIN", "SYS_PTRACE"}

// Drive runs the driver to its end, with dir as the folder of its record, and passes its output on. When ctx ends the
// driver is interrupted, and stopped if it doesn't end within eight seconds. If this process is killed, the driver is interrupted as well.
func (e *Environment) Drive(ctx context.Context, h Handoff, dir string, args []string, out io.Writer) (Exit, error) {
	node := e.container(RoleNode).Addr()
	h.Version, h.Kubeconfig, h.Out, h.Node, h.NodeAddr, h.Target = HandoffVersion, driverKubeconfig, driverOut, nodeName, node.String(), e.facts()
	h.Obeyed, h.Releases = true, e.releases
	h.Etcd = driverEtcd
	data, err := json.MarshalIndent(h, "", "  ")
	if err != nil {
		return Exit{}, fmt.Errorf("write handoff: %w", err)
	}
	spec := Spec{
		Role: RoleDriver, Component: build.Driver, Command: append([]string{"fv.test"}, args...),
		Shares: MostShares, // else its packets are milliseconds late as soon as the SUT is busy
		Env:    map[string]string{HandoffEnv: driverHandoff},
		Files:  []File{{Path: driverHandoff, Data: data}, {Path: driverEtcd, Mode: 0o600, Source: filepath.Join(e.state, etcdFile)}},
		Binds:  map[string]string{dir: driverOut},
	}
	kubeconfig, err := os.ReadFile(e.driverKubeconfigPath())
	if err != nil {
		return Exit{}, fmt.Errorf("read the driver's kubeconfig: %w", err)
	}
	release, err := hold(dir)
	if err != nil {
		return Exit{}, err
	}
	defer func() { _ = release() }()                  // the end of this process would do
	if err := e.vacate(ctx, RoleDriver); err != nil { // else the instances would be another driver's
		return Exit{}, err
	}
	if err := e.removeInstances(ctx); err != nil {
		return Exit{}, err
	}
	listening := &asked{Writer: out, obey: func(request string) { e.answer(ctx, dir, request) }}
	exit, err := e.inside(ctx, spec, kubeconfig, listening, InterruptSignal)
	e.releaseAgent() // a driver that was cut short may have stopped it
	left := e.removeInstances(ctx)
	if originalErr := errors.Join(left, e.backToOriginal(ctx)); err == nil {
		err = originalErr
	}
	return exit, errors.Join(err, listening.Close())
}

// Exec runs a program inside the node's network and process namespaces, with what it needs to find its way in its
// environment: KUBECONFIG (the administrator's), FV_NODE, FV_TARGET_ADDR and FV_METRICS_URL. Its output goes to out, or where spec.Streams say.
func (e *Environment) Exec(ctx context.Context, spec Spec, out io.Writer) (Exit, error) {
	release, err := e.use() // so that nobody removes it meanwhile
	if err != nil {
		return Exit{}, err
	}
	defer func() { _ = release() }() // the end of this process would do
	node := e.container(RoleNode).Addr()
	spec.Role = Role(fmt.Sprintf("%s-%d", RoleExec, os.Getpid()))
	env := map[string]string{
		"KUBECONFIG": driverKubeconfig, "FV_NODE": nodeName, "FV_TARGET_ADDR": node.String(), "FV_METRICS_URL": e.facts().metricsURL(node),
	}
	var interrupt os.Signal = os.Interrupt
	if spec.Streams != nil && spec.Streams.Terminal != nil {
		env["TERM"] = cmp.Or(spec.Streams.Terminal.Name, "dumb")
		interrupt = syscall.SIGHUP // what the end of a terminal is to its programs; a shell ignores the other
	}
	for k, v := range spec.Env {
		env[k] = v
	}
	spec.Env = env
	admin, err := os.ReadFile(e.kubeconfigPath())
	if err != nil {
		return Exit{}, fmt.Errorf("read kubeconfig: %w", err)
	}
	return e.inside(ctx, spec, admin, out, interrupt)
}

// inside starts spec beside the agent with that kubeconfig, passes its output on until it ends, and removes it. The signal is what it is
// sent when ctx ends.
func (e *Environment) inside(ctx context.Context, spec Spec, kubeconfig []byte, out io.Writer, interrupt os.Signal) (Exit, error) {
	spec.Run, spec.Join, spec.Caps, spec.RawSystem = e.run, RoleNode, driverCaps, true
	spec.Files = append(spec.Files, File{Path: driverKubeconfig, Mode: 0o600, Data: kubeconfig})
	if err := e.vacate(ctx, spec.Role); err != nil {
		return Exit{}, err
	}
	c, err := e.start(ctx, spec)
	if err != nil {
		return Exit{}, err
	}
	held, giveUp := context.WithCancelCause(context.WithoutCancel(ctx))
	defer giveUp(nil)
	defer removeWithin(held, c)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if spec.Streams == nil {
			_ = c.Logs(held, out, true) // the log is in the record as well
		} else {
			_, _ = c.Wait(held) // that below reports the error
		}
	}()
	progress := make(chan os.Signal, 1) // Ginkgo answers SIGUSR1 by telling what it does
	signal.Notify(progress, syscall.SIGUSR1)
	defer signal.Stop(progress)
	go func() {
		for {
			select {
			case s := <-progress:
				_ = c.Signal(held, s) // it may have ended
			case <-ended:
				return
			}
		}
	}()
	exit, err := await(ctx, held, giveUp, c, interrupt)
	if err != nil {
		return exit, fmt.Errorf("%s: %w", spec.Role, err)
	}
	<-ended
	if ctx.Err() != nil {
		return exit, context.Cause(ctx)
	}
	return exit, nil
}

// await waits until a container has ended. When ctx ends it is sent the signal, then it is removed, and then nobody waits for it: held ends.
func await(ctx, held context.Context, giveUp context.CancelCauseFunc, c Container, interrupt os.Signal) (Exit, error) {
	stop := context.AfterFunc(ctx, func() {
		time.AfterFunc(stopBound, func() { removeWithin(held, c) })
		time.AfterFunc(stopBound+removeBound, func() { giveUp(errNotRemoved) })
		_ = c.Signal(held, interrupt) // it may have ended
	})
	defer stop()
	exit, err := c.Wait(held)
	if cause := context.Cause(held); err != nil && cause != nil {
		err = cause
	}
	return exit, err
}

// removeWithin removes a container if that can be done in time; else Down does.
func removeWithin(ctx context.Context, c Container) {
	ctx, cancel := context.WithTimeout(ctx, removeBound)
	defer cancel()
	_ = c.Stop(ctx)
}

// Vacate removes what a command that was killed has left of its driver; ErrDriven, wrapped, while that is still at work.
func (e *Environment) Vacate(ctx context.Context) error { return e.vacate(ctx, RoleDriver) }

// vacate removes what a command that was killed left in a role; it refuses while that is still at work.
func (e *Environment) vacate(ctx context.Context, role Role) error {
	c, err := e.runtime.Find(ctx, e.run, role)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	ended, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	if _, err := c.Wait(ended); err != nil {
		return fmt.Errorf("%w: another %s is at work in run %s: wait for its end, or remove the container %s", ErrDriven, role, e.run, c.Name())
	}
	return c.Stop(ctx)
}

// maxRestarts is how often an agent that died is started again, so that the scenarios after it can be judged.
const maxRestarts = 5

// restartBound is how long a container may take to be removed and started again.
const restartBound = 20 * time.Second

// restart is not cut short by the end of ctx: a driver often ends just after the agent died, and a kept environment without an
// agent could not be used again.
func (e *Environment) restart(ctx context.Context, c Container, spec Spec) (Container, error) {
	ctx, cancel := context.WithTimeoutCause(context.WithoutCancel(ctx), restartBound, fmt.Errorf("it took more than %v", restartBound))
	defer cancel()
	if err := c.Stop(ctx); err != nil {
		return nil, err
	}
	return e.start(ctx, spec)
}

// Watch reports each container that exits until ctx ends, and starts an agent that exited again; it returns when all
// watches have ended. The function it is given is called from several goroutines.
func (e *Environment) Watch(ctx context.Context, tell func(report.Event)) {
	e.setTell(tell)
	defer e.setTell(nil)
	done := make(chan struct{})
	watched := 0
	for role, c := range e.watchable() {
		watched++
		go func() {
			defer func() { done <- struct{}{} }()
			e.watch(ctx, role, c, tell)
		}()
	}
	for range watched {
		<-done
	}
}

// setTell says who is told of the ends of instances, which come and go while Watch runs.
func (e *Environment) setTell(tell func(report.Event)) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.tell = tell
}

func (e *Environment) watchable() map[Role]Container {
	e.mu.Lock()
	defer e.mu.Unlock()
	roles := map[Role]Container{}
	for role, i := range e.instances {
		roles[role] = i.Container
	}
	for _, role := range e.target.Facts().Roles() {
		if c, ok := e.containers[role]; ok {
			roles[role] = c
		}
	}
	return roles
}

func (e *Environment) watch(ctx context.Context, role Role, c Container, tell func(report.Event)) {
	for restarts := 0; ; {
		exit, err := c.Wait(ctx)
		if err != nil {
			return // the run ends, or the engine is gone: then every other call says so
		}
		at, killed := time.Now(), e.expectedExit(role) // before the log is read, which may take long
		e.mu.Lock()
		asked, held := killed || role == RoleAgent && e.mortal, e.held
		e.mu.Unlock()
		words := lastWords(context.WithoutCancel(ctx), c)
		event := report.Event{
			At: at, Container: string(role), What: "exited", ExitCode: exit.Code, OOM: exit.OOM, Asked: asked, Cause: words.Cause(), Log: words.Lines(),
			Extra: slices.Contains(e.target.Facts().Extras, string(role)),
		}
		tell(event)
		if role != RoleAgent || restarts == maxRestarts {
			return
		}
		if !asked {
			restarts++
		}
		if asked && held != nil {
			select {
			case <-held:
			case <-ctx.Done(): // a kept environment without an agent could not be used again
			}
		}
		e.mu.Lock()
		spec, known := e.specs[role] // it may be another release's by now
		e.mu.Unlock()
		if !known {
			return
		}
		if c, err = e.restart(ctx, c, spec); err != nil {
			tell(report.Event{At: time.Now(), Container: "environment", What: "could not start the agent again: " + err.Error()})
			return
		}
		tell(report.Event{At: time.Now(), Container: string(role), What: "restarted", Asked: true})
		if !killed {
			e.mu.Lock()
			e.died = event.Describe(e.target.Name())
			e.mu.Unlock()
		}
	}
}
