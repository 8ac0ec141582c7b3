package metrics

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// Grace is the delay that is no delay: a busy Go program's goroutines may wait so long for each other (the scheduler's time slice is 10 ms).
const Grace = 10 * time.Millisecond

// slewing is how fast the kernel may make the wall clock go without a step: 500 ppm (adjtimex(2)).
const slewing = 500e-6

// heartbeat is how often the watch wants to run.
const heartbeat = 10 * time.Millisecond

// Watch watches the process that it runs in, and its cgroup.
type Watch struct {
	every time.Duration
	sink  func(Vitals)
	root  string // where the cgroup is mounted
	now   func() time.Time
	wall  func(time.Time) time.Time // of what now returned

	lacks  lacks
	before cgroupUse
	span   spanStart
}

// cgroupUse is what a cgroup has used since it began.
type cgroupUse struct {
	cpu       float64 // seconds
	throttled time.Duration
	throttles int
}

type spanStart struct {
	at     time.Time
	wall   time.Time
	vitals DriverVitals
}

// NewWatch returns a watch that hands vitals to sink after each interval, one at a time.
func NewWatch(every time.Duration, sink func(Vitals)) *Watch {
	return &Watch{
		every: every, sink: sink, root: "/sys/fs/cgroup", now: time.Now,
		wall: func(t time.Time) time.Time { return t.Round(0) }, // without what never steps
	}
}

// Run watches until ctx ends. What was seen of the last span is handed on as well.
func (w *Watch) Run(ctx context.Context) {
	w.begin()
	for ctx.Err() == nil {
		due := w.now().Add(heartbeat)
		select {
		case <-ctx.Done():
		case <-time.After(heartbeat):
			w.beat(due)
		}
		if w.now().Sub(w.span.at) >= w.every || ctx.Err() != nil {
			w.tell()
		}
	}
}

func (w *Watch) begin() {
	w.before = w.use()
	now := w.now()
	w.span = spanStart{at: now, wall: w.wall(now)}
}

// beat notes by how much the watch runs later than it was due.
func (w *Watch) beat(due time.Time) {
	if late := w.now().Sub(due); late > Grace {
		w.span.vitals.Lost += late
		w.span.vitals.Latest = max(w.span.vitals.Latest, late)
	}
}

func (w *Watch) tell() {
	now, use, v := w.now(), w.use(), w.span.vitals
	took := now.Sub(w.span.at)
	step := w.wall(now).Sub(w.span.wall) - took
	if slewed := time.Duration(slewing*float64(took)) + time.Millisecond; step > slewed || step < -slewed {
		v.ClockStep = step
	}
	v.CPU, v.Throttled, v.Throttles = use.cpu-w.before.cpu, use.throttled-w.before.throttled, use.throttles-w.before.throttles
	w.before, w.span = use, spanStart{at: now, wall: w.wall(now)}
	w.sink(Vitals{At: now, Took: took, Driver: &v, Lacks: w.lacks.take()})
}

// use reads what the cgroup has used, in version 1 or 2.
func (w *Watch) use() (u cgroupUse) {
	snap := Snapshot{}
	w.lacks.note("cgroup", readCgroup(w.root, cgroupCPU, CPUSeconds, snap))
	u.cpu = snap[CPUSeconds]
	stat, err := w.stat()
	if err == nil {
		var times, usec float64
		if times, err = field(stat, "nr_throttled "); err == nil {
			u.throttles = int(times)
			if usec, err = field(stat, "throttled_usec "); err == nil { // version 2
				u.throttled = time.Duration(usec) * time.Microsecond
			} else if usec, err = field(stat, "throttled_time "); err == nil { // version 1
				u.throttled = time.Duration(usec)
			}
		}
	}
	w.lacks.note("throttling", err)
	return u
}

// stat reads the cgroup's cpu.stat. That of version 2's root has no quota, and says nothing of one.
func (w *Watch) stat() (data []byte, err error) {
	for _, path := range []string{"cpu/cpu.stat", "cpu,cpuacct/cpu.stat", "cpu.stat"} {
		if data, err = os.ReadFile(filepath.Join(w.root, path)); !errors.Is(err, os.ErrNotExist) {
			return data, err
		}
	}
	return data, err
}

// lacks collects what could not be read, each source once.
type lacks struct {
	mu    sync.Mutex
	known map[string]bool
	fresh []Gap
}

func (l *lacks) note(source string, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err == nil || l.known[source] {
		return
	}
	if l.known == nil {
		l.known = map[string]bool{}
	}
	l.known[source] = true
	l.fresh = append(l.fresh, Gap{Source: source, Reason: oneLine(err)})
}

func (l *lacks) take() []Gap {
	l.mu.Lock()
	defer l.mu.Unlock()
	fresh := l.fresh
	l.fresh = nil
	return fresh
}
