// Package infra runs the environment of a run: etcd, an API server, the node that owns the namespaces, the SUT
// beside it, and the driver.
//
// It owns the interfaces Runtime, Container and Target, the Handoff, and the order of up and down. It knows no
// container engine (infra/runtimes) and no particular SUT (infra/targets), and it judges nothing. An Environment is safe
// for concurrent use.
package infra

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"time"

	"k8s.io/client-go/rest"

	"github.com/nodefv/nodefv/infra/lifecycle"
)

// Roles of the containers of a run; they stand in the label fv.role and in the names.
const (
	RoleEtcd      = "etcd"
	RoleAPIServer = "apiserver"
	RoleNode      = "node"
	RoleAgent     = "agent"
	RoleDriver    = "driver"
	RoleExec      = "exec"
)

// File is put into a container before it starts.
type File struct {
	Path   string // absolute, in the container; parents are made
	Mode   os.FileMode
	Data   []byte // its content, or
	Source string // a file of the host
}

// Spec says what to start.
type Spec struct {
	Run       string   // the run it belongs to
	Role      string   // its role, unique among a run's running containers
	Component string   // what it is made from: a name of infra/build; the runtime resolves it
	Command   []string // replaces the image's own; Command[0] is looked up in PATH
	Env       map[string]string
	Files     []File
	Binds     map[string]string // host directory to path in the container, writable
	Tmpfs     []string          // paths that are kept in memory
	Join      string            // role of the container whose network and process namespaces it joins; empty: its own, on the run's bridge
	Caps      []string          // capabilities, such as NET_ADMIN, beyond the runtime's default
	Sysctls   map[string]string // only where it has a network namespace of its own
	RawSystem bool              // unmasked, writable /proc/sys, no seccomp or AppArmor profile: what a node agent needs
	Memory    int64             // limit in bytes, 0: none
	CPUs      float64           // limit in cores, 0: none
	Shares    int64             // of the processors where they are scarce, up to MostShares, if the machine lets that be asked for; 0: the kernel's default, 1024

	// Streams are where its output goes and its input comes from; nil: its output is its log, and it has no input. With them, Wait also waits
	// until all output has been passed on, and Logs are empty.
	Streams *Streams `json:"-"`

	// Ready tries once, by a client that reaches the bridge, whether what runs at addr can serve those that are started after it; nil:
	// nothing waits for it.
	Ready func(ctx context.Context, client *http.Client, addr netip.Addr) error `json:"-"`
}

// MostShares are the most shares of the processors that the kernel gives to one container.
const MostShares = 262144

// ErrNoProgram is what starting a program that a container does not have is, whatever the runtime says of it.
var ErrNoProgram = errors.New("no such program")

// Runtime starts containers on one bridge network per run that it owns and makes on first use. Implementations are safe for
// concurrent use, label all they make with the run, and leave nothing of a Start that failed.
type Runtime interface {
	// Start returns once the container runs, not once it is ready. It wraps ErrNoProgram if Command[0] is not to be found.
	Start(ctx context.Context, spec Spec) (Container, error)
	// Find returns the container of a role in a run, whoever started it; it wraps os.ErrNotExist if there is none.
	Find(ctx context.Context, run, role string) (Container, error)
	// Runs lists the runs that have anything left on this machine.
	Runs(ctx context.Context) ([]RunInfo, error)
	// Sweep removes what a run left behind, or what every run left behind if run is empty. Nothing left is success.
	Sweep(ctx context.Context, run string) error
	// Describe returns the runtime's name and version.
	Describe(ctx context.Context) (name, version string, err error)
}

// Dialer is a Runtime whose containers can't be reached from this process's network namespace but through it.
type Dialer interface {
	// Dial connects to an address on the bridge of a run, as net.Dialer.DialContext does.
	Dial(ctx context.Context, run, network, address string) (net.Conn, error)
}

// Client reaches the bridge of a run: past any proxy of the user's, and through the runtime where that is the way.
func Client(rt Runtime, run string) *http.Client {
	transport := &http.Transport{DisableKeepAlives: true}
	if dial := dialOf(rt, run); dial != nil {
		transport.DialContext = dial
	}
	return &http.Client{Transport: transport}
}

