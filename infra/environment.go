package infra

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	"k8s.io/client-go/rest"

	"github.com/nodefv/nodefv/infra/build"
	"github.com/nodefv/nodefv/infra/lifecycle"
	"github.com/nodefv/nodefv/metrics/report"
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
	Making  Making            // what later processes are told of it
	Report  func(step string) // told what has been done; nil: nobody is

	// Supervisor is the path of fv-pause: with it etcd and API server can be restarted by the driver (AskRestart). Empty: they can't.
	Supervisor string
}

// Environment is one running environment. It is safe for concurrent use.
type Environment struct {
	runtime Runtime
	target  Target
	cfg     Config
	run     string
	out     string
	state   string // folder of what a later process needs to attach
	ca      *authority
	etcd    EtcdAccess
	server  string
	config  *rest.Config
	undo    lifecycle.Undo
	logs    sync.WaitGroup

	mu         sync.Mutex
	containers map[Role]Container
	specs      map[Role]Spec
	unfollow   []context.CancelCauseFunc
	expected   int           // ends of the agent that were asked for
	version    string        // of the agent, as it says itself
	mortal     bool          // all ends of the agent are asked for
	died       string        // why the agent died that was started again last; empty: none has since it was asked for
	held       chan struct{} // the agent stays away until it is closed; nil: it does not
	releases   []string      // that agentOf knows
	makeAgent  func(ctx context.Context, release string) (component string, err error)
	original   string             // the agent's component, while it is started from another one; empty: it is not
	instances  map[Role]*instance // of the SUT besides the agent
	tell       func(report.Event) // of Watch; nil: nobody watches
}

// Up brings up etcd, the API server, the node and the target, in this order, and returns once the agent is ready. It removes all
// that it made if it fails.
func Up(ctx context.Context, cfg Config) (e *Environment, err error) {
	report := cfg.Report
	if report == nil {
		report = func(string) {}
	}
	e = &Environment{cfg: cfg, runtime: cfg.Runtime, target: cfg.Target, run: cfg.Run, out: cfg.Out, containers: map[Role]Container{}, specs: map[Role]Spec{}}
	defer func() {
		if err == nil {
			return
		}
		if cause := context.Cause(ctx); cause != nil {
			err = cause // what failed for it says no more
		}
		if down := e.Down(ctx); down != nil {
			err = errors.Join(err, down)
		}
	}()
	e.pushRemoval()
	if err := e.prepareFolders(); err != nil {
		return e, err
	}
	if err := e.startControlPlane(ctx); err != nil {
		return e, err
	}
	report("API server is ready")
	node, err := e.startNode(ctx)
	if err != nil {
		return e, err
	}
	cp := e.controlPlane()
	if err := e.install(ctx, cp, node); err != nil {
		return e, err
	}
	report("CRDs and roles are installed")
	if err := e.startTarget(ctx, cp, node); err != nil {
		return e, err
	}
	report(strings.TrimSpace(e.target.Name()+" "+e.facts().Version) + " is ready")
	if err := e.saveFacts(); err != nil {
		return e, err
	}
	if cfg.Keep {
		err = e.Keep()
	}
	return e, err
}

func (e *Environment) prepareFolders() error {
	state, err := StateFolder(e.run)
	if err != nil {
		return err
	}
	e.state = state
	for _, dir := range []string{state, filepath.Join(e.out, "logs")} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return fmt.Errorf("make a folder of the run: %w", err)
		}
	}
	return e.saveFacts()
}

// pushRemoval makes Down remove the run, by its labels: also what a start left that was cut short. A run of which something is left is not
// forgotten: a later command is to find it.
func (e *Environment) pushRemoval() {
	e.undo.Push("sweep", func(ctx context.Context) error {
		if err := e.runtime.Sweep(ctx, e.run); err != nil {
			return err
		}
		return Forget(e.run)
	})
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

// install gives the driver its rights and lets the target install what it needs, unless a part of the environment dies meanwhile.
func (e *Environment) install(ctx context.Context, cp ControlPlane, node NodeInfo) error {
	guarded, stop := e.guard(ctx)
	group, within := errgroup.WithContext(guarded)
	group.Go(func() error { return e.target.Install(within, cp, node) })
	group.Go(func() error { return installDriver(within, cp.Config, features(e.target)) })
	err := group.Wait()
	cause := context.Cause(guarded)
	stop()
	if err != nil && cause != nil {
		err = cause // the calls say no more than that they were cancelled
	}
	if err != nil {
		return fmt.Errorf("install %s: %w", e.target.Name(), err)
	}
	return nil
}

func (e *Environment) startTarget(ctx context.Context, cp ControlPlane, node NodeInfo) error {
	client := Client(e.runtime, e.run)
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
		if spec.Ready == nil {
			continue
		}
		if err := e.awaitReady(ctx, agent, string(spec.Role), func(ctx context.Context) error { return spec.Ready(ctx, client, agent.Addr()) }); err != nil {
			return err
		}
	}
	if err := e.saveAgent(); err != nil {
		return err
	}
	learned := learner(e.target, agent)
	return e.awaitReady(ctx, agent, e.target.Name(), func(ctx context.Context) error {
		err := e.target.Ready(ctx, client, node.Addr)
		version, lacks := learned(ctx, err == nil)
		if err != nil && lacks != "" {
			return lifecycle.Stop(fmt.Errorf("%w: %s", errLacks, lacks))
		}
		e.mu.Lock()
		e.version = version
		e.mu.Unlock()
		return err
	})
}

