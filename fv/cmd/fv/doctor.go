package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"github.com/nodefv/nodefv/infra/build"
	"github.com/nodefv/nodefv/infra/runtimes"
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
	{name: "container engine", look: func(ctx context.Context) (string, error) {
		docker, err := runtimes.NewDocker(ctx, &build.Builder{}, nil)
		if err != nil {
			return "", err
		}
		name, version, err := docker.Describe(ctx)
		return name + " " + version, err
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
	{name: "kernel: nf_tables", look: kernelFeature("/proc/sys/net/netfilter", "the data planes iptables-nft and nftables need it: CONFIG_NF_TABLES")},
	{name: "kernel: network namespaces", look: kernelFeature("/proc/self/ns/net", "workloads live in them: CONFIG_NET_NS")},
	{name: "kernel: IPv6", optional: true, look: kernelFeature("/proc/sys/net/ipv6", "without it dual-stack pods can't be checked: CONFIG_IPV6, and no ipv6.disable=1")},
	{name: "cgroups", optional: true, look: kernelFeature("/sys/fs/cgroup", "without them CPU and memory of the agent are read from its process alone: mount /sys/fs/cgroup")},
}

func tool(name, remedy string) func(context.Context) (string, error) {
	return func(context.Context) (string, error) {
		if _, err := exec.LookPath(name); err != nil {
			return "", errors.New(remedy)
		}
		return "found", nil
	}
}

func kernelFeature(path, remedy string) func(context.Context) (string, error) {
	return func(context.Context) (string, error) {
		if _, err := os.Stat(path); err != nil {
			return "", errors.New(remedy)
		}
		return "present", nil
	}
}

func doctorCommand() *cobra.Command {
	return &cobra.Command{
		Use: "doctor", Short: "Check this machine: what is missing, what it costs, how to mend it", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			var missing []string
			for _, check := range checks {
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
