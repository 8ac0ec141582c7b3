// Package build makes what the images of an environment hold: the binaries of its components, from their Go modules,
// and a root file system with the tools of a node, from the machine's own Debian mirror.
//
// It owns the cache, in which an entry is whole or absent and is named after all that decides its content. A component
// is a folder of docker/; adding one is adding its folder. It knows no container engine. A Builder is safe for
// concurrent use, also by several processes on one cache.
package build

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"
)

// Components of an environment, each a folder of docker/.
const (
	Etcd       = "etcd"       // etcd
	Kubernetes = "kubernetes" // kube-apiserver, kube-controller-manager and kube-proxy
	Felix      = "felix"      // calico-felix and Calico's CRDs
	Typha      = "typha"      // calico-typha
	Node       = "node"       // fv-pause, which owns the node's namespaces
	Driver     = "driver"     // fv.test
	Base       = "base"       // the tools of a node, under Felix, Node and Driver
)

// Event is progress: an Action on a Component has begun or, when Done, ended after Elapsed.
type Event struct {
	Component string
	Action    string
	Elapsed   time.Duration
	Done      bool
}

// Builder builds components and keeps what it built. Only Root must be set.
type Builder struct {
	Root   string      // the repository's root
	Cache  string      // where artifacts are kept; empty: nodefv in the user's cache directory
	Driver string      // the compiled suite; empty: bin/fv.test below Root
	Report func(Event) // told of progress, maybe from several goroutines; may be nil

	building  sync.Mutex // go build uses every core by itself, and components share packages
	toolchain func() (string, error)
	once      sync.Once
}

// Artifact is a component as built. Dir holds its Dockerfile and what that copies: bin/ and, for Felix, crd/. It must not be
// changed.
type Artifact struct {
	Component string
	Key       string // hexadecimal digest of all that decides the content
	Dir       string
}

// Artifact returns the component as its sources are now, built if the cache lacks it. A build that fails or is cancelled leaves
// nothing; the error of one that fails carries the command and the end of its output.
func (b *Builder) Artifact(ctx context.Context, component string) (Artifact, error) {
	key, err := b.Key(component)
	if err != nil {
		return Artifact{}, err
	}
	dir, err := b.entry(ctx, component, key, func(tmp string) error { return b.assemble(ctx, component, tmp) })
	if err != nil {
		return Artifact{}, fmt.Errorf("build %s: %w", component, err)
	}
	if component == Driver {
		b.dropOld(component, key)
	}
	return Artifact{Component: component, Key: key, Dir: dir}, nil
}

// Step reports that an action on a component begins; the function that it returns reports the end.
func (b *Builder) Step(component, action string) (done func()) {
	if b.Report == nil {
		return func() {}
	}
	start := time.Now()
	b.Report(Event{Component: component, Action: action})
	return func() {
		b.Report(Event{Component: component, Action: action, Elapsed: time.Since(start), Done: true})
	}
}

// assemble fills dir with an artifact of the component.
func (b *Builder) assemble(ctx context.Context, component, dir string) error {
	if err := copyContext(b.folder(component), dir); err != nil {
		return err
	}
	if component == Driver {
		return copyFile(b.driver(), filepath.Join(dir, "bin", "fv.test"), 0o755)
	}
	_, err := os.Stat(filepath.Join(b.folder(component), "go.mod"))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return b.compile(ctx, component, dir)
}

func (b *Builder) folder(component string) string { return filepath.Join(b.Root, "docker", component) }

func (b *Builder) driver() string {
	if b.Driver != "" {
		return b.Driver
	}
	return filepath.Join(b.Root, "bin", "fv.test")
}

// goVersion asks the toolchain once: Key is on the path of every start.
func (b *Builder) goVersion() (string, error) {
	b.once.Do(func() {
		b.toolchain = sync.OnceValues(func() (string, error) {
			cmd := exec.Command("go", "env", "GOVERSION")
			cmd.Dir = b.Root
			out, err := cmd.Output()
			if errors.Is(err, exec.ErrNotFound) {
				return "", errNoGo
			}
			return string(out), err
		})
	})
	return b.toolchain()
}

var errNoGo = errors.New("no go command in PATH: install Go (https://go.dev/dl) or add its bin folder to PATH")
