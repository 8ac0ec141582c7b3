package local

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nodefv/nodefv/infra"
	"github.com/nodefv/nodefv/infra/lifecycle"
)

// hierarchy is a mounted tree of cgroups of which containers have a part.
type hierarchy struct {
	path        string   // where it is mounted
	controllers []string // in version 1; none in version 2
}

func (h hierarchy) v2() bool { return h.controllers == nil }

// cgroupControllers are those that limits and readings need.
var cgroupControllers = []string{"memory", "cpu", "cpuacct"}

// hierarchies returns those that hold memory and CPU: of version 1 if they are mounted so, else that of version 2.
func hierarchies() ([]hierarchy, error) {
	mounts, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return nil, fmt.Errorf("list cgroups: %w", err)
	}
	defer mounts.Close()
	var v1, v2 []hierarchy // a later mount hides an earlier one, or shows the same
	for lines := bufio.NewScanner(mounts); lines.Scan(); {
		place, what, _ := strings.Cut(lines.Text(), " - ")
		p, w := strings.Fields(place), strings.Fields(what)
		if len(p) < 5 || len(w) < 3 {
			continue
		}
		switch w[0] {
		case "cgroup":
			h := hierarchy{path: p[4], controllers: []string{}}
			for _, c := range cgroupControllers {
				if slices.Contains(strings.Split(w[2], ","), c) {
					h.controllers = append(h.controllers, c)
				}
			}
			if len(h.controllers) > 0 {
				v1 = slices.DeleteFunc(v1, func(o hierarchy) bool { return slices.Equal(o.controllers, h.controllers) })
				v1 = append(v1, h)
			}
		case "cgroup2":
			v2 = []hierarchy{{path: p[4]}}
		}
	}
	if len(v1) > 0 {
		return v1, nil
	}
	return v2, nil
}

// writableHierarchies returns those in which containers can be given a part.
func writableHierarchies() ([]hierarchy, error) {
	all, err := hierarchies()
	if err != nil {
		return nil, err
	}
	for _, h := range all {
		if err := unix.Access(h.path, unix.W_OK); err != nil {
			return nil, fmt.Errorf("cgroups in %s can't be made: %w", h.path, err)
		}
	}
	if len(all) == 0 {
		return nil, errors.New("no cgroups are mounted")
	}
	return all, nil
}

// cgroups are a container's folders, one in each hierarchy.
type cgroups struct {
	hierarchies []hierarchy
	name        string
}

// makeCgroups makes the container's part of each hierarchy, with its limits.
func makeCgroups(spec infra.Spec) (cgroups, error) {
	all, err := writableHierarchies()
	if err != nil {
		return cgroups{}, err
	}
	c := cgroups{all, label(spec.Run, spec.Role)}
	for _, h := range all {
		if h.v2() {
			delegate(h.path)
		}
		if err = os.Mkdir(c.dir(h), 0o755); err != nil && !errors.Is(err, os.ErrExist) {
			break
		}
		if err = h.limit(c.dir(h), spec); err != nil {
			break
		}
	}
	if err != nil {
		return cgroups{}, errors.Join(fmt.Errorf("make cgroup %s: %w", c.name, err), c.remove(context.Background()))
	}
	return c, nil
}

// delegate gives children the controllers; those of systemd have them already.
func delegate(path string) {
	for _, c := range cgroupControllers {
		_ = set(filepath.Join(path, "cgroup.subtree_control"), "+"+c) // what lacks it refuses the limit
	}
}

func (c cgroups) dir(h hierarchy) string { return filepath.Join(h.path, c.name) }

const cpuPeriod = 100000 // microseconds

