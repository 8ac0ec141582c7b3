package harness

import (
	"context"
	"fmt"
	"slices"

	"github.com/nodefv/nodefv/metrics"
	"github.com/nodefv/nodefv/scenarios/fuzz"
	"github.com/nodefv/nodefv/workloads"
)

// Fuzz carries an order to draw operations out in an environment of its own, which is removed.
func (h *Harness) Fuzz(ctx context.Context, o Options, seed uint64, order fuzz.Order) (metrics.Verdict, error) {
	command := repeatFuzz(o, seed, order)
	o.Settings = []workloads.Setting{workloads.NoResync}
	dir, verdict, err := h.order(ctx, o, seed, &order, command)
	if err != nil || verdict == metrics.Pass {
		return verdict, err
	}
	fmt.Fprintf(h.cfg.Progress, "what repeats a failure, if there was one: bin/fv replay %s/repro.json\n", fromHere(dir))
	if order.Target.Own {
		fmt.Fprintln(h.cfg.Progress, "replayed without your own agent, it tells whether the unchanged one fails too")
	}
	return verdict, nil
}

// Replay repeats a failure, read from a file, so many times in an environment of its own, which is removed.
func (h *Harness) Replay(ctx context.Context, o Options, repro fuzz.Repro, file string, times int) (metrics.Verdict, error) {
	_, verdict, err := h.order(ctx, o, repro.Seed, &fuzz.Order{Replay: &repro, Times: times}, repeatReplay(o, file, times))
	return verdict, err
}

// order carries an order to the fuzzer out and completes it.
func (h *Harness) order(ctx context.Context, o Options, seed uint64, order *fuzz.Order, command string) (dir string, verdict metrics.Verdict, err error) {
	return h.carry(ctx, o, seed, func(s *session) {
		order.Target = h.fuzzTarget(o)
		order.Target.Own = h.given(o.Target)
		s.fuzz, s.command = order, command
	})
}

// carry drives a session that give has been given an order, in an environment of its own, which is removed.
func (h *Harness) carry(ctx context.Context, o Options, seed uint64, give func(*session)) (dir string, verdict metrics.Verdict, err error) {
	target, err := h.Prepare(ctx, o)
	if err != nil {
		return "", metrics.Inconclusive, err
	}
	sess, err := h.newSession(o, Suite{Seed: seed})
	if err != nil {
		return "", metrics.Inconclusive, err
	}
	give(sess)
	fmt.Fprintf(h.cfg.Progress, "run %s: seed %d, record in %s\n", sess.id, seed, fromHere(sess.dir))
	env, err := h.Up(ctx, target, o, sess.id, sess.dir, false)
	if err != nil {
		verdict, err = sess.broken(ctx, err)
		return sess.dir, verdict, err
	}
	verdict, err = sess.drive(ctx, env, sess.suite.ginkgo())
	if err = withCleanup(err, env.Down(ctx)); err != nil {
		return sess.dir, metrics.Inconclusive, err
	}
	return sess.dir, verdict, nil
}

// fuzzTarget says on what an order is carried out.
func (h *Harness) fuzzTarget(o Options) fuzz.Target {
	return fuzz.Target{
		Name: o.Target, DataPlane: o.DataPlane, Extras: o.Extras, Runtime: h.runtime.Name(), Settings: slices.Clone(o.Settings), Versions: h.versions(o.Target),
	}
}