func (e *Environment) controlPlane() ControlPlane {
	return ControlPlane{
		Run: e.run, Server: e.server, Config: e.config,
		Kubeconfig: func(name string, groups ...string) ([]byte, error) { return e.ca.kubeconfig(e.server, name, groups...) },
		Addr: func(role Role) (netip.Addr, bool) {
			c := e.container(role)
			if c == nil {
				return netip.Addr{}, false
			}
			return c.Addr(), true
		},
	}
}

// start starts a container, remembers it and follows its log, if it has one, into the record.
func (e *Environment) start(ctx context.Context, spec Spec) (Container, error) {
	c, err := e.runtime.Start(ctx, spec)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", spec.Role, err)
	}
	e.mu.Lock()
	e.containers[spec.Role], e.specs[spec.Role] = c, spec
	e.mu.Unlock()
	if spec.Streams != nil {
		return c, nil
	}
	if err := e.follow(ctx, c, spec.Role); err != nil {
		return nil, errors.Join(err, c.Stop(context.WithoutCancel(ctx)))
	}
	return c, nil
}

// container returns the container of a role, or nil.
func (e *Environment) container(role Role) Container {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.containers[role]
}

// follow appends a container's log to the record until the container ends or Down gives up.
func (e *Environment) follow(ctx context.Context, c Container, role Role) error {
	return e.followFrom(ctx, c, role, 0)
}

// followFrom leaves out so many bytes at the beginning of the log.
func (e *Environment) followFrom(ctx context.Context, c Container, role Role, from int64) error {
	dir := filepath.Join(e.out, "logs")
	if err := os.MkdirAll(dir, 0o755); err != nil { // the folder of a kept environment may have been cleared
		return fmt.Errorf("make a folder for logs: %w", err)
	}
	file, err := os.OpenFile(filepath.Join(dir, string(role)+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("open the log of %s: %w", role, err)
	}
	ctx, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	e.mu.Lock()
	e.unfollow = append(e.unfollow, cancel)
	e.mu.Unlock()
	e.logs.Go(func() {
		defer cancel(nil)
		err := c.Logs(ctx, &skipping{to: file, left: from}, true)
		if context.Cause(ctx) == errRecorded {
			err = nil
		}
		if err = errors.Join(err, file.Close()); err != nil {
			_ = os.WriteFile(file.Name()+".error", []byte(err.Error()+"\n"), 0o644)
		}
	})
	return nil
}

// Down removes everything of the run. It may be called more than once.
func (e *Environment) Down(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(context.WithoutCancel(ctx), downBound, fmt.Errorf("removing the environment did not end within %v", downBound))
	defer cancel()
	err := e.undo.Unwind(ctx)
	if err != nil {
		e.stopFollowing(nil) // what could not be removed would be followed for ever
	}
	defer context.AfterFunc(ctx, func() { e.stopFollowing(nil) })()
	e.logs.Wait()
	return err
}

func (e *Environment) stopFollowing(cause error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, cancel := range e.unfollow {
		cancel(cause)
	}
	e.unfollow = nil
}

func (f TargetFacts) metricsURL(node netip.Addr) string {
	return "http://" + netip.AddrPortFrom(node, uint16(f.MetricsPort)).String() + "/metrics"
}

// Config returns how to reach the API server from this process, as the administrator. The caller may change it.
func (e *Environment) Config() *rest.Config { return rest.CopyConfig(e.config) }

// Run names the environment.
func (e *Environment) Run() string { return e.run }

// Node returns the local node.
func (e *Environment) Node() NodeInfo {
	return NodeInfo{Name: nodeName, Addr: e.container(RoleNode).Addr()}
}
