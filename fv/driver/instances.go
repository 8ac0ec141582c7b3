package driver

import (
	"context"
	"errors"
	"fmt"

	"github.com/nodefv/nodefv/infra"
	"github.com/nodefv/nodefv/infra/targets"
	"github.com/nodefv/nodefv/metrics"
	"github.com/nodefv/nodefv/scenarios/engine"
)

// instance is one of the SUT besides the agent, which the harness starts and ends when it is asked to. Its death ends the run.
type instance struct {
	*Driver
	number int // from 2
	target targets.Target
	read   sources
	pid    int // 0: it does not run; the driver's lock guards it
}

var _ engine.Agent = (*instance)(nil)

// sources are where the figures of one instance are read: its own, its process's and its cgroup's.
type sources [3]metrics.Source

// newInstance is the n-th of a target, which does not run yet.
func (d *Driver) newInstance(n int) (*instance, error) {
	t, err := infra.InstanceOf(d.target, n)
	if err != nil {
		return nil, err
	}
	of, ok := t.(targets.Target)
	if !ok {
		return nil, fmt.Errorf("instance %d of %s can't be driven", n, d.target.Name())
	}
	i := &instance{Driver: d, number: n, target: of}
	url := fmt.Sprintf("http://127.0.0.1:%d/metrics", of.Facts().MetricsPort)
	i.read = sources{metrics.NewHTTP(url, of.Gauges()), metrics.NewProcess(i.process), metrics.NewCgroup(i.process)}
	return i, nil
}

func (i *instance) process() (int, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.pid == 0 {
		return 0, fmt.Errorf("instance %d does not run", i.number)
	}
	return i.pid, nil
}

func (i *instance) is(pid int) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.pid = pid
}

// Start starts it, and takes hold of its process: the youngest of that name.
func (i *instance) Start(ctx context.Context) error {
	if err := infra.AskInstance(ctx, i.out, i.handoff.Out, infra.StartInstance, i.number); err != nil {
		return err
	}
	pids, err := metrics.FindProcesses(i.handoff.Target.Process)
	if err != nil {
		return err
	}
	i.is(pids[len(pids)-1])
	return nil
}

func (i *instance) End(ctx context.Context) error { return i.leave(ctx, infra.EndInstance) }

func (i *instance) Stop(ctx context.Context) error { return i.leave(ctx, infra.StopInstance) }

func (i *instance) leave(ctx context.Context, order infra.InstanceOrder) error {
	i.is(0)
	return infra.AskInstance(ctx, i.out, i.handoff.Out, order, i.number)
}

// gather makes so many instances run, the agent among them.
func (d *Driver) gather(ctx context.Context, instances int) error {
	for n := 2; n <= instances; n++ {
		i, err := d.newInstance(n)
		if err == nil {
			err = i.Start(ctx)
		}
		if err != nil {
			return err
		}
		d.mu.Lock()
		d.others = append(d.others, i)
		d.mu.Unlock()
	}
	return nil
}

// dismiss ends all but the agent. Those of a run that ends are removed by the harness.
func (d *Driver) dismiss(ctx context.Context) (errs error) {
	all := d.alongside()
	d.mu.Lock()
	d.others = nil
	d.mu.Unlock()
	for _, i := range all {
		if ctx.Err() == nil {
			errs = errors.Join(errs, i.Stop(ctx))
		}
	}
	return errs
}

// alongside are the instances besides the agent that run.
func (d *Driver) alongside() (all []*instance) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, i := range d.others {
		if i.pid != 0 {
			all = append(all, i)
		}
	}
	return all
}

// otherProcesses are those of the instances besides the agent.
func (d *Driver) otherProcesses() (pids []int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, i := range d.others {
		pids = append(pids, i.pid)
	}
	return pids
}

// ofAll returns sources that add up the agent's and those of the other instances that run.
func (d *Driver) ofAll(own sources) (all []metrics.Source) {
	for k := range own {
		all = append(all, metrics.NewSum(func() []metrics.Source {
			parts := []metrics.Source{own[k]}
			for _, i := range d.alongside() {
				parts = append(parts, i.read[k])
			}
			return parts
		}))
	}
	return all
}

// tooMany tells why the SUT can't run in as many instances as a scenario wants; empty: it can.
func tooMany(sc engine.Scenario, t infra.Target, h infra.Handoff) string {
	if sc.Instances < 2 {
		return ""
	}
	if !h.Obeyed {
		return "nobody starts several instances for a driver that was not started by the harness"
	}
	if _, err := infra.InstanceOf(t, sc.Instances); err != nil {
		return err.Error()
	}
	return ""
}