// dialOf returns how to connect to the bridge of a run; nil: as to anything else.
func dialOf(rt Runtime, run string) func(ctx context.Context, network, address string) (net.Conn, error) {
	d, ok := rt.(Dialer)
	if !ok {
		return nil
	}
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		return d.Dial(ctx, run, network, address)
	}
}

// RunInfo is a run of which something is left.
type RunInfo struct {
	Run        string
	Created    time.Time
	Owner      lifecycle.Owner // the process that made it
	State      string          // its state folder, which may be in another user's home; empty: StateFolder's
	Containers int
}

// Exit is how a container's program ended.
type Exit struct {
	Code int
	OOM  bool // killed for want of memory
}

// Container is one started program with its namespaces.
type Container interface {
	Name() string
	Addr() netip.Addr                                         // on the run's bridge; invalid for one that joined another
	Exec(ctx context.Context, cmd Command) error              // *ExitError if it ends with another code than 0
	Logs(ctx context.Context, w io.Writer, follow bool) error // stdout and stderr from the beginning; follow: until it ends
	Signal(ctx context.Context, sig os.Signal) error
	Put(ctx context.Context, f File) error  // replaces a file by one of Data while it runs
	Wait(ctx context.Context) (Exit, error) // blocks until it has ended
	Stop(ctx context.Context) error         // ends and removes it; idempotent; not found is success
}

// Metered is a Container that tells what it has used of the processors.
type Metered interface {
	// CPU returns the time that its programs have used since it started, of all processors; it wraps os.ErrNotExist once it has ended.
	CPU(ctx context.Context) (time.Duration, error)
}

// Command is a program to run inside a container.
type Command struct {
	Args           []string
	Env            map[string]string
	Stdout, Stderr io.Writer // nil: kept for the error only
}

// ControlPlane is how to reach the API server of a run. Config and Kubeconfig are the administrator's.
type ControlPlane struct {
	Run    string
	Server string       // URL of the API server on the run's bridge
	Config *rest.Config // as seen from this process
	CA     []byte       // PEM
	// Kubeconfig returns a kubeconfig for a party: a client certificate with that common name and these groups, for use on
	// the bridge.
	Kubeconfig func(commonName string, groups ...string) ([]byte, error)
	// Addr returns where a role's container is on the bridge, once it runs.
	Addr func(role string) (netip.Addr, bool)
}

// NodeInfo is the local node.
type NodeInfo struct {
	Name string
	Addr netip.Addr // on the bridge
}

// Target is the harness's half of what is specific to a SUT; targets.Driven is the driver's.
type Target interface {
	Name() string
	// Specs says what to start, in order; the last is the agent. Each is called for when those before it run.
	Specs() []func(cp ControlPlane, node NodeInfo) (Spec, error)
	// Install makes CRDs, roles and default configuration, before anything of Specs is started.
	Install(ctx context.Context, cp ControlPlane, node NodeInfo) error
	// Ready is nil once the agent at addr, which the client reaches, reports that it is ready; it tries once.
	Ready(ctx context.Context, client *http.Client, addr netip.Addr) error
	Facts() TargetFacts
}

// LogReader is a Target that learns from what its agent has logged so far.
type LogReader interface {
	// VersionIn returns the agent's version; empty: it has not said.
	VersionIn(log []byte) string
	// LacksIn says in one line what the agent can't go on without, such as a kind or a right; empty: nothing.
	LacksIn(log []byte) string
}

// TargetFacts is what the driver must know of a target; it travels in the handoff.
type TargetFacts struct {
	Name        string   `json:"name"`
	Process     string   `json:"process"` // the agent's process name (comm)
	MetricsPort int      `json:"metrics_port"`
	HealthPort  int      `json:"health_port"`
	DebugPort   int      `json:"debug_port"` // net/http/pprof
	DataPlane   string   `json:"data_plane"`
	Version     string   `json:"version,omitempty"` // as the agent itself says it; empty: it does not
	Extras      []string `json:"extras,omitempty"`  // roles that the target starts besides the agent
}