func (h hierarchy) limit(dir string, spec infra.Spec) error {
	var settings [][2]string
	bytes, quota := strconv.FormatInt(spec.Memory, 10), strconv.Itoa(int(spec.CPUs*cpuPeriod))
	if spec.Memory > 0 && h.v2() {
		settings = append(settings, [2]string{"memory.max", bytes}, [2]string{"memory.swap.max", "0"})
	} else if spec.Memory > 0 && slices.Contains(h.controllers, "memory") {
		settings = append(settings, [2]string{"memory.limit_in_bytes", bytes}, [2]string{"memory.memsw.limit_in_bytes", bytes})
	}
	if spec.CPUs > 0 && h.v2() {
		settings = append(settings, [2]string{"cpu.max", quota + " " + strconv.Itoa(cpuPeriod)})
	} else if spec.CPUs > 0 && slices.Contains(h.controllers, "cpu") {
		settings = append(settings, [2]string{"cpu.cfs_period_us", strconv.Itoa(cpuPeriod)}, [2]string{"cpu.cfs_quota_us", quota})
	}
	if spec.Shares > 0 && h.v2() {
		weight := 1 + (spec.Shares-2)*9999/(infra.MostShares-2) // from 1 to 10000, as Docker's own runtime translates shares
		settings = append(settings, [2]string{"cpu.weight", strconv.FormatInt(weight, 10)})
	} else if spec.Shares > 0 && slices.Contains(h.controllers, "cpu") {
		settings = append(settings, [2]string{"cpu.shares", strconv.FormatInt(spec.Shares, 10)})
	}
	for _, s := range settings {
		swap := strings.Contains(s[0], "sw") // a kernel without swap accounting has no such file
		if err := set(filepath.Join(dir, s[0]), s[1]); err != nil && !(swap && errors.Is(err, os.ErrNotExist)) {
			return err
		}
	}
	return nil
}

// set writes a setting. It makes no file: where there is none, the kernel says that, and not that none may be made.
func set(path, value string) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(value)
	return errors.Join(err, f.Close())
}

// enter moves a process in; 0 is the caller.
func (c cgroups) enter(pid int) error {
	for _, h := range c.hierarchies {
		if err := set(filepath.Join(c.dir(h), "cgroup.procs"), strconv.Itoa(pid)); err != nil {
			return fmt.Errorf("enter cgroup %s: %w", c.dir(h), err)
		}
	}
	return nil
}

// oom reports whether the kernel killed anything in it for want of memory.
func (c cgroups) oom() bool {
	for _, h := range c.hierarchies {
		for _, file := range []string{"memory.events", "memory.oom_control"} {
			data, _ := os.ReadFile(filepath.Join(c.dir(h), file))
			for line := range strings.Lines(string(data)) {
				if f := strings.Fields(line); len(f) == 2 && f[0] == "oom_kill" && f[1] != "0" {
					return true
				}
			}
		}
	}
	return false
}

// cpu returns what was used of the processors.
func (c cgroups) cpu() (time.Duration, error) {
	for _, h := range c.hierarchies {
		file := "cpuacct.usage"
		if h.v2() {
			file = "cpu.stat"
		} else if !slices.Contains(h.controllers, "cpuacct") {
			continue
		}
		data, err := os.ReadFile(filepath.Join(c.dir(h), file))
		if err != nil {
			return 0, err
		}
		for line := range strings.Lines(string(data)) {
			words, unit := strings.Fields(line), time.Nanosecond
			if h.v2() {
				if len(words) != 2 || words[0] != "usage_usec" {
					continue
				}
				words, unit = words[1:], time.Microsecond
			}
			used, err := strconv.ParseInt(words[0], 10, 64)
			return time.Duration(used) * unit, err
		}
	}
	return 0, errors.New("no cgroup counts it")
}

// remove removes them once their last process has been reaped.
func (c cgroups) remove(ctx context.Context) error {
	var failed []error
	for _, h := range c.hierarchies {
		failed = append(failed, removeCgroup(ctx, c.dir(h)))
	}
	return errors.Join(failed...)
}

func removeCgroup(ctx context.Context, dir string) error {
	return lifecycle.Wait(ctx, "removal of cgroup "+dir, 5*time.Second, func(context.Context) error {
		err := unix.Rmdir(dir)
		if errors.Is(err, unix.ENOENT) {
			return nil
		}
		return err
	})
}

// labelledCgroups returns the folders of cgroups with a label of ours that matches.
func labelledCgroups(matches func(label string) bool) ([]string, error) {
	all, err := hierarchies()
	if err != nil {
		return nil, err
	}
	var found []string
	for _, h := range all {
		if unix.Access(h.path, unix.W_OK) != nil {
			continue // what is there is another's
		}
		dirs, err := filepath.Glob(filepath.Join(h.path, labelStart+"*"))
		if err != nil {
			return nil, fmt.Errorf("list cgroups: %w", err)
		}
		for _, dir := range dirs {
			if matches(filepath.Base(dir)) {
				found = append(found, dir)
			}
		}
	}
	return found, nil
}
