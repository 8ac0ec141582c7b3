package harness

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/nodefv/nodefv/infra"
)

// placedRun is a run and where it is.
type placedRun struct {
	infra.RunInfo
	provider provider
}

// runs lists the runs of all runtimes.
func (h *Harness) runs(ctx context.Context) ([]placedRun, error) {
	var all []placedRun
	for _, e := range h.providers() {
		runs, err := e.Runs(ctx)
		if err != nil {
			return nil, usage(err)
		}
		for _, r := range runs {
			all = append(all, placedRun{r, e})
		}
	}
	return all, nil
}

// forgetGone forgets what is remembered of runs that are gone; all are those that are known.
func (h *Harness) forgetGone(all []placedRun) error {
	var known []infra.RunInfo
	for _, r := range all {
		known = append(known, r.RunInfo)
	}
	var asked []string
	for _, e := range h.providers() {
		asked = append(asked, e.Name())
	}
	return infra.ForgetGone(known, asked...)
}

// sweepOrphans removes what runs left behind whose maker is gone and that nobody asked to keep.
func (h *Harness) sweepOrphans(ctx context.Context) error {
	runs, err := h.runs(ctx)
	if err != nil {
		return err
	}
	for _, r := range runs {
		if r.Kept() || !r.Owner.Gone(r.Created) {
			continue
		}
		fmt.Fprintf(h.cfg.Progress, "removing what run %s left behind (%d containers)\n", r.Run, r.Containers)
		if err := errors.Join(r.provider.Sweep(ctx, r.Run), infra.Forget(r.Run)); err != nil {
			return err
		}
	}
	return h.forgetGone(runs)
}

// Down removes the environments of the named runs, or if none is named, those that are kept and the orphans; all removes those of
// running processes too. Removed is called with each that is gone.
func (h *Harness) Down(ctx context.Context, named []string, all bool, removed func(run string)) error {
	runs, err := h.runs(ctx)
	if err != nil {
		return err
	}
	chosen, err := chooseRuns(runs, named, all)
	if err != nil {
		return usage(err)
	}
	for _, r := range chosen {
		if err := errors.Join(r.provider.Sweep(ctx, r.Run), infra.Forget(r.Run)); err != nil {
			return err
		}
		removed(r.Run)
	}
	return h.forgetGone(runs)
}

// chooseRuns returns the named runs, or if none is named, those that are kept or orphaned; all chooses the others too.
func chooseRuns(runs []placedRun, named []string, all bool) ([]placedRun, error) {
	for _, name := range named {
		if !slices.ContainsFunc(runs, func(r placedRun) bool { return r.Run == name }) {
			return nil, fmt.Errorf("there is no environment %s", name)
		}
	}
	return slices.DeleteFunc(slices.Clone(runs), func(r placedRun) bool {
		if len(named) > 0 {
			return !slices.Contains(named, r.Run)
		}
		return !all && !r.Kept() && !r.Owner.Gone(r.Created)
	}), nil
}
