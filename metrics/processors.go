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
	"time"
)

// Processors watches the machine's processors. Its methods are called from one goroutine.
type Processors struct {
	root  string // proc
	ours  func(context.Context) (map[string]time.Duration, error)
	lacks lacks

	at       time.Time
	used     processorTimes
	usedOurs map[string]time.Duration
	threads  map[int]float64 // the kernel's own
	pressure map[string]float64
}

// processorTimes are seconds since boot, of all processors.
type processorTimes struct{ busy, idle, steal float64 }

// NewProcessors returns a watch that asks ours for the CPU that each program of the run has used since it began.
func NewProcessors(ours func(context.Context) (map[string]time.Duration, error)) *Processors {
	return &Processors{root: procRoot, ours: ours}
}

// Run hands vitals to sink after each interval, one at a time, until ctx ends.
func (p *Processors) Run(ctx context.Context, every time.Duration, sink func(Vitals)) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	_, _ = p.Span(ctx)
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if v, ok := p.Span(ctx); ok {
				sink(v)
			}
		}
	}
}

// Span returns what there was since the last call; false: there was none, or it can't be told.
func (p *Processors) Span(ctx context.Context) (Vitals, bool) {
	now, first := time.Now(), p.at.IsZero()
	used, err := p.times()
	p.lacks.note("processors", err)
	ours, oursErr := p.ours(ctx)
	if ctx.Err() != nil {
		return Vitals{}, false // what could not be read says nothing but that we are leaving
	}
	p.lacks.note("CPU of the run's containers", oursErr)
	threads, pressure := p.kernelThreads(), p.pressures()
	v := Vitals{At: now, Took: now.Sub(p.at)}
	busy := used.busy - p.used.busy
	m := MachineVitals{Idle: used.idle - p.used.idle, Steal: used.steal - p.used.steal, Pressure: map[string]float64{}}
	m.Capacity = busy + m.Idle + m.Steal
	for name, cpu := range ours {
		m.Ours += max(cpu-p.usedOurs[name], 0).Seconds()
	}
	if oursErr == nil {
		m.Foreign = max(busy-m.Ours-grown(threads, p.threads), 0)
	}
	for of, seconds := range pressure {
		m.Pressure[of] = seconds - p.pressure[of]
	}
	p.at, p.used, p.usedOurs, p.threads, p.pressure = now, used, ours, threads, pressure
	v.Machine = &m
	if first || err != nil || m.Capacity <= 0 {
		return Vitals{}, false
	}
	v.Lacks = p.lacks.take()
	return v, true
}

// grown is what the threads used that were there before.
func grown(threads, before map[int]float64) (sum float64) {
	for pid, cpu := range threads {
		if b, ok := before[pid]; ok {
			sum += max(cpu-b, 0)
		}
	}
	return sum
}

// times reads the first line of proc(5)'s stat. Interrupts are no program's, and guests are counted as user as well.
func (p *Processors) times() (t processorTimes, err error) {
	data, err := os.ReadFile(filepath.Join(p.root, "stat"))
	if err != nil {
		return t, err
	}
	line, _, _ := bytes.Cut(data, newline)
	var v [8]float64
	words := strings.Fields(string(line))
	if len(words) <= len(v) || words[0] != "cpu" {
		return t, fmt.Errorf("%s/stat begins with %q", p.root, line)
	}
	for i := range v {
		if v[i], err = strconv.ParseFloat(words[i+1], 64); err != nil {
			return t, err
		}
		v[i] /= userHZ
	}
	const user, nice, system, idle, iowait, steal = 0, 1, 2, 3, 4, 7
	return processorTimes{busy: v[user] + v[nice] + v[system], idle: v[idle] + v[iowait], steal: v[steal]}, nil
}

var newline = []byte("\n")

// kthreadd is the parent of the kernel's own threads.
const kthreadd = 2

// kernelThreads returns what each of the kernel's own threads has used, in seconds; none where they are not to be seen.
func (p *Processors) kernelThreads() map[int]float64 {
	entries, err := os.ReadDir(p.root)
	if err != nil {
		return nil
	}
	used := map[int]float64{}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		data, err := os.ReadFile(filepath.Join(p.root, e.Name(), "stat"))
		if err != nil {
			continue // it has ended
		}
		const parent, user, system = 1, 11, 12 // after the name, which may hold anything
		words := strings.Fields(string(data[bytes.LastIndexByte(data, ')')+1:]))
		if len(words) <= system || words[parent] != strconv.Itoa(kthreadd) {
			continue
		}
		u, _ := strconv.ParseFloat(words[user], 64)
		s, _ := strconv.ParseFloat(words[system], 64)
		used[pid] = (u + s) / userHZ
	}
	return used
}

// pressures reads for how many seconds programs waited, since boot.
func (p *Processors) pressures() map[string]float64 {
	all := map[string]float64{}
	var failed []error
	for _, of := range []string{"cpu", "memory", "io"} {
		data, err := os.ReadFile(filepath.Join(p.root, "pressure", of))
		who := map[string]string{"cpu": "some"}
		total := ""
		for line := range strings.Lines(string(data)) {
			if words := strings.Fields(line); len(words) > 1 && words[0] == cmp.Or(who[of], "full") {
				total = strings.TrimPrefix(words[len(words)-1], "total=")
			}
		}
		us, parseErr := strconv.ParseFloat(total, 64)
		if err = cmp.Or(err, parseErr); err != nil {
			failed = append(failed, err)
			continue
		}
		all[of] = us / 1e6
	}
	p.lacks.note("pressure", errors.Join(slices.Clip(failed)...))
	return all
}
