package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"github.com/nodefv/nodefv/infra/build"
	"github.com/nodefv/nodefv/infra/runtimes/docker"
	"github.com/nodefv/nodefv/infra/runtimes/local"
)

// check is one look at the machine. An optional one costs something if it fails; any other makes runs impossible.
type check struct {
	name     string
	optional bool
	look     func(context.Context) (found string, err error) // the error says what it costs and how to mend it
}

var checks = []check{
	{name: "operating system", look: func(context.Context) (string, error) {
		if runtime.GOOS != "linux" {
			return runtime.GOOS, errors.New("agents program Linux kernels: run on Linux or in a Linux virtual machine")
		}
		var uts unix.Utsname
		err := unix.Uname(&uts)
		return "linux " + unix.ByteSliceToString(uts.Release[:]), err
	}},
	{name: "container engine", optional: true, look: func(ctx context.Context) (string, error) {
		docker, err := docker.New(ctx, &build.Builder{}, nil)
		if err != nil {
			return "", err
		}
		name, version, err := docker.Describe(ctx)
		return name + " " + version, err
	}},
	{name: "without an engine", optional: true, look: func(ctx context.Context) (string, error) {
		local, err := local.New(&build.Builder{})
		if err != nil {
			return "", err
		}
		name, version, err := local.Describe(ctx)
		return name + " " + version, err
	}},
	{name: "a runtime", look: func(ctx context.Context) (string, error) {
		if _, err := docker.New(ctx, &build.Builder{}, nil); err == nil {
			return runtimeDocker, nil
		}
		if _, err := local.New(&build.Builder{}); err == nil {
			return runtimeLocal, nil
		}
		return "", errors.New("neither an engine nor the right to do without: mend one of the two above")
	}},
	{name: "tools of a node", optional: true, look: func(context.Context) (string, error) {
		if missing := build.MissingTools(); len(missing) > 0 {
			return "", fmt.Errorf("no %s: without an engine they are needed, and installed by themselves as root on Debian", strings.Join(missing, ", "))
		}
		return "found", nil
	}},
	{name: "go", look: tool("go", "components are built from Go modules: install Go 1.26 or later")},
	{name: "git", optional: true, look: tool("git", "only needed to get the sources: install git")},
	{name: "memory", look: func(context.Context) (string, error) {
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
	{name: "disk", look: func(context.Context) (string, error) {
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
	{name: "mmdebstrap", optional: true, look: tool("mmdebstrap", "only needed once, where no registry can be reached; installed by itself as root on Debian, else: apt-get install mmdebstrap")},
	{name: "capabilities", look: capabilities},
	{name: "cgroups", optional: true, look: func(context.Context) (string, error) {
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

func doctorCommand() *cobra.Command {
	return &cobra.Command{
		Use: "doctor", Short: "Check this machine: what is missing, what it costs, how to mend it", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			var missing []string
			for _, check := range append(checks, kernelChecks()...) {
				found, err := check.look(c.Context())
				state := "ok  "
				if err != nil && check.optional {
					state = "note"
				} else if err != nil {
					state = "GAP "
					missing = append(missing, check.name)
				}
				line := fmt.Sprintf("%s  %-26s %s", state, check.name, found)
				if err != nil {
					line += "  " + err.Error()
				}
				fmt.Fprintln(c.OutOrStdout(), strings.TrimRight(line, " "))
			}
			if len(missing) > 0 {
				return usage(fmt.Errorf("this machine lacks: %s", strings.Join(missing, ", ")))
			}
			return nil
		},
	}
}
