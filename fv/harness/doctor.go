package harness

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/nodefv/nodefv/infra/build"
	"github.com/nodefv/nodefv/infra/runtimes/docker"
	"github.com/nodefv/nodefv/infra/runtimes/local"
)

// Check is one look at the machine. An optional one costs something if it fails; any other makes runs impossible.
type Check struct {
	Name     string
	Optional bool
	Look     func(context.Context) (found string, err error) // the error says what it costs and how to mend it
}

// Checks are all that runs need of a machine.
func Checks() []Check { return slices.Concat(machineChecks, kernelChecks()) }

var machineChecks = []Check{
	{Name: "operating system", Look: func(context.Context) (string, error) {
		if runtime.GOOS != "linux" {
			return runtime.GOOS, errors.New("agents program Linux kernels: run on Linux or in a Linux virtual machine")
		}
		var uts unix.Utsname
		err := unix.Uname(&uts)
		return "linux " + unix.ByteSliceToString(uts.Release[:]), err
	}},
	{Name: "container engine", Optional: true, Look: func(ctx context.Context) (string, error) {
		engine, err := docker.New(ctx, &build.Builder{}, nil)
		if err != nil {
			return "", err
		}
		name, version, err := engine.Describe(ctx)
		return name + " " + version, err
	}},
	{Name: "without an engine", Optional: true, Look: func(ctx context.Context) (string, error) {
		processes, err := local.New(&build.Builder{})
		if err != nil {
			return "", err
		}
		name, version, err := processes.Describe(ctx)
		return name + " " + version, err
	}},
	{Name: "a runtime", Look: func(ctx context.Context) (string, error) {
		if _, err := docker.New(ctx, &build.Builder{}, nil); err == nil {
			return RuntimeDocker, nil
		}
		if _, err := local.New(&build.Builder{}); err == nil {
			return RuntimeLocal, nil
		}
		return "", errors.New("neither an engine nor the right to do without: mend one of the two above")
	}},
	{Name: "tools of a node", Optional: true, Look: func(context.Context) (string, error) {
		if missing := build.MissingTools(); len(missing) > 0 {
			return "", fmt.Errorf("no %s: without an engine they are needed, and installed by themselves as root on Debian", strings.Join(missing, ", "))
		}
		return "found", nil
	}},
	{Name: "go", Look: tool("go", "components are built from Go modules: install Go 1.26 or later")},
	{Name: "git", Optional: true, Look: tool("git", "only needed to get the sources: install git")},
	{Name: "memory", Look: func(context.Context) (string, error) {
		var info unix.Sysinfo_t
		if err := unix.Sysinfo(&info); err != nil {
			return "", err
		}
		gib := float64(info.Freeram+info.Bufferram) * float64(info.Unit) / (1 << 30)
		if total := float64(info.Totalram) * float64(info.Unit) / (1 << 30); total < 4 {
			return fmt.Sprintf("%.1f GiB", total), errors.New("10,000 endpoints need about 4 GiB: run smaller scenarios (--labels basic)")
		}
		return fmt.Sprintf("%.1f GiB free", gib), nil
	}},
	{Name: "disk", Look: func(context.Context) (string, error) {
		dir, err := os.UserCacheDir()
		if err != nil {
			return "", fmt.Errorf("%w: set HOME", err)
		}
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return dir, err
		}
		var fs unix.Statfs_t
		if err := unix.Statfs(dir, &fs); err != nil {
			return dir, err
		}
		gib := float64(fs.Bavail) * float64(fs.Bsize) / (1 << 30)
		if gib < 8 {
			return fmt.Sprintf("%.1f GiB free in %s", gib, dir), errors.New("a first build needs about 8 GiB for Go's caches and the images: make room")
		}
		return fmt.Sprintf("%.1f GiB free", gib), nil
	}},
	{Name: "mmdebstrap", Optional: true, Look: tool("mmdebstrap", "only needed once, where no registry can be reached; installed by itself as root on Debian, else: apt-get install mmdebstrap")},
	{Name: "capabilities", Look: capabilities},
	{Name: "cgroups", Optional: true, Look: func(context.Context) (string, error) {
		if _, err := os.Stat("/sys/fs/cgroup"); err != nil {
			return "", errors.New("without them CPU and memory of the agent are read from its process alone: mount /sys/fs/cgroup")
		}
		return "mounted", nil
	}},
}

// capabilities looks for those that agent and driver are given: a container gets none that its engine's machine lacks.
func capabilities(context.Context) (string, error) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return "", err
	}
	var bounding uint64
	for line := range strings.Lines(string(status)) {
		if value, ok := strings.CutPrefix(line, "CapBnd:"); ok {
			bounding, err = strconv.ParseUint(strings.TrimSpace(value), 16, 64)
		}
	}
	if err != nil {
		return "", fmt.Errorf("read the capability bounding set: %w", err)
	}
	var missing []string
	for _, c := range []struct {
		name string
		bit  uint
	}{{"NET_ADMIN", unix.CAP_NET_ADMIN}, {"NET_RAW", unix.CAP_NET_RAW}, {"SYS_ADMIN", unix.CAP_SYS_ADMIN}, {"SYS_PTRACE", unix.CAP_SYS_PTRACE}} {
		if bounding&(1<<c.bit) == 0 {
			missing = append(missing, c.name)
		}
	}
	if len(missing) > 0 {
		return "", fmt.Errorf("this machine's bounding set lacks %s, which agent and driver need: run outside of the container or sandbox that took them", strings.Join(missing, ", "))
	}
	return "all that agent and driver need", nil
}

func tool(name, remedy string) func(context.Context) (string, error) {
	return func(context.Context) (string, error) {
		if _, err := exec.LookPath(name); err != nil {
			return "", errors.New(remedy)
		}
		return "found", nil
	}
}
