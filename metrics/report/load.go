package report

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/nodefv/nodefv/metrics"
)

// Load composes the record of all journals (journal*.jsonl) in dir; its verdicts are still to be judged. A finding that tells
// when its differences were bears what the agent logged meanwhile. Each Begin makes a scenario; an entry belongs to the latest of its name that its own journal, or else its time, admits. A torn
// last line is left out. Even if the error is not nil the record holds all that could be read; no journal at all
// wraps os.ErrNotExist.
func Load(dir string) (Record, error) {
	paths, err := filepath.Glob(filepath.Join(dir, "journal*.jsonl"))
	if err != nil {
		return Record{}, fmt.Errorf("load record: %w", err)
	}
	if len(paths) == 0 {
		return Record{}, fmt.Errorf("load record: no journal in %s: %w", dir, os.ErrNotExist)
	}
	slices.Sort(paths)
	c, journals, errs := composer{}, make([][]Entry, len(paths)), make([]error, len(paths))
	for i, path := range paths {
		journals[i], errs[i] = readEntries(path)
		c.begin(journals[i])
	}
	for i, entries := range journals {
		errs = append(errs, c.add(filepath.Base(paths[i]), entries))
	}
	rec := c.record()
	rec.Files = filesIn(dir)
	if err := errors.Join(append(errs, rec.quote(dir))...); err != nil {
		return rec, fmt.Errorf("load record: %w", err)
	}
	return rec, nil
}

func readEntries(path string) ([]Entry, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var entries []Entry
	var errs []error
	lines := bytes.Split(bytes.TrimRight(data, "\n"), []byte("\n"))
	for i, line := range lines {
		var e Entry
		if err := json.Unmarshal(line, &e); err == nil {
			entries = append(entries, e)
		} else if i < len(lines)-1 {
			errs = append(errs, fmt.Errorf("%s, line %d: %w", filepath.Base(path), i+1, err))
		}
	}
	return entries, errors.Join(errs...)
}

// composer puts entries together. Every scenario is known before the first entry is added to one, since a journal
// that is read first may speak of a scenario that another one begins.
type composer struct {
	rec       Record
	scenarios []*Scenario
	begun     map[*Scenario]*Scenario // by the Begin that made it
}

func (c *composer) begin(entries []Entry) {
	if c.begun == nil {
		c.begun = map[*Scenario]*Scenario{}
	}
	for _, e := range entries {
		if e.Begin != nil {
			sc := *e.Begin
			c.begun[e.Begin] = &sc
			c.scenarios = append(c.scenarios, &sc)
		}
	}
}

func (c *composer) add(journal string, entries []Entry) error {
	var errs []error
	open := map[string]*Scenario{} // the latest that this journal has begun
	for i, e := range entries {
		switch {
		case e.Begin != nil:
			open[e.Begin.Name] = c.begun[e.Begin]
		case e.Run != nil:
			c.rec.Run.merge(*e.Run)
		case e.Point != nil:
			c.rec.Points = append(c.rec.Points, *e.Point)
		case e.Vitals != nil:
			c.rec.Vitals = append(c.rec.Vitals, *e.Vitals)
		case e.Note != nil:
			c.rec.Notes = append(c.rec.Notes, *e.Note)
		case e.Environment != nil:
			if c.rec.Environment == nil {
				c.rec.Environment = &Environment{}
			}
			c.rec.Environment.merge(*e.Environment)
		case e.Event != nil:
			c.rec.Events = append(c.rec.Events, *e.Event)
		case e.Scenario == "":
			if e.End != nil && e.End.After(c.rec.Run.Ended) {
				c.rec.Run.Ended = *e.End
			}
		default:
			sc := open[e.Scenario]
			if sc == nil {
				sc = c.find(e.Scenario, e.at())
			}
			if err := sc.add(e); err != nil {
				errs = append(errs, fmt.Errorf("%s, entry %d: %w", journal, i+1, err))
			}
		}
	}
	return errors.Join(errs...)
}

// find returns the latest scenario of that name that had begun by then, or else the first one, or else a new one.
func (c *composer) find(name string, at time.Time) *Scenario {
	var first, latest *Scenario
	for _, sc := range c.scenarios {
		if sc.Name != name {
			continue
		}
		if first == nil || sc.Started.Before(first.Started) {
			first = sc
		}
		if !sc.Started.After(at) && (latest == nil || !sc.Started.Before(latest.Started)) {
			latest = sc
		}
	}
	if sc := cmp.Or(latest, first); sc != nil {
		return sc
	}
	sc := &Scenario{Name: name, Started: at}
	c.scenarios = append(c.scenarios, sc)
	return sc
}

