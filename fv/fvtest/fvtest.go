// Package fvtest lets the tests of another repository run against a real agent on a real node's kernel: it starts etcd, an API server and
// the agent, plugs pods, says what the policies in force allow, and proves it by packets.
//
//	env := fvtest.Start(t, fvtest.Options{})
//
// starts one for a test and removes it when that ends; Up and Down do it for TestMain. Importing the package is all that is needed: no
// program has to be on the path but go, and what a killed test left is removed by the next start. The test stays outside of the node;
// what must run inside, a small program does that the package builds (fv/cmd/fv-inside).
//
// An Env is safe for concurrent use. The page docs/go-api.md has a worked example.
package fvtest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	adminclient "sigs.k8s.io/network-policy-api/pkg/client/clientset/versioned"

	"github.com/nodefv/nodefv/fv/harness"
	"github.com/nodefv/nodefv/fv/inside"
	"github.com/nodefv/nodefv/infra"
	"github.com/nodefv/nodefv/infra/lifecycle"
	"github.com/nodefv/nodefv/infra/runtimes/local"
	"github.com/nodefv/nodefv/infra/targets"
	"github.com/nodefv/nodefv/infra/targets/all"
	"github.com/nodefv/nodefv/metrics/report"
	"github.com/nodefv/nodefv/workloads"
)

// The local runtime starts this program again to start containers. Nothing of the test may run then.
func init() { local.BecomeLauncher() }

// Options choose what is started; the zero Options start the pinned release of all.Default.
type Options struct {
	Target    string            // the agent, by its name here; empty: all.Default
	DataPlane string            // how it programs the kernel; empty: the agent's standard
	Binary    string            // your own build of the agent, static; empty: the pinned release, built from its module at first use
	Image     string            // your own image of the agent, instead of Binary; needs a Docker engine
	CRDs      string            // file, or folder of them, with the CRDs and the role of your own build; empty: those of the pinned release
	Env       map[string]string // more of the agent's environment
	Runtime   string            // "docker" or "local" (processes in namespaces, needs root); empty: docker where an engine answers, else local
	Checkout  string            // of nodefv; empty: where the go command finds the module
	Out       string            // the logs go to a folder below it, and stay; empty: they go with the environment
	Log       io.Writer         // told of the steps; nil: nobody is, and with Start the test's log
}

// Env is a running environment: a control plane, and a node on which the agent runs.
type Env struct {
	env      *infra.Environment
	target   targets.Target
	nodeName string
	out      string
	client   kubernetes.Interface
	admin    adminclient.Interface
	served   map[workloads.Kind]bool // kinds of cluster-wide policies that the cluster knows
	wire     inside.Wire
	fleet    *workloads.Fleet
	undo     lifecycle.Undo
	plugged  sync.Mutex // addresses are dealt and namespaces made one after the other
	dealt    int        // addresses

	mu   sync.Mutex
	died error // what ended first though nobody asked for it
}

