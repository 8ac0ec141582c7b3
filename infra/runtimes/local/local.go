// Package local runs containers without an engine: as processes in namespaces of their own.
//
// It owns the processes, cgroups and mounts on this machine that carry a label of a run, and the run's folder. It knows neither what the
// containers are for nor in which order they go.
package local

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"github.com/nodefv/nodefv/infra"
	"github.com/nodefv/nodefv/infra/build"
	"github.com/nodefv/nodefv/infra/lifecycle"
)

// Runtime runs containers as processes in namespaces of their own, with the host's programs and root file systems in
// memory. It touches nothing of the host but files in the run's state folder and cgroups. Each container has a supervisor, a process
// that waits for its end; the bridge is in the namespace of a container of its own. It is safe for concurrent use.
//
// A program that uses it calls BecomeLauncher first, because it starts that program again to start containers.
type Runtime struct {
	builder *build.Builder
	starts  sync.Mutex // so that a run's bridge is made once, and no address given twice
}

// New checks what processes in namespaces need. Its errors are one line that says what to do.
func New(builder *build.Builder) (*Runtime, error) {
	if os.Geteuid() != 0 {
		return nil, errors.New("without an engine runs need root: use sudo, or `unshare --user --map-root-user` before the command (see docs/runtimes.md)")
	}
	if err := elsewhere(func() error { return unix.Unshare(unix.CLONE_NEWNS | unix.CLONE_NEWNET) }); err != nil {
		return nil, fmt.Errorf("without an engine runs need namespaces of their own, and this machine refuses them (%w): leave the sandbox that forbids them, or start an engine", err)
	}
	return &Runtime{builder: builder}, nil
}

// Name returns "local".
func (l *Runtime) Name() string { return "local" }

// Describe returns the kernel's version, and what is missing if cgroups can't be made.
func (l *Runtime) Describe(context.Context) (name, version string, err error) {
	var uts unix.Utsname
	if err := unix.Uname(&uts); err != nil {
		return "", "", fmt.Errorf("ask for the kernel's version: %w", err)
	}
	version = "processes on Linux " + unix.ByteSliceToString(uts.Release[:])
	if _, err := writableHierarchies(); err != nil {
		version += ", no limits (" + err.Error() + ")"
	}
	return l.Name(), version, nil
}

// Prepare builds the component if it is absent or its sources have changed, and installs the programs of the host that containers use.
func (l *Runtime) Prepare(ctx context.Context, component string) error {
	_, err := l.artifact(ctx, component)
	return err
}

func (l *Runtime) artifact(ctx context.Context, component string) (build.Artifact, error) {
	if err := l.builder.HostTools(ctx); err != nil {
		return build.Artifact{}, err
	}
	return l.builder.Artifact(ctx, component)
}

// Find returns the container of a role in a run, running or not.
func (l *Runtime) Find(_ context.Context, run string, role infra.Role) (infra.Container, error) {
	c, err := l.find(run, role)
	if err != nil {
		return nil, err
	}
	return c, nil
}

func (l *Runtime) find(run string, role infra.Role) (*container, error) {
	dir, err := runFolder(run)
	if err != nil {
		return nil, err
	}
	return openContainer(filepath.Join(dir, string(role)), run, role)
}

// Runs lists the runs of which containers, processes or cgroups are left.
func (l *Runtime) Runs(context.Context) ([]infra.RunInfo, error) {
	dirs, err := runFolders()
	if err != nil {
		return nil, err
	}
	found := map[string]infra.RunInfo{}
	for run, dir := range dirs {
		info, err := os.Stat(dir)
		if err != nil {
			continue // it goes at this moment
		}
		maker, _ := os.ReadFile(filepath.Join(dir, makerFile))
		containers, err := containersIn(dir)
		if err != nil {
			return nil, err
		}
		delete(containers, roleNetwork)
		found[run] = infra.RunInfo{Run: run, Created: info.ModTime(), Owner: lifecycle.Owner(maker), Containers: len(containers)}
	}
	strays, err := strays()
	if err != nil {
		return nil, err
	}
	for _, r := range strays {
		if found[r.Run].Run == "" {
			found[r.Run] = r
		}
	}
	return slices.Collect(maps.Values(found)), nil
}

// strayAge is how old a cgroup without processes must be until it is nobody's: its container may be starting.
const strayAge = time.Minute

// strays lists the runs that have processes or cgroups, be there a folder of theirs or not: it may be in another user's home. While a
// process of such a run lives it counts as its own maker, so that only who asks for it removes it.
func strays() ([]infra.RunInfo, error) {
	running, err := labelled(ofRun(""))
	if err != nil {
		return nil, err
	}
	var found []infra.RunInfo
	for label, pids := range running {
		if owner, err := lifecycle.OwnerOf(pids[0]); err == nil {
			found = append(found, infra.RunInfo{Run: runOf(label), Created: time.Now(), Owner: owner})
		}
	}
	dirs, err := labelledCgroups(ofRun(""))
	if err != nil {
		return nil, err
	}
	for _, dir := range dirs {
		info, err := os.Stat(dir)
		if err == nil && time.Since(info.ModTime()) > strayAge {
			found = append(found, infra.RunInfo{Run: runOf(filepath.Base(dir)), Created: info.ModTime()})
		}
	}
	return found, nil
}

// Sweep kills the run's processes, which takes their namespaces with them, and removes cgroups and files.
func (l *Runtime) Sweep(ctx context.Context, run string) error {
	dirs, err := runFolders()
	if err != nil {
		return err
	}
	var group errgroup.Group
	for known, dir := range dirs {
		if run == "" || known == run {
			group.Go(func() error { return sweepRun(ctx, known, dir) })
		}
	}
	if err := group.Wait(); err != nil {
		return err
	}
	return sweepStrays(ctx, ofRun(run)) // what has no folder any more
}

func sweepRun(ctx context.Context, run, dir string) error {
	containers, err := containersIn(dir)
	if err != nil {
		return err
	}
	if err := killLabelled(ctx, ofRun(run)); err != nil { // all at once: it is quicker than one after the other
		return err
	}
	var failed []error
	for role, folder := range containers {
		c, err := openContainer(folder, run, role)
		if err == nil {
			err = c.Stop(ctx)
		}
		if !errors.Is(err, os.ErrNotExist) {
			failed = append(failed, err)
		}
	}
	if err := errors.Join(failed...); err != nil {
		return err
	}
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("remove the folder of run %s: %w", run, err)
	}
	_ = os.Remove(filepath.Dir(dir)) // it stays while others have something there
	return nil
}

// sweepStrays removes what is left of containers whose supervisor or folder is gone.
func sweepStrays(ctx context.Context, matches func(label string) bool) error {
	if err := killLabelled(ctx, matches); err != nil {
		return err
	}
	dirs, err := labelledCgroups(matches)
	if err != nil {
		return err
	}
	var failed []error
	for _, dir := range dirs {
		failed = append(failed, removeCgroup(ctx, dir))
	}
	return errors.Join(failed...)
}
