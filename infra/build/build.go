// Package build makes what the images of an environment hold: the binaries of its components, from their Go modules,
// and a root file system with the tools of a node, from the machine's own Debian mirror.
//
// It owns the cache, in which an entry is whole or absent and is named after all that decides its content. A component
// is a folder of docker/, but for the driver; adding one is adding its folder. It knows no container engine. A Builder is safe for
// concurrent use, also by several processes on one cache.
package build

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// Components of every environment, each but the driver a folder of docker/; targets bring more.
const (
	Etcd       = "etcd"       // etcd
	Kubernetes = "kubernetes" // kube-apiserver, kube-controller-manager and kube-proxy
	Node       = "node"       // fv-pause, which owns the node's namespaces
	Driver     = "driver"     // fv.test, which no image holds: it is compiled often
	Base       = "base"       // the tools of a node, under agents, Node and Driver
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
	Root      string            // the repository's root
	Cache     string            // where artifacts are kept; empty: nodefv in the user's cache directory
	Driver    string            // the compiled suite; empty: bin/fv.test below Root
	Overrides map[string]string // static binaries of the user's own, by component, which are taken instead of building one
	Releases  map[string]string // releases other than the pinned ones, by component: each has a folder of its own, see Choose
	Report    func(Event)       // told of progress, maybe from several goroutines; may be nil

	building sync.Mutex // go build uses every core by itself, and components share packages

	askGo     sync.Once
	goVersion string
	goErr     error
}

// Artifact is a component as built. Dir holds its Dockerfile and what that copies: bin/ and what its recipe exports, such as manifests/. It must not be
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
	kind, _ := Split(component)
	if b.Overrides[component] != "" {
		kind += "-given" // old ones are dropped, and those that took minutes to build must not be among them
	}
	dir, err := b.Entry(ctx, kind, key, func(tmp string) error {
		if err := b.assemble(ctx, component, tmp); err != nil {
			return err
		}
		if now, err := b.Key(component); err == nil && now != key {
			return errors.New("its sources changed meanwhile: try again")
		}
		return nil
	})
	if err != nil {
		return Artifact{}, fmt.Errorf("build %s: %w", component, err)
	}
	if b.given(component) != "" {
		b.dropOld(kind, key)
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
	if component == Driver {
		return copyFile(b.given(component), filepath.Join(dir, "bin", b.program(component)), 0o755)
	}
	folder := b.folder(component)
	if err := copyContext(folder, dir); err != nil {
		return err
	}
	r, err := readRecipe(folder)
	if err != nil {
		return err
	}
	if given := b.given(component); given != "" {
		err = copyFile(given, filepath.Join(dir, "bin", b.program(component)), 0o755)
	} else if exists(filepath.Join(folder, "go.mod")) {
		err = b.compile(ctx, component, r, dir)
	}
	if err != nil {
		return err
	}
	return r.finish(ctx, folder, dir)
}

func (b *Builder) folder(component string) string {
	name, release := Split(component)
	folder := filepath.Join(b.Root, "docker", name)
	if release == "" {
		release = b.Releases[name]
	} else if pinned, err := readRecipe(folder); err == nil && pinned.Release == release {
		release = ""
	}
	if release != "" {
		folder += "-" + release
	}
	return folder
}

// At names a component in one of its releases, whichever is chosen and whoever gave a binary of it.
func At(component, release string) string { return component + "@" + release }

// Split takes such a name apart; the release of any other is empty.
func Split(component string) (name, release string) {
	name, release, _ = strings.Cut(component, "@")
	return name, release
}

// given returns the path of a component's binary that is not built here, if it has one.
func (b *Builder) given(component string) string {
	switch {
	case component != Driver:
		return b.Overrides[component]
	case b.Driver != "":
		return b.Driver
	}
	return filepath.Join(b.Root, "bin", "fv.test")
}

// program returns the name of a component's binary, which for one that go build makes is the last element of its module's path, and for one that is
// always given the component's.
func (b *Builder) program(component string) string {
	if component == Driver {
		return "fv.test"
	}
	mod := filepath.Join(b.folder(component), "go.mod")
	if !exists(mod) {
		name, _ := Split(component)
		return name
	}
	return path.Base(modulePath(mod))
}

// toolchain asks the go command for its version once: Key is on the path of every start.
func (b *Builder) toolchain() (string, error) {
	b.askGo.Do(func() {
		cmd := exec.Command("go", "env", "GOVERSION")
		cmd.Dir = b.Root
		out, err := cmd.Output()
		if errors.Is(err, exec.ErrNotFound) {
			err = errNoGo
		}
		b.goVersion, b.goErr = string(out), err
	})
	return b.goVersion, b.goErr
}

var errNoGo = errors.New("no go command in PATH: install Go (https://go.dev/dl) or add its bin folder to PATH")
