package driver

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nodefv/nodefv/metrics"
	"github.com/nodefv/nodefv/metrics/report"
)

func (d *Driver) startSampling() {
	d.gauges = metrics.NewHTTP(fmt.Sprintf("http://127.0.0.1:%d/metrics", d.handoff.Target.MetricsPort), d.target.Gauges())
	own := sources{d.gauges, metrics.NewProcess(d.process), metrics.NewCgroup(d.process)}
	d.sampler = metrics.NewSampler(time.Second, func(p metrics.Point) {
		d.write(report.Entry{Scenario: p.Scenario, Point: &p})
		d.live(p)
		d.mu.Lock()
		heeded := d.heeded
		d.mu.Unlock()
		if heeded != nil {
			heeded(p)
		}
	}, d.ofAll(own)...)
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	watch := metrics.NewWatch(time.Second, func(v metrics.Vitals) { d.write(report.Entry{Vitals: &v}) })
	go func() {
		defer close(done)
		var both sync.WaitGroup
		both.Go(func() { d.sampler.Run(ctx) })
		both.Go(func() { watch.Run(ctx) })
		both.Wait()
	}()
	d.undo.Push("end sampling", func(context.Context) error { stop(); <-done; return nil })
}

// take takes hold of the SUT's process, and reads it from now on.
func (d *Driver) take(ctx context.Context) (*life, error) {
	alive, err := watchLife(ctx, d.handoff.Target.Process, d.otherProcesses)
	if err == nil {
		d.mu.Lock()
		d.pid = alive.pid
		d.mu.Unlock()
	}
	return alive, err
}

func (d *Driver) process() (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.pid == 0 {
		return 0, errors.New("the SUT does not run")
	}
	return d.pid, nil
}
