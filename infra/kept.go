package infra

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nodefv/nodefv/infra/lifecycle"
)

// StateFolder is where a run keeps what a later process needs: its kubeconfig, and whether it is kept.
func StateFolder(run string) (string, error) {
	all, err := stateFolders()
	return filepath.Join(all, run), err
}

func stateFolders() (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find a folder for the run: %w; set HOME", err)
	}
	return filepath.Join(cache, "nodefv", "runs"), nil
}

const kubeconfigFile = "kubeconfig"

func (e *Environment) kubeconfigPath() string { return filepath.Join(e.state, kubeconfigFile) }
func (e *Environment) driverKubeconfigPath() string {
	return filepath.Join(e.state, "kubeconfig-driver")
}

const keptFile = "kept"

const etcdFile = "etcd.json"

func (e *Environment) saveEtcd() error {
	data, err := json.Marshal(e.etcd)
	if err == nil {
		err = os.WriteFile(filepath.Join(e.state, etcdFile), data, 0o600)
	}
	if err != nil {
		return fmt.Errorf("save how etcd is reached: %w", err)
	}
	return nil
}

// Keep marks the environment as one that shall outlive its maker.
func (e *Environment) Keep() error {
	if err := os.WriteFile(filepath.Join(e.state, keptFile), nil, 0o600); err != nil {
		return fmt.Errorf("mark the environment as kept: %w", err)
	}
	return nil
}

// Kept reports whether the run's environment was left on purpose. One that another user made, and whose folder can't be looked into, counts
// as such.
func (r RunInfo) Kept() bool {
	state, err := r.state()
	if err != nil {
		return false
	}
	_, err = os.Stat(filepath.Join(state, keptFile))
	return err == nil || errors.Is(err, os.ErrPermission)
}

// ForgetGone forgets the runs whose maker has ended, but for those that still have something on this machine. The known are all that the
// named runtimes know; runs of others are left alone.
func ForgetGone(known []RunInfo, runtimes ...string) error {
	all, err := stateFolders()
	if err != nil {
		return err
	}
	folders, err := os.ReadDir(all)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("list the runs: %w", err)
	}
	var gone []string
	for _, folder := range folders {
		if slices.ContainsFunc(known, func(r RunInfo) bool { return r.Run == folder.Name() }) {
			continue
		}
		owner, _ := os.ReadFile(filepath.Join(all, folder.Name(), ownerFile))
		info, err := folder.Info()
		if err != nil || len(owner) == 0 && time.Since(info.ModTime()) < time.Minute {
			continue // it goes, or is being made
		}
		if making, err := ReadMaking(folder.Name()); err == nil && !slices.Contains(runtimes, making.Runtime) {
			continue // nobody asked who knows
		}
		if lifecycle.Owner(owner).Gone(info.ModTime()) {
			gone = append(gone, folder.Name())
		}
	}
	return Forget(gone...)
}

// Forget removes what was kept on this machine about runs that are gone.
func Forget(runs ...string) error {
	var failed []error
	for _, run := range runs {
		state, err := StateFolder(run)
		if err == nil {
			err = os.RemoveAll(state)
		}
		failed = append(failed, err)
	}
	return errors.Join(failed...)
}

// What a later process reads of a run: who made it, its target's facts, the folder of its logs, and how to start the agent again.
const (
	ownerFile = "owner"
	factsFile = "target.json"
	outFile   = "out"
	agentFile = "agent.json"
	makeFile  = "making.json"
)

// Making is how the harness made an environment: what later processes must do alike.
type Making struct {
	Runtime  string            `json:"runtime"`
	Binaries map[string]string `json:"binaries,omitempty"` // not built from the pinned modules, by component
	Agent    Choice            `json:"agent"`
}

// Choice is how the user chose the agent's release; all empty: the pinned one.
type Choice struct {
	Component string `json:"component,omitempty"` // whose release or checkout was chosen
	Release   string `json:"release,omitempty"`
	Source    string `json:"source,omitempty"` // checkout, an absolute path
	CRDs      string `json:"crds,omitempty"`   // folder or file, an absolute path, or "image:" and a path in the agent's image
}

const driveFile = "drive"

// ErrDriven is what taking an environment is that another process drives.
var ErrDriven = errors.New("another command is at work in it")

// Take makes this process the only one that drives the environment, until release is called or it ends; ErrDriven if another does.
func (e *Environment) Take() (release func() error, err error) {
	if release, err = takeIn(e.state); err != nil {
		return nil, fmt.Errorf("run %s: %w", e.run, err)
	}
	return release, nil
}

// Take is as Environment.Take, for one that need not be attached to. It does nothing where that can't be known from here.
func (r RunInfo) Take() (release func() error, err error) {
	state, err := r.state()
	if err == nil {
		release, err = takeIn(state)
	}
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, os.ErrPermission) {
		return func() error { return nil }, nil
	}
	return release, err
}

