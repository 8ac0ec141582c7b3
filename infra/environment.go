package infra

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"k8s.io/client-go/rest"

	"github.com/nodefv/nodefv/infra/build"
	"github.com/nodefv/nodefv/infra/lifecycle"
)

// nodeName is the local node's name in the API.
const nodeName = "fv-local"

// downBound is how long removing an environment may take.
const downBound = 30 * time.Second

// Config says what to bring up.
type Config struct {
	Runtime Runtime
	Target  Target
	Run     string
	Out     string            // the record's folder: containers' logs go to its folder logs
	Keep    bool              // it shall outlive this process
	Report  func(step string) // told what has been done; nil: nobody is
}

// Environment is one running environment. It is safe for concurrent use.
type Environment struct {
	runtime Runtime
	target  Target
	run     string
	out     string
	state   string // folder of what a later process needs to attach
	ca      *authority
	server  string
	config  *rest.Config
	undo    lifecycle.Undo
	logs    sync.WaitGroup

	mu         sync.Mutex
	containers map[string]Container
	specs      map[string]Spec
	leaving    bool
}

// Up brings up etcd, the API server, the node and the target, in this order, and returns once the agent is ready. It removes all
// that it made if it fails.
func Up(ctx context.Context, cfg Config) (e *Environment, err error) {
	report := cfg.Report
	if report == nil {
		report = func(string) {}
	}
	e = &Environment{runtime: cfg.Runtime, target: cfg.Target, run: cfg.Run, out: cfg.Out, containers: map[string]Container{}, specs: map[string]Spec{}}
	defer func() {
		if err != nil {
			err = errors.Join(err, e.Down(ctx))
		}
	}()
	if e.ca, err = newAuthority(); err != nil {
		return e, err
	}
	if err := e.prepareFolders(); err != nil {
		return e, err
	}
	e.undo.Push("sweep", func(ctx context.Context) error { return e.runtime.Sweep(ctx, e.run) })
	if err := e.startControlPlane(ctx); err != nil {
		return e, err
	}
	report("API server is ready")
	node, err := e.startNode(ctx)
	if err != nil {
		return e, err
	}
	cp := e.controlPlane()
	if err := e.target.Install(ctx, cp, node); err != nil {
		return e, fmt.Errorf("install %s: %w", e.target.Name(), err)
	}
	report("CRDs and roles are installed")
	if err := e.startTarget(ctx, cp, node); err != nil {
		return e, err
	}
	report(e.target.Name() + " is ready")
	if cfg.Keep {
		err = e.Keep()
	}
	return e, err
}

func (e *Environment) prepareFolders() error {
	state, err := stateFolder(e.run)
	if err != nil {
		return err
	}
	e.state = state
	for _, dir := range []string{state, filepath.Join(e.out, "logs")} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return fmt.Errorf("make a folder of the run: %w", err)
		}
	}
	e.undo.Push("forget the run", func(context.Context) error { return Forget(e.run) })
	return e.saveFacts()
}

// startNode starts the container that owns the namespaces which agent and driver join.
func (e *Environment) startNode(ctx context.Context) (NodeInfo, error) {
	c, err := e.start(ctx, Spec{
		Run: e.run, Role: RoleNode, Component: build.Node, Command: []string{"fv-pause"},
		Caps: []string{"NET_ADMIN", "NET_RAW"}, RawSystem: true,
		Sysctls: map[string]string{
			"net.ipv4.ip_forward": "1", "net.ipv6.conf.all.disable_ipv6": "0", "net.ipv6.conf.default.disable_ipv6": "0", "net.ipv6.conf.all.forwarding": "1",
		},
	})
	if err != nil {
		return NodeInfo{}, err
	}
	return NodeInfo{Name: nodeName, Addr: c.Addr()}, nil
}

func (e *Environment) startTarget(ctx context.Context, cp ControlPlane, node NodeInfo) error {
	var agent Container
	for _, make := range e.target.Specs() {
		spec, err := make(cp, node)
		if err != nil {
			return err
		}
		spec.Run = e.run
		if agent, err = e.start(ctx, spec); err != nil {
			return err
		}
	}
	return e.awaitReady(ctx, agent, e.target.Name(), func(ctx context.Context) error { return e.target.Ready(ctx, node.Addr) })
}

func (e *Environment) controlPlane() ControlPlane {
	return ControlPlane{
		Run: e.run, Server: e.server, Config: e.config,
		Kubeconfig: func(name string, groups ...string) ([]byte, error) { return e.ca.kubeconfig(e.server, name, groups...) },
		Addr: func(role string) (netip.Addr, bool) {
			e.mu.Lock()
			defer e.mu.Unlock()
			c, ok := e.containers[role]
			if !ok {
				return netip.Addr{}, false
			}
			return c.Addr(), true
		},
	}
}

// start starts a container, remembers it and follows its log into the record.
func (e *Environment) start(ctx context.Context, spec Spec) (Container, error) {
	c, err := e.runtime.Start(ctx, spec)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", spec.Role, err)
	}
	e.mu.Lock()
	e.containers[spec.Role], e.specs[spec.Role] = c, spec
	e.mu.Unlock()
	return c, e.follow(ctx, c, spec.Role)
}

// follow appends a container's log to the record until the container ends.
func (e *Environment) follow(ctx context.Context, c Container, role string) error {
	file, err := os.OpenFile(filepath.Join(e.out, "logs", role+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("open the log of %s: %w", role, err)
	}
	e.logs.Go(func() {
		err := c.Logs(context.WithoutCancel(ctx), file, true)
		if err = errors.Join(err, file.Close()); err != nil {
			_ = os.WriteFile(file.Name()+".error", []byte(err.Error()+"\n"), 0o644)
		}
	})
	return nil
}

// Down removes everything of the run. It may be called more than once.
func (e *Environment) Down(ctx context.Context) error {
	e.mu.Lock()
	e.leaving = true
	e.mu.Unlock()
	ctx, cancel := context.WithTimeoutCause(context.WithoutCancel(ctx), downBound, fmt.Errorf("removing the environment did not end within %v", downBound))
	defer cancel()
	err := e.undo.Unwind(ctx)
	e.logs.Wait()
	return err
}

// Reach tells a person how to reach the environment.
func (e *Environment) Reach() string {
	var b strings.Builder
	node := e.containers[RoleNode].Addr()
	facts := e.target.Facts()
	fmt.Fprintf(&b, "run         %s\nAPI server  %s\nkubeconfig  %s\nnode        %s (%s)\nmetrics     %s\n", e.run, e.server, e.kubeconfigPath(), nodeName, node, facts.metricsURL(node))
	return b.String()
}

func (f TargetFacts) metricsURL(node netip.Addr) string {
	return "http://" + netip.AddrPortFrom(node, uint16(f.MetricsPort)).String() + "/metrics"
}

// lastLines returns the end of a container's log.
func lastLines(ctx context.Context, c Container) []string {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	var log bytes.Buffer
	if err := c.Logs(ctx, io.Writer(&log), false); err != nil {
		return []string{err.Error()}
	}
	return Tail(log.String(), 8)
}
