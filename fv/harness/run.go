package harness

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/nodefv/nodefv/metrics"
)

// When an environment outlives its run.
const (
	KeepNever     = "never"
	KeepOnFailure = "on-failure"
	KeepAlways    = "always"
)

// Run starts an environment, runs a suite that was resolved, judges it and removes the environment, or keeps it if keep says so. The
// verdict is the run's; an error that comes with a verdict other than Pass explains it.
func (h *Harness) Run(ctx context.Context, o Options, s Suite, keep string) (metrics.Verdict, error) {
	grouped := sync.OnceFunc(h.cfg.Screen.group(h.cfg.Out, "environment"))
	defer grouped()
	target, err := h.Prepare(ctx, o)
	if err != nil {
		return metrics.Inconclusive, err
	}
	sess, err := h.newSession(o, s)
	if err != nil {
		return metrics.Inconclusive, err
	}
	sess.announce()
	env, err := h.Up(ctx, target, o, sess.id, sess.dir, keep == KeepAlways)
	grouped()
	if err != nil {
		return sess.broken(ctx, err)
	}
	verdict, err := sess.drive(ctx, env, s.ginkgo())
	if keep == KeepAlways || (keep == KeepOnFailure && verdict != metrics.Pass && context.Cause(ctx) == nil) {
		kept := env.Keep()
		if kept == nil {
			fmt.Fprintf(h.cfg.Progress, "the environment stays; `fv test` runs against it\n%s", env.Access())
			return verdict, err
		}
		err = errors.Join(err, kept) // what is not marked would be taken for an orphan
	}
	if err = withCleanup(err, env.Down(ctx)); err != nil {
		return metrics.Inconclusive, err
	}
	return verdict, nil
}