// Start starts an environment that is removed when the test ends. The test fails if there can't be one, with what to do about it, and if
// the agent dies. Of a test that failed it logs the end of the agent's log.
func Start(t testing.TB, o Options) *Env {
	t.Helper()
	o.Log = cmp.Or(o.Log, t.Output())
	e, err := Up(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Died(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Log(e.lastLines())
		}
		if err := e.Down(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return e
}

// Up starts an environment, which lives until Down even if ctx ends. The error of a machine that lacks something, or of wrong options, wraps
// a *harness.UsageError and says what to do.
func Up(ctx context.Context, o Options) (_ *Env, err error) {
	e := &Env{}
	defer func() {
		if err != nil {
			err = fmt.Errorf("start an environment: %w", errors.Join(err, e.Down(ctx)))
		}
	}()
	options, cfg, err := o.resolve(ctx)
	if err != nil {
		return nil, err
	}
	h, err := harness.Open(ctx, cfg)
	if err != nil {
		return nil, err
	}
	if e.target, err = h.PrepareBare(ctx, options); err != nil {
		return nil, err
	}
	program, err := h.Program(ctx, "./fv/cmd/fv-inside")
	if err != nil {
		return nil, err
	}
	run := harness.NewRunID()
	state, err := infra.StateFolder(run)
	if err != nil {
		return nil, err
	}
	if e.out, err = filepath.Abs(filepath.Join(cmp.Or(o.Out, filepath.Join(state, "record")), run)); err != nil {
		return nil, err
	}
	if e.env, err = h.Up(ctx, e.target, options, run, e.out, false); err != nil {
		return nil, err
	}
	e.undo.Push("remove the environment", e.env.Down)
	e.watch(ctx)
	if err := e.enter(ctx, program, filepath.Join(state, "inside")); err != nil {
		return nil, err
	}
	if err := e.connect(ctx); err != nil {
		return nil, err
	}
	return e, nil
}

// leaveBound is how long all may take that is undone before the environment is removed, which has a bound of its own.
const leaveBound = 30 * time.Second

// Down removes the environment and all that was plugged into it, even if ctx has ended. It may be called more than once.
func (e *Env) Down(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(context.WithoutCancel(ctx), leaveBound, fmt.Errorf("it took more than %v", leaveBound))
	defer cancel()
	return e.undo.Unwind(ctx)
}

func (e *Env) clients() workloads.Clients {
	return workloads.Clients{Core: e.client, Admin: e.admin, Features: e.target.Features()}
}

// connect makes the clients, and the fleet that plugs pods.
func (e *Env) connect(ctx context.Context) (err error) {
	if e.client, err = workloads.NewClient(e.env.Config()); err != nil {
		return err
	}
	if e.admin, err = workloads.NewAdminClient(e.env.Config()); err != nil {
		return err
	}
	if e.served, err = workloads.Served(ctx, e.clients()); err != nil {
		return err
	}
	node := e.env.Node()
	e.nodeName = node.Name
	e.fleet = workloads.NewFleet(workloads.Config{
		Client: e.client, Features: e.target.Features(), Plugger: e.wire, HostInterface: e.target.HostInterface, Decorate: e.target.Decorate,
		OneWrite: e.target.Presentation().OneWrite, LocalIP: node.Addr,
	}, workloads.NewState(node.Name))
	return nil
}

// watch learns of parts that die, until Down.
func (e *Env) watch(ctx context.Context) {
	watching, stop := context.WithCancel(context.WithoutCancel(ctx))
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		e.env.Watch(watching, func(event report.Event) {
			e.mu.Lock()
			defer e.mu.Unlock()
			if !event.Asked && e.died == nil {
				e.died = errors.New(event.Describe(e.target.Name()))
			}
		})
	}()
	e.undo.Push("end the watch", func(ctx context.Context) error {
		stop()
		select {
		case <-watched:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	})
}

// Died tells what ended first, the agent or another part, though nobody asked for it; nil: nothing has. An agent that died is started
// again.
func (e *Env) Died() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.died
}

// Config returns how to reach the API server as the administrator. The caller may change it.
func (e *Env) Config() *rest.Config { return e.env.Config() }

// Node returns the name of the node on which the agent runs.
func (e *Env) Node() string { return e.nodeName }

// Logs returns the folder in which each part of the environment has its log: agent.log, apiserver.log and so on.
func (e *Env) Logs() string { return filepath.Join(e.out, "logs") }

// lastLines are the last of the agent's log.
func (e *Env) lastLines() string {
	const lines = 20
	log, err := os.ReadFile(filepath.Join(e.Logs(), string(infra.RoleAgent)+".log"))
	if err != nil {
		return err.Error()
	}
	text := "the agent's last lines:"
	for _, line := range infra.Tail(string(log), lines) {
		text += "\n" + line
	}
	return text
}

// resolve turns what the user chose into what the harness is told.
func (o Options) resolve(ctx context.Context) (harness.Options, harness.Config, error) {
	options := harness.Options{
		Target: cmp.Or(o.Target, all.Default), DataPlane: o.DataPlane, Runtime: cmp.Or(o.Runtime, harness.RuntimeAuto), Env: o.Env,
		Binaries: map[string]string{},
	}
	cfg := harness.Config{Progress: o.Log}
	info, err := targets.Find(options.Target)
	if err != nil {
		return options, cfg, &harness.UsageError{Err: err}
	}
	agent := info.Agent().Name
	if o.DataPlane == "" {
		options.DataPlane = info.DataPlanes[0]
	}
	if o.Image != "" {
		cfg.Images = map[string]string{agent: o.Image}
	}
	for _, given := range []struct {
		path string
		use  func(abs string)
	}{
		{o.Binary, func(abs string) { options.Binaries[agent] = abs }},
		{o.CRDs, func(abs string) { options.Agent.CRDs = abs }},
	} {
		if given.path == "" {
			continue
		}
		abs, err := filepath.Abs(given.path)
		if err == nil {
			_, err = os.Stat(abs)
		}
		if err != nil {
			return options, cfg, &harness.UsageError{Err: err}
		}
		given.use(abs)
	}
	if !slices.Contains([]string{harness.RuntimeAuto, harness.RuntimeDocker, harness.RuntimeLocal}, options.Runtime) {
		return options, cfg, &harness.UsageError{Err: fmt.Errorf("runtime %q: there are docker and local", o.Runtime)}
	}
	cfg.Root, err = checkout(ctx, o.Checkout)
	if err != nil {
		err = &harness.UsageError{Err: err}
	}
	return options, cfg, err
}
