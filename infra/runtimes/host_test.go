package runtimes

import (
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/nodefv/nodefv/infra"
	"github.com/nodefv/nodefv/infra/build"
	"github.com/nodefv/nodefv/infra/runtimes/local"
	"github.com/nodefv/nodefv/infra/targets"
)

// hostEnv makes the test's own program believe that it has a machine for itself.
const hostEnv = "FV_TEST_HOST"

// TestHostIsAsBefore compares the host before and after a run. The host is one that nobody else changes meanwhile: namespaces in which
// the test is the first process.
func TestHostIsAsBefore(t *testing.T) {
	if os.Getenv(hostEnv) != "" {
		compareHost(t)
		return
	}
	rt, err := newRuntime("local")
	if err != nil {
		t.Skip(err)
	}
	for _, component := range []string{build.Etcd, build.Kubernetes, build.Node, "felix"} { // there is no way out of those namespaces
		if err := rt.(*local.Runtime).Prepare(t.Context(), component); err != nil {
			t.Fatal(err)
		}
	}
	machine := exec.Command("/proc/self/exe", "-test.v", "-test.run=^TestHostIsAsBefore$")
	machine.Env = append(os.Environ(), hostEnv+"=1")
	machine.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNET | unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC}
	out, err := machine.CombinedOutput()
	t.Logf("%s", out)
	if err != nil || !strings.Contains(string(out), "--- PASS: TestHostIsAsBefore") {
		t.Error("the host is not as before: ", err)
	}
}

func compareHost(t *testing.T) {
	run := newRun()
	for _, err := range []error{
		unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""), unix.Mount("proc", "/proc", "proc", 0, ""), unix.Mount("sysfs", "/sys", "sysfs", 0, ""),
		mountCgroups(), unmountOthers(),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, command := range []string{
		"ip link set lo up", "ip link add host0 type veth peer name host1", "ip addr add 172.30.0.2/24 dev host0", "ip link set host0 up",
		"ip route add 10.128.0.0/10 dev host0", "ip rule add from 10.128.0.1 table 7",
		"iptables -A FORWARD -s 10.128.0.1 -j DROP", "ipset create host hash:ip", "nft add table inet host",
	} {
		if out, err := exec.Command("sh", "-c", command).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v: %s", command, err, out)
		}
	}
	rt, err := newRuntime("local")
	if err != nil {
		t.Fatal(err)
	}
	before := observe(t, run)
	e, err := infra.Up(t.Context(), infra.Config{Runtime: rt, Target: felix(t, targets.Options{}), Run: run, Out: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	during := observe(t, run)
	if slices.Equal(before["processes"], during["processes"]) || slices.Equal(before["cgroups"], during["cgroups"]) {
		t.Error("the comparison sees nothing of a run that is up")
	}
	for _, what := range []string{"links", "routes", "rules", "sysctls", "mounts", "netfilter"} {
		differ(t, "while it runs, "+what, before[what], during[what])
	}
	if err := e.Down(t.Context()); err != nil {
		t.Fatal(err)
	}
	after := observe(t, run)
	for _, what := range slices.Sorted(maps.Keys(before)) {
		differ(t, what, before[what], after[what])
	}
}

// mountCgroups mounts the hierarchies that the machine has, because a fresh sysfs lies over them.
func mountCgroups() error {
	const top = "/sys/fs/cgroup"
	cgroups, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return err
	}
	if err := unix.Mount("tmpfs", top, "tmpfs", 0, ""); err != nil {
		return err
	}
	for line := range strings.Lines(string(cgroups)) {
		controllers := strings.Split(line, ":")[1]
		if controllers == "" || strings.Contains(controllers, "=") {
			continue
		}
		if err := os.Mkdir(filepath.Join(top, controllers), 0o755); err != nil {
			return err
		}
		if err := unix.Mount("cgroup", filepath.Join(top, controllers), "cgroup", 0, controllers); err != nil {
			return err
		}
	}
	if entries, err := os.ReadDir(top); err != nil || len(entries) > 0 {
		return err
	}
	return unix.Mount("cgroup2", top, "cgroup2", 0, "")
}

// unmountOthers lets go of what engines mount for their containers: they remove it from under us.
func unmountOthers() error {
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(mounts)) {
		if place := strings.Fields(line)[4]; strings.HasPrefix(place, "/var/lib/") || strings.HasPrefix(place, "/run/") {
			_ = unix.Unmount(place, unix.MNT_DETACH) // it may have gone with another
		}
	}
	return nil
}

func differ(t *testing.T, what string, before, after []string) {
	t.Helper()
	for _, line := range after {
		if !slices.Contains(before, line) {
			t.Errorf("%s: new: %s", what, line)
		}
	}
	for _, line := range before {
		if !slices.Contains(after, line) {
			t.Errorf("%s: gone: %s", what, line)
		}
	}
	if len(before) == 0 && what != "cgroups" {
		t.Errorf("%s: nothing was compared", what)
	}
}

// observe returns what a run might change, in lines.
func observe(t *testing.T, run string) map[string][]string {
	t.Helper()
	lines := func(command string) []string {
		out, err := exec.Command("sh", "-c", command).Output()
		if err != nil {
			t.Fatalf("%s: %v", command, err)
		}
		return strings.Split(strings.TrimSpace(string(out)), "\n")
	}
	comparable := func(all []string) []string { // counters and times are nobody's change
		return slices.DeleteFunc(all, func(l string) bool { return strings.HasPrefix(l, "#") || strings.HasPrefix(l, ":") })
	}
	return map[string][]string{
		"links":     lines("ip -o link; ip -o addr"),
		"routes":    lines("ip route show table all; ip -6 route show table all; ip neigh"),
		"rules":     lines("ip rule; ip -6 rule"),
		"sysctls":   sysctls(t),
		"mounts":    lines("cat /proc/self/mountinfo"),
		"processes": slices.DeleteFunc(lines("ps -eo pid,args"), func(l string) bool { return strings.Contains(l, "ps -eo") }),
		"netfilter": comparable(lines("iptables-nft-save; iptables-legacy-save; ip6tables-nft-save; nft list ruleset; ipset list")),
		"cgroups":   lines("find /sys/fs/cgroup -maxdepth 2 -name 'nodefv." + run + ".*'"),
		"names":     lines("hostname; cat /etc/hosts; ls /etc /run /var/lib /var/log"),
	}
}

// sysctls returns the settings of the kernel but for those that change by themselves.
func sysctls(t *testing.T) []string {
	t.Helper()
	var all []string
	err := filepath.WalkDir("/proc/sys", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return nil // some are nobody's to read
		}
		for _, moving := range []string{"/random/", "/fs/", "ns_last_pid", "/pty/nr", "conntrack_count", "perf_event_max_sample_rate", "/vm/stat_refresh"} {
			if strings.Contains(path, moving) {
				return nil
			}
		}
		if value, err := os.ReadFile(path); err == nil {
			all = append(all, path+" = "+strings.TrimSpace(string(value)))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}
