package metrics

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	procRoot = "/proc"
	pssEvery = 10 * time.Second
	// userHZ is what times in /proc/<pid>/stat are counted in: 100 on every architecture that Go runs Linux on.
	userHZ = 100
	// commLen is the kernel's limit for a process name.
	commLen = 15
)

// Process reads what /proc tells of one process: RSSBytes, Threads, FDs, ProcessCPU, and PSSBytes in one scrape of
// every ten seconds. It is safe for concurrent use.
type Process struct {
	pid  func() (int, error)
	root string
	now  func() time.Time

	mu      sync.Mutex
	lastPSS time.Time // the ten seconds in which it was read
}

// NewProcess returns a source that reads the process that pid names; pid is asked at each scrape, so that a restarted
// process is found again.
func NewProcess(pid func() (int, error)) *Process {
	return &Process{pid: pid, root: procRoot, now: time.Now}
}

// Name returns "process".
func (p *Process) Name() string { return "process" }

// Scrape reads the process once. What could be read is returned even if the error is not nil.
func (p *Process) Scrape(ctx context.Context) (Snapshot, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	pid, err := p.pid()
	if err != nil {
		return nil, fmt.Errorf("find process: %w", err)
	}
	dir, snap := filepath.Join(p.root, strconv.Itoa(pid)), Snapshot{}
	err = errors.Join(readStatus(dir, snap), readStat(dir, snap), countFDs(dir, snap), p.readPSS(dir, snap))
	if err != nil {
		return snap, fmt.Errorf("read process %d: %w", pid, err)
	}
	return snap, nil
}

func readStatus(dir string, snap Snapshot) error {
	data, err := os.ReadFile(filepath.Join(dir, "status"))
	if err != nil {
		return err
	}
	rss, err := field(data, "VmRSS:")
	if err != nil {
		return fmt.Errorf("status: %w (it has ended)", err)
	}
	threads, err := field(data, "Threads:")
	if err != nil {
		return fmt.Errorf("status: %w", err)
	}
	snap[RSSBytes], snap[Threads] = rss*1024, threads
	return nil
}

// field returns the number that follows a key at the beginning of a line.
func field(data []byte, key string) (float64, error) {
	for line := range bytes.Lines(data) {
		rest, ok := bytes.CutPrefix(line, []byte(key))
		words := bytes.Fields(rest)
		if !ok || len(words) == 0 {
			continue
		}
		n, err := strconv.ParseUint(string(words[0]), 10, 63)
		if err != nil {
			return 0, fmt.Errorf("%s %w", key, err)
		}
		return float64(n), nil
	}
	return 0, fmt.Errorf("no %s", strings.TrimSpace(key))
}

func readStat(dir string, snap Snapshot) error {
	st, err := parseStat(dir)
	if err == nil {
		snap[ProcessCPU] = float64(st.ticks) / userHZ
	}
	return err
}

type procStat struct {
	comm  string
	state string
	ticks uint64 // user and system time
	start uint64 // since boot
}

func parseStat(dir string) (procStat, error) {
	data, err := os.ReadFile(filepath.Join(dir, "stat"))
	if err != nil {
		return procStat{}, err
	}
	// A process may put spaces and brackets into its own name, so the last bracket is the one that counts.
	begin, end := bytes.IndexByte(data, '('), bytes.LastIndexByte(data, ')')
	if begin < 0 || end < begin {
		return procStat{}, errors.New("stat: no process name")
	}
	words := strings.Fields(string(data[end+1:]))
	if len(words) < 20 {
		return procStat{}, fmt.Errorf("stat: %d fields after the name, want 20 at least", len(words))
	}
	user, err1 := strconv.ParseUint(words[11], 10, 64)
	system, err2 := strconv.ParseUint(words[12], 10, 64)
	start, err3 := strconv.ParseUint(words[19], 10, 64)
	if err := errors.Join(err1, err2, err3); err != nil {
		return procStat{}, fmt.Errorf("stat: %w", err)
	}
	return procStat{comm: string(data[begin+1 : end]), state: words[0], ticks: user + system, start: start}, nil
}

func countFDs(dir string, snap Snapshot) error {
	d, err := os.Open(filepath.Join(dir, "fd"))
	if err != nil {
		return err
	}
	defer d.Close()
	names, err := d.Readdirnames(-1)
	if err == nil {
		snap[FDs] = float64(len(names))
	}
	return err
}

func (p *Process) readPSS(dir string, snap Snapshot) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now().Truncate(pssEvery) // so that those of several processes are read in the same scrape, and can be added up
	if now.Equal(p.lastPSS) {
		return nil
	}
	p.lastPSS = now
	pss, err := pssOf(dir)
	if err == nil {
		snap[PSSBytes] = pss
	}
	return err
}

// PSS reads a process's proportional set now, in bytes. It stalls the process for about 2 ms.
func PSS(pid int) (float64, error) { return pssOf(filepath.Join(procRoot, strconv.Itoa(pid))) }

func pssOf(dir string) (float64, error) {
	data, err := os.ReadFile(filepath.Join(dir, "smaps_rollup"))
	if err != nil {
		return 0, err
	}
	pss, err := field(data, "Pss:")
	if err != nil {
		return 0, fmt.Errorf("smaps_rollup: %w", err)
	}
	return pss * 1024, nil
}

// FindProcess returns the oldest living process of that name in our pid namespace that is none of those; children that a program has
// forked but that have not yet become another one are younger. The error wraps os.ErrNotExist if there is none.
func FindProcess(comm string, but ...int) (pid int, err error) {
	return findProcess(procRoot, comm, but...)
}

// FindProcesses returns all of them, the oldest first; it is an error that wraps os.ErrNotExist if there is none.
func FindProcesses(comm string) (pids []int, err error) { return findProcesses(procRoot, comm) }

func findProcess(root, comm string, but ...int) (int, error) {
	pids, err := findProcesses(root, comm)
	if err != nil {
		return 0, err
	}
	for _, pid := range pids {
		if !slices.Contains(but, pid) {
			return pid, nil
		}
	}
	return 0, fmt.Errorf("find another process %s: %w", comm, os.ErrNotExist)
}

func findProcesses(root, comm string) (pids []int, err error) {
	if len(comm) > commLen {
		comm = comm[:commLen]
	}
	entries, err := os.ReadDir(root)
	if err != nil {
		return nil, fmt.Errorf("find process %s: %w", comm, err)
	}
	begun := map[int]uint64{}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		st, err := parseStat(filepath.Join(root, e.Name()))
		if err != nil || st.comm != comm || st.state == "Z" || st.state == "X" {
			continue
		}
		begun[pid], pids = st.start, append(pids, pid)
	}
	if len(pids) == 0 {
		return nil, fmt.Errorf("find process %s: %w", comm, os.ErrNotExist)
	}
	slices.SortFunc(pids, func(a, b int) int { return cmp.Or(cmp.Compare(begun[a], begun[b]), cmp.Compare(a, b)) })
	return pids, nil
}
