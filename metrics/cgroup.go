package metrics

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
)

// Cgroup reads CgroupBytes and CPUSeconds of the container that a process lives in. A container's own cgroup is
// what is mounted at /sys/fs/cgroup in its mount namespace, in version 1 or 2. It is safe for concurrent use.
type Cgroup struct {
	pid  func() (int, error)
	root string
}

// NewCgroup returns a source that reads the cgroup of the process that pid names; pid is asked at each scrape.
func NewCgroup(pid func() (int, error)) *Cgroup { return &Cgroup{pid: pid, root: procRoot} }

// Name returns "cgroup".
func (c *Cgroup) Name() string { return "cgroup" }

// cgroupFile is one place where a figure may stand: a lone number, or the number after key.
type cgroupFile struct {
	path  string
	key   string
	scale float64
}

var (
	cgroupMemory = []cgroupFile{
		{path: "memory.current", scale: 1},
		{path: "memory/memory.usage_in_bytes", scale: 1},
	}
	cgroupCPU = []cgroupFile{
		{path: "cpu.stat", key: "usage_usec", scale: 1e-6},
		{path: "cpuacct/cpuacct.usage", scale: 1e-9},
		{path: "cpu,cpuacct/cpuacct.usage", scale: 1e-9},
	}
)

// Scrape reads the cgroup once. What could be read is returned even if the error is not nil.
func (c *Cgroup) Scrape(ctx context.Context) (Snapshot, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	pid, err := c.pid()
	if err != nil {
		return nil, fmt.Errorf("find process: %w", err)
	}
	dir, snap := filepath.Join(c.root, strconv.Itoa(pid), "root/sys/fs/cgroup"), Snapshot{}
	err = errors.Join(readCgroup(dir, cgroupMemory, CgroupBytes, snap), readCgroup(dir, cgroupCPU, CPUSeconds, snap))
	if err != nil {
		return snap, fmt.Errorf("read cgroup of process %d: %w", pid, err)
	}
	return snap, nil
}

func readCgroup(dir string, places []cgroupFile, gauge Gauge, snap Snapshot) error {
	for _, f := range places {
		data, err := os.ReadFile(filepath.Join(dir, f.path))
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		n, err := f.parse(data)
		if err != nil {
			return fmt.Errorf("%s: %w", f.path, err)
		}
		snap[gauge] = n * f.scale
		return nil
	}
	return fmt.Errorf("%s: %s holds no cgroup of version 1 or 2: %w", gauge, dir, os.ErrNotExist)
}

func (f cgroupFile) parse(data []byte) (float64, error) {
	if f.key != "" {
		return field(data, f.key+" ")
	}
	n, err := strconv.ParseUint(string(bytes.TrimSpace(data)), 10, 63)
	return float64(n), err
}
