package routed

import (
	"context"
	"errors"
	"time"

	"github.com/nodefv/nodefv/metrics/report"
	"github.com/nodefv/nodefv/scenarios/engine"
	"github.com/nodefv/nodefv/workloads"
)

// watches are those of the SUT's instances: what an answer of one has proven says nothing of the others. Together they ask at the pace of one.
type watches struct {
	fleet *workloads.Fleet
	each  []*requestWatch
}

var _ engine.ManyWatched = watches{}

func watchAll(ctx context.Context, fleet *workloads.Fleet, instances []*Proxied) watches {
	all := watches{fleet: fleet}
	s := fleet.State()
	for _, of := range instances {
		all.each = append(all.each, newWatch(s, of, time.Duration(len(instances))))
	}
	fleet.Watch(all.changed)
	for _, v := range all.each {
		v.start(ctx)
	}
	return all
}

func (all watches) changed(verb string, after workloads.State) (acknowledged func()) {
	acks := make([]func(), 0, len(all.each))
	for _, v := range all.each {
		acks = append(acks, v.changed(verb, after))
	}
	return func() {
		for _, ack := range acks {
			ack()
		}
	}
}

// Instance returns the watch of the n-th, from 1.
func (all watches) Instance(n int) engine.Watch { return all.each[n-1] }

// Leave and Back are of the first, which is the SUT's program that others stop and start.
func (all watches) Leave() { all.each[0].Leave() }

// Back is as Leave says.
func (all watches) Back() { all.each[0].Back() }

// Agreed notes that all effects of all instances have agreed.
func (all watches) Agreed(since time.Time) {
	for _, v := range all.each {
		v.Agreed(since)
	}
}

// Tell tells what each has seen.
func (all watches) Tell(note func(report.Finding)) (errs error) {
	for _, v := range all.each {
		errs = errors.Join(errs, v.Tell(note))
	}
	return errs
}

// Stop ends all of them.
func (all watches) Stop() {
	all.fleet.Watch(nil)
	for _, v := range all.each {
		v.Stop()
	}
}

// Drain drains each.
func (all watches) Drain(note func(report.Finding)) (errs error) {
	for _, v := range all.each {
		errs = errors.Join(errs, v.Drain(note))
	}
	return errs
}