func takeIn(state string) (release func() error, err error) {
	file, err := os.OpenFile(filepath.Join(state, driveFile), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("take the environment: %w", err)
	}
	err = unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if err == nil {
		return file.Close, nil
	}
	if errors.Is(err, unix.EWOULDBLOCK) {
		err = ErrDriven
	}
	_ = file.Close() // nothing was written
	return nil, err
}

// Driven reports whether a process has taken the run's environment, see Take; false if that can't be known from here.
func (r RunInfo) Driven() bool {
	state, err := r.state()
	if err != nil {
		return false
	}
	file, err := os.Open(filepath.Join(state, driveFile))
	if err != nil {
		return false // nobody ever has
	}
	defer func() { _ = file.Close() }() // which gives the lock back
	return errors.Is(unix.Flock(int(file.Fd()), unix.LOCK_SH|unix.LOCK_NB), unix.EWOULDBLOCK)
}

// ReadMaking returns how a run's environment was made.
func ReadMaking(run string) (Making, error) {
	var m Making
	state, err := StateFolder(run)
	if err != nil {
		return m, err
	}
	data, err := os.ReadFile(filepath.Join(state, makeFile))
	if err != nil {
		return m, fmt.Errorf("run %s was not started by this user: %w", run, err)
	}
	return m, json.Unmarshal(data, &m)
}

func (e *Environment) saveFacts() error {
	data, err := json.Marshal(e.facts())
	if err != nil {
		return fmt.Errorf("save the target's facts: %w", err)
	}
	making, err := json.Marshal(e.cfg.Making)
	if err != nil {
		return fmt.Errorf("save how the run is made: %w", err)
	}
	return errors.Join(
		os.WriteFile(filepath.Join(e.state, makeFile), making, 0o600),
		os.WriteFile(filepath.Join(e.state, ownerFile), []byte(lifecycle.Self()), 0o600),
		os.WriteFile(filepath.Join(e.state, factsFile), data, 0o600),
		os.WriteFile(filepath.Join(e.state, outFile), []byte(e.out), 0o600),
	)
}

func (e *Environment) saveAgent() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	data, err := json.Marshal(e.specs[RoleAgent])
	if err == nil {
		err = os.WriteFile(filepath.Join(e.state, agentFile), data, 0o600) // it holds the agent's key
	}
	if err != nil {
		return fmt.Errorf("save how the agent is started: %w", err)
	}
	return nil
}

// loadAgent makes an attached environment able to start an agent that died.
func (e *Environment) loadAgent() error {
	data, err := os.ReadFile(filepath.Join(e.state, agentFile))
	if err != nil {
		return fmt.Errorf("read how the agent is started: %w", err)
	}
	var spec Spec
	if err := json.Unmarshal(data, &spec); err != nil {
		return fmt.Errorf("read how the agent is started: %w", err)
	}
	e.specs[RoleAgent] = spec
	return nil
}

// ReadFacts returns how the target of a running environment of this user was started.
func ReadFacts(run string) (TargetFacts, error) { return RunInfo{Run: run}.Facts() }

// Attach takes hold of a running environment that another process made.
func Attach(ctx context.Context, rt Runtime, target Target, run string) (*Environment, error) {
	state, err := StateFolder(run)
	if err != nil {
		return nil, err
	}
	out, err := os.ReadFile(filepath.Join(state, outFile))
	if err != nil {
		return nil, fmt.Errorf("attach to run %s: %w", run, err)
	}
	facts, err := ReadFacts(run)
	if err != nil {
		return nil, err
	}
	e := &Environment{runtime: rt, target: target, version: facts.Version, run: run, out: string(out), state: state, containers: map[string]Container{}, specs: map[string]Spec{}}
	if err := errors.Join(e.loadConfig(), e.loadAgent()); err != nil {
		return nil, fmt.Errorf("attach to run %s: %w", run, err)
	}
	e.pushRemoval()
	for _, role := range append([]string{RoleEtcd, RoleAPIServer, RoleNode, RoleAgent}, facts.Extras...) {
		c, err := rt.Find(ctx, run, role)
		if err != nil {
			return nil, fmt.Errorf("attach to run %s: %w", run, err)
		}
		e.containers[role] = c
	}
	return e, nil
}

// Runs returns the runs of which this user has an environment, by name.
func Runs() []string {
	folder, err := stateFolders()
	if err != nil {
		return nil
	}
	entries, _ := os.ReadDir(folder) // none: there is no folder yet
	var runs []string
	for _, e := range entries {
		if _, err := ReadFacts(e.Name()); err == nil {
			runs = append(runs, e.Name())
		}
	}
	return runs
}
