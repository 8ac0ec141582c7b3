package metrics

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func write(t *testing.T, root string, files map[string]string) {
	t.Helper()
	for name, data := range files {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(data), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func statLine(pid int, comm, state string, ticks, start int) string {
	return fmt.Sprintf("%d (%s) %s 1 1 1 0 -1 4194560 1 0 0 0 %d 5 0 0 20 0 7 0 %d 1 1\n", pid, comm, state, ticks, start)
}

func pid7() (int, error) { return 7, nil }

func TestProcess(t *testing.T) {
	root := t.TempDir()
	write(t, root, map[string]string{
		"7/status":       "Name:\tfelix\nVmHWM:\t  9 kB\nVmRSS:\t   100 kB\nThreads:\t12\n",
		"7/stat":         statLine(7, "a) b (c", "S", 250, 1),
		"7/smaps_rollup": "00-ff ---p 00000000 00:00 0 [rollup]\nRss:  100 kB\nPss:   80 kB\nPss_Dirty: 1 kB\n",
		"7/fd/0":         "", "7/fd/1": "", "7/fd/2": "",
	})
	now := time.Unix(1000, 0)
	p := &Process{pid: pid7, root: root, now: func() time.Time { return now }}
	want := Snapshot{RSSBytes: 102400, Threads: 12, FDs: 3, ProcessCPU: 2.55}
	for _, step := range []struct {
		after time.Duration
		pss   bool
	}{{0, true}, {pssEvery - 1, false}, {1, true}} {
		now = now.Add(step.after)
		got, err := p.Scrape(t.Context())
		expected := maps.Clone(want)
		if step.pss {
			expected[PSSBytes] = 81920
		}
		if err != nil || !maps.Equal(got, expected) {
			t.Errorf("at %v: got %v, %v, want %v", now, got, err, expected)
		}
	}
}

func TestProcessKeepsWhatItCanRead(t *testing.T) {
	root := t.TempDir()
	write(t, root, map[string]string{"7/status": "Name:\tfelix\nThreads:\t1\n", "7/stat": statLine(7, "felix", "Z", 1, 1)})
	got, err := (&Process{pid: pid7, root: root, now: time.Now}).Scrape(t.Context())
	if err == nil || !strings.Contains(err.Error(), "it has ended") || got[ProcessCPU] == 0 {
		t.Errorf("got %v, %v", got, err)
	}
	gone := func() (int, error) { return 0, os.ErrNotExist }
	if _, err := NewProcess(gone).Scrape(t.Context()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

func TestProcessOfOurs(t *testing.T) {
	if _, err := os.Stat("/proc/self/smaps_rollup"); err != nil {
		t.Skip(err)
	}
	got, err := NewProcess(func() (int, error) { return os.Getpid(), nil }).Scrape(t.Context())
	if err != nil || got[RSSBytes] < 1<<20 || got[PSSBytes] < 1<<18 || got[Threads] < 1 || got[FDs] < 3 {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestFindProcess(t *testing.T) {
	root := t.TempDir()
	write(t, root, map[string]string{
		"3/stat":  statLine(3, "calico-felix", "Z", 0, 10),
		"4/stat":  statLine(4, "iptables", "S", 0, 20),
		"9/stat":  statLine(9, "calico-felix", "S", 0, 40), // a fork of the next one, before it execs
		"12/stat": statLine(12, "calico-felix", "S", 0, 30),
		"13/stat": statLine(13, "a-name-of-fifte", "S", 0, 30),
		"14/stat": "garbage",
		"uptime":  "1 1",
	})
	for comm, want := range map[string]int{"calico-felix": 12, "a-name-of-fifteen-and-more": 13} {
		if got, err := findProcess(root, comm); got != want || err != nil {
			t.Errorf("%s: got %d, %v, want %d", comm, got, err, want)
		}
	}
	if _, err := findProcess(root, "felix"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
	if all, err := findProcesses(root, "calico-felix"); !slices.Equal(all, []int{12, 9}) || err != nil {
		t.Errorf("got %v, %v", all, err)
	}
	if got, err := findProcess(root, "calico-felix", 12); got != 9 || err != nil {
		t.Errorf("but for the oldest: got %d, %v", got, err)
	}
	if _, err := findProcess(root, "calico-felix", 9, 12); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("but for all: got %v", err)
	}
}

func TestCgroup(t *testing.T) {
	const dir = "7/root/sys/fs/cgroup/"
	for name, files := range map[string]map[string]string{
		"v1":        {dir + "memory/memory.usage_in_bytes": "4096\n", dir + "cpuacct/cpuacct.usage": "1500000000\n"},
		"v1 joined": {dir + "memory/memory.usage_in_bytes": "4096\n", dir + "cpu,cpuacct/cpuacct.usage": "1500000000\n"},
		"v2":        {dir + "memory.current": "4096\n", dir + "cpu.stat": "usage_usec 1500000\nuser_usec 1\nsystem_usec 2\n"},
	} {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			write(t, root, files)
			got, err := (&Cgroup{pid: pid7, root: root}).Scrape(t.Context())
			if want := (Snapshot{CgroupBytes: 4096, CPUSeconds: 1.5}); err != nil || !maps.Equal(got, want) {
				t.Errorf("got %v, %v", got, err)
			}
		})
	}
	root := t.TempDir()
	write(t, root, map[string]string{dir + "memory.current": "4096\n", dir + "cpu.stat": "nonsense\n"})
	got, err := (&Cgroup{pid: pid7, root: root}).Scrape(t.Context())
	if err == nil || !strings.Contains(err.Error(), "cpu.stat") || got[CgroupBytes] != 4096 {
		t.Errorf("got %v, %v", got, err)
	}
	if _, err := (&Cgroup{pid: pid7, root: t.TempDir()}).Scrape(t.Context()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}
