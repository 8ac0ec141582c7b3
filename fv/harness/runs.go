package harness

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

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

// Removal says which environments are removed. Those of commands that run are left alone unless it is forced.
type Removal struct {
	Named []string // their runs; empty: those that are kept, and the orphans
	All   bool     // none is named and several are kept: all of them
	Force bool
}

// SeveralError is what a removal is that names none of several kept environments.
type SeveralError struct{ Runs []string }

func (e *SeveralError) Error() string {
	return fmt.Sprintf("several environments are kept: name those to remove, or say --all: %s", strings.Join(e.Runs, ", "))
}

// Down removes environments, all that it can. Removed is called with each that is gone. Several that are kept, of which none is named, are a *SeveralError.
func (h *Harness) Down(ctx context.Context, r Removal, removed func(run string)) error {
	runs, err := h.runs(ctx)
	if err != nil {
		return err
	}
	chosen, err := r.choose(runs)
	if err != nil {
		return usage(err)
	}
	var failed []error
	for _, p := range chosen {
		if err := p.remove(ctx, r.Force); err != nil {
			failed = append(failed, fmt.Errorf("remove run %s: %w", p.Run, err))
			continue
		}
		removed(p.Run)
	}
	return errors.Join(append(failed, h.forgetGone(runs))...)
}

// remove removes what there is of the run. Unless it is forced, no other command can begin to drive it meanwhile, and one that has begun since
// it was looked at is infra.ErrDriven.
func (r placedRun) remove(ctx context.Context, force bool) error {
	if !force {
		release, err := r.Take()
		if errors.Is(err, infra.ErrDriven) {
			return usage(fmt.Errorf("%w: wait for its end, or remove it with --force", err))
		}
		if err != nil {
			return err
		}
		defer func() { _ = release() }() // its file is gone by then
	}
	return errors.Join(r.provider.Sweep(ctx, r.Run), infra.Forget(r.Run))
}

// atWork reports whether a command is at work in the environment: the one that makes it, or one that drives what was kept.
func (r placedRun) atWork() bool { return r.state() == UnderWay || r.Driven() }

// choose returns the runs to remove.
func (r Removal) choose(runs []placedRun) (chosen []placedRun, err error) {
	for _, name := range r.Named {
		i := slices.IndexFunc(runs, func(p placedRun) bool { return p.Run == name })
		if i < 0 {
			return nil, fmt.Errorf("there is no environment %s; `fv ps` shows those there are", name)
		}
		if runs[i].atWork() && !r.Force {
			return nil, fmt.Errorf("a command is at work in run %s: wait for its end, or remove it with --force", name)
		}
	}
	var kept []string
	for _, p := range runs {
		if p.state() == Kept && !p.atWork() {
			kept = append(kept, p.Run)
		}
		if slices.Contains(r.Named, p.Run) || len(r.Named) == 0 && (!p.atWork() || r.All && r.Force) {
			chosen = append(chosen, p)
		}
	}
	if len(r.Named) == 0 && !r.All && len(kept) > 1 {
		return nil, &SeveralError{kept}
	}
	return chosen, nil
}
