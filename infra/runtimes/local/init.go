package local

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/signal"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/nodefv/nodefv/infra"
)

// statusFD is where the processes that start a container tell what failed; when it closes with nothing said, the program runs.
const statusFD = 3

// failure is what they tell.
type failure struct {
	Error     string
	NoProgram bool
}

// tell ends the process if err is not nil.
func tell(status *os.File, err error) {
	if err == nil {
		return
	}
	_ = json.NewEncoder(status).Encode(failure{err.Error(), errors.Is(err, infra.ErrNoProgram)}) // nobody may be left to read it
	os.Exit(1)
}

// initialise is the container's first process until it becomes the container's program. The namespaces are entered already, but nothing
// is mounted in them.
func initialise(dir string) error {
	runtime.LockOSThread() // rights are a thread's own
	// Not by SysProcAttr.Pdeathsig: that kills a child that sees no parent, as in another process namespace.
	if err := unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0, 0, 0); err != nil {
		return fmt.Errorf("tie the container to its supervisor: %w", err)
	}
	p, err := load[plan](filepath.Join(dir, planFile))
	if err != nil {
		return err
	}
	cgroup, err := enterCgroups(p.Spec)
	if err != nil {
		return err
	}
	name := label(p.Run, p.Role)
	if err := unix.Sethostname([]byte(name[:min(len(name), 64)])); err != nil {
		return fmt.Errorf("set the host's name: %w", err)
	}
	if err := prepareRoot(p, filepath.Join(dir, rootFolder), name, cgroup); err != nil {
		return err
	}
	env := environment(p.Env)
	program, err := lookPath(p.Command[0], env)
	if err != nil {
		return err
	}
	if err := p.Ends.take(); err != nil {
		return err
	}
	if err := dropCapabilities(p.Caps); err != nil {
		return err
	}
	signal.Notify(make(chan os.Signal, 1)) // what the harness was started to ignore, as by nohup, the program must not
	return fmt.Errorf("exec %s: %w", program, syscall.Exec(program, p.Command, env))
}

// prepareRoot makes the container's root and leaves the host's.
func prepareRoot(p plan, dir, label string, cgroup cgroups) error {
	if err := enterRoot(dir, label); err != nil {
		return err
	}
	if err := fillRoot(p.Bin); err != nil {
		return err
	}
	if err := mountKernel(cgroup); err != nil {
		return err
	}
	if err := p.Ends.mount(); err != nil {
		return err
	}
	if err := place(p.Spec); err != nil {
		return err
	}
	for _, key := range slices.Sorted(maps.Keys(p.Sysctls)) {
		file := "/proc/sys/" + strings.ReplaceAll(key, ".", "/")
		if !strings.HasPrefix(key, "net.") {
			return fmt.Errorf("sysctl %s is not the network namespace's own", key)
		}
		if err := os.WriteFile(file, []byte(p.Sysctls[key]), 0); err != nil {
			return fmt.Errorf("set sysctl: %w", err)
		}
	}
	if err := guardKernel(p.RawSystem); err != nil {
		return err
	}
	return leaveHost()
}

// enterCgroups goes into the container's cgroups, which the supervisor made where it could.
func enterCgroups(spec infra.Spec) (cgroups, error) {
	all, err := writableHierarchies()
	if err != nil {
		return cgroups{}, nil // they were not made either
	}
	c := cgroups{all, label(spec.Run, spec.Role)}
	err = c.enter(0)
	if errors.Is(err, os.ErrNotExist) {
		return cgroups{}, nil
	}
	return c, err
}

// containerPath is where a container's programs are.
const containerPath = placeBin + ":/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// environment is the program's: what every container has, then what the spec says.
func environment(given map[string]string) []string {
	all := map[string]string{"PATH": containerPath, "HOME": "/root"}
	maps.Copy(all, given)
	var env []string
	for _, k := range slices.Sorted(maps.Keys(all)) {
		env = append(env, k+"="+all[k])
	}
	return env
}

// lookPath finds a program in the root of the calling thread.
func lookPath(name string, env []string) (string, error) {
	places := []string{name}
	if !strings.Contains(name, "/") {
		places = nil
		for _, e := range env {
			if list, ok := strings.CutPrefix(e, "PATH="); ok {
				for _, dir := range filepath.SplitList(list) {
					places = append(places, path.Join(dir, name))
				}
			}
		}
	}
	for _, p := range places {
		if info, err := os.Stat(p); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			return p, nil
		}
	}
	return "", fmt.Errorf("%w: %s", infra.ErrNoProgram, name)
}

// standardCaps are what a container has without asking: what Docker gives.
var standardCaps = []string{"CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "SETPCAP", "NET_BIND_SERVICE", "NET_RAW",
	"SYS_CHROOT", "MKNOD", "AUDIT_WRITE", "SETFCAP"}

// capabilities by number, as capability.h lists them.
var capabilities = []string{"CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "SETPCAP",
	"LINUX_IMMUTABLE", "NET_BIND_SERVICE", "NET_BROADCAST", "NET_ADMIN", "NET_RAW", "IPC_LOCK", "IPC_OWNER", "SYS_MODULE", "SYS_RAWIO",
	"SYS_CHROOT", "SYS_PTRACE", "SYS_PACCT", "SYS_ADMIN", "SYS_BOOT", "SYS_NICE", "SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "MKNOD",
	"LEASE", "AUDIT_WRITE", "AUDIT_CONTROL", "SETFCAP", "MAC_OVERRIDE", "MAC_ADMIN", "SYSLOG", "WAKE_ALARM", "BLOCK_SUSPEND", "AUDIT_READ",
	"PERFMON", "BPF", "CHECKPOINT_RESTORE"}

// dropCapabilities takes from the thread's bounding set what neither every container nor this one has: a program that root starts has
// what stands in that set.
func dropCapabilities(extra []string) error {
	last := len(capabilities) - 1
	if data, err := os.ReadFile("/proc/sys/kernel/cap_last_cap"); err == nil {
		if last, err = strconv.Atoi(strings.TrimSpace(string(data))); err != nil {
			return fmt.Errorf("read the last capability: %w", err)
		}
	}
	for c := 0; c <= last; c++ {
		if c < len(capabilities) && (slices.Contains(standardCaps, capabilities[c]) || slices.Contains(extra, capabilities[c])) {
			continue
		}
		if err := unix.Prctl(unix.PR_CAPBSET_DROP, uintptr(c), 0, 0, 0); err != nil {
			return fmt.Errorf("drop capability %d: %w", c, err)
		}
	}
	return nil
}
