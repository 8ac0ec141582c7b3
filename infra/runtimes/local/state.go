package local

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"

	"github.com/nodefv/nodefv/infra"
	"github.com/nodefv/nodefv/infra/lifecycle"
)

// What local runs leave for later processes, below the run's state folder: one folder for each container, and who made the first.
const (
	localFolder = "local"
	makerFile   = "maker" // of the run

	planFile      = "plan.json"      // of a container: what its supervisor is to do
	processesFile = "processes.json" // of a container: who runs it
	exitFile      = "exit.json"      // of a container: how it ended; whole or absent
	logFile       = "log"            // of a container: stdout and stderr
	rootFolder    = "root"           // of a container: where its root is mounted, in its own mount namespace alone
)

// roleNetwork is the container that owns the namespace of the run's bridge.
const roleNetwork = "network"

// plan is all that the processes that start a container must know.
type plan struct {
	infra.Spec
	Maker lifecycle.Owner
	Addr  netip.Addr      // its own on the bridge; invalid for one that joins another
	Net   lifecycle.Owner // the process whose network namespace it connects to: the bridge's, or that of the container it joins
	Bin   string          // folder of the component's programs
	Ends  ends            // what its program has in place of a log
}

// processes are those that run a container.
type processes struct {
	Supervisor lifecycle.Owner
	Init       lifecycle.Owner // the first process of the container
}

// labelStart begins what marks the mounts and cgroups of containers; run and role follow.
const labelStart = "nodefv."

func label(run, role string) string { return labelStart + run + "." + role }

// runOf returns the run of a label.
func runOf(label string) string {
	run := strings.TrimPrefix(label, labelStart)
	return run[:max(0, strings.LastIndexByte(run, '.'))]
}

// ofRun matches the labels of a run, and with no run those of all.
func ofRun(run string) func(label string) bool {
	return func(label string) bool { return run == "" || runOf(label) == run }
}

// runFolder returns the folder of a run's containers.
func runFolder(run string) (string, error) {
	state, err := infra.StateFolder(run)
	return filepath.Join(state, localFolder), err
}

// makeRunFolder makes the folder of a run's containers if it is absent; it never is without its maker.
func makeRunFolder(run string) (string, error) {
	dir, err := runFolder(run)
	if err != nil {
		return "", err
	}
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return "", fmt.Errorf("make a folder for run %s: %w", run, err)
	}
	tmp, err := os.MkdirTemp(filepath.Dir(dir), localFolder+"-")
	if err != nil {
		return "", fmt.Errorf("make a folder for run %s: %w", run, err)
	}
	defer os.RemoveAll(tmp)
	if err := os.WriteFile(filepath.Join(tmp, makerFile), []byte(lifecycle.Self()), 0o600); err != nil {
		return "", fmt.Errorf("make a folder for run %s: %w", run, err)
	}
	if err := os.Rename(tmp, dir); err != nil {
		if _, e := os.Stat(dir); e != nil {
			return "", fmt.Errorf("make a folder for run %s: %w", run, err)
		}
	}
	return dir, nil
}

// runFolders returns the folders of all runs.
func runFolders() (map[string]string, error) {
	any, err := runFolder("*")
	if err != nil {
		return nil, err
	}
	found, err := filepath.Glob(any)
	if err != nil {
		return nil, fmt.Errorf("list runs: %w", err)
	}
	runs := map[string]string{}
	for _, dir := range found {
		runs[filepath.Base(filepath.Dir(dir))] = dir
	}
	return runs, nil
}

// save writes a file that is whole or absent.
func save(path string, value any) error {
	data, err := json.Marshal(value)
	if err == nil {
		err = os.WriteFile(path+".new", data, 0o600) // a plan holds keys
	}
	if err == nil {
		err = os.Rename(path+".new", path)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", filepath.Base(path), err)
	}
	return nil
}

func load[T any](path string) (T, error) {
	var value T
	data, err := os.ReadFile(path)
	if err != nil {
		return value, err
	}
	if err := json.Unmarshal(data, &value); err != nil {
		return value, fmt.Errorf("read %s: %w", path, err)
	}
	return value, nil
}

// containersIn lists the folders of a run's containers by role.
func containersIn(dir string) (map[string]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("list containers: %w", err)
	}
	found := map[string]string{}
	for _, e := range entries {
		if e.IsDir() {
			found[e.Name()] = filepath.Join(dir, e.Name())
		}
	}
	return found, nil
}