func (e Entry) at() time.Time {
	switch {
	case e.Step != nil && !e.Step.Ended.IsZero():
		return e.Step.Ended
	case e.Step != nil:
		return e.Step.Started
	case e.Operation != nil:
		return e.Operation.At
	case e.Finding != nil:
		return e.Finding.At
	case e.Measurement != nil && len(e.Measurement.Samples) > 0:
		return e.Measurement.Samples[0].At
	case e.End != nil:
		return *e.End
	}
	return time.Time{}
}

func (sc *Scenario) add(e Entry) error {
	switch {
	case e.Step != nil:
		sc.addStep(*e.Step)
	case e.Operation != nil:
		sc.Operations = append(sc.Operations, *e.Operation)
	case e.Finding != nil:
		sc.Findings = append(sc.Findings, *e.Finding)
	case e.Measurement != nil:
		return sc.addMeasurement(*e.Measurement)
	case e.Course != nil:
		sc.Courses = append(sc.Courses, *e.Course)
	case e.Connections != nil:
		sc.Connections = e.Connections
	case e.Leak != nil:
		sc.Leak = e.Leak
	case e.Unexcused != "":
		sc.Unexcused = e.Unexcused
	case e.End != nil:
		sc.Ended = *e.End
	}
	return nil
}

// addMeasurement adds to that of the same thing. One that can't be added up with it stands alone, so that it is not lost.
func (sc *Scenario) addMeasurement(m metrics.Measurement) (err error) {
	i := slices.IndexFunc(sc.Measurements, m.Same)
	if i >= 0 {
		err = sc.Measurements[i].Add(m)
	}
	if i < 0 || err != nil {
		sc.Measurements = append(sc.Measurements, m)
	}
	return err
}

func (sc *Scenario) addStep(s Step) {
	for i := range slices.Backward(sc.Steps) {
		open := &sc.Steps[i]
		if !s.Ended.IsZero() && open.Ended.IsZero() && open.Name == s.Name && open.Cycle == s.Cycle {
			open.Ended = s.Ended
			return
		}
	}
	sc.Steps = append(sc.Steps, s)
}

func (c *composer) record() Record {
	rec := c.rec
	rec.Schema = Schema
	rec.Scenarios = make([]Scenario, 0, len(c.scenarios))
	for _, sc := range c.scenarios {
		slices.SortStableFunc(sc.Steps, func(a, b Step) int { return a.Started.Compare(b.Started) })
		slices.SortStableFunc(sc.Operations, func(a, b Operation) int { return a.At.Compare(b.At) })
		slices.SortStableFunc(sc.Findings, func(a, b Finding) int { return a.At.Compare(b.At) })
		rec.Scenarios = append(rec.Scenarios, *sc)
	}
	slices.SortStableFunc(rec.Scenarios, func(a, b Scenario) int { return a.Started.Compare(b.Started) })
	slices.SortStableFunc(rec.Points, func(a, b metrics.Point) int { return a.At.Compare(b.At) })
	slices.SortStableFunc(rec.Vitals, func(a, b metrics.Vitals) int { return a.At.Compare(b.At) })
	slices.SortStableFunc(rec.Events, func(a, b Event) int { return a.At.Compare(b.At) })
	return rec
}

// merge takes over what o says; what o leaves out stays.
func (r *Run) merge(o Run) {
	if r.Started.IsZero() || !o.Started.IsZero() && o.Started.Before(r.Started) {
		r.Started = o.Started
	}
	if o.Ended.After(r.Ended) {
		r.Ended = o.Ended
	}
	r.ID, r.Seed, r.Command = cmp.Or(o.ID, r.ID), cmp.Or(o.Seed, r.Seed), cmp.Or(o.Command, r.Command)
	r.Focus = cmp.Or(o.Focus, r.Focus)
	r.Target, r.Runtime = cmp.Or(o.Target, r.Target), cmp.Or(o.Runtime, r.Runtime)
	r.Parameters, r.Versions = union(r.Parameters, o.Parameters), union(r.Versions, o.Versions)
	r.Unexcused = cmp.Or(o.Unexcused, r.Unexcused)
	if len(o.Ceilings) > 0 {
		r.Ceilings = o.Ceilings
	}
	if len(o.Known) > 0 {
		r.Known = o.Known
	}
	m, n := &r.Machine, o.Machine
	m.Kernel, m.OS, m.Arch = cmp.Or(n.Kernel, m.Kernel), cmp.Or(n.OS, m.OS), cmp.Or(n.Arch, m.Arch)
	m.CPU, m.CPUs = cmp.Or(n.CPU, m.CPU), cmp.Or(n.CPUs, m.CPUs)
	m.MemoryBytes, m.Engine = cmp.Or(n.MemoryBytes, m.MemoryBytes), cmp.Or(n.Engine, m.Engine)
}

func union(a, b map[string]string) map[string]string {
	if len(a)+len(b) == 0 {
		return nil
	}
	all := map[string]string{}
	maps.Copy(all, a)
	maps.Copy(all, b)
	return all
}
