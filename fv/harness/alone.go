package harness

import (
	"context"
	"errors"
	"os"
	"path/filepath"

	"github.com/nodefv/nodefv/infra"
	"github.com/nodefv/nodefv/metrics/report"
	"github.com/nodefv/nodefv/scenarios/engine"
)

// alone runs a session in an environment of its own, which is removed, and returns the judged record; what the session says goes to a
// file in its folder. Prepare completes the session before anything is started. A SUT that dies before it is ready is no error: the
// verdict says so.
func (h *Harness) alone(ctx context.Context, o Options, s Suite, prepare func(*session)) (dir string, rec report.Record, err error) {
	target, err := h.newTarget(ctx, o)
	if err != nil {
		return "", rec, err
	}
	supervisor, err := h.supervisor(ctx)
	if err != nil {
		return "", rec, err
	}
	sess, closeLog, err := h.quietSession(o, s)
	if err != nil {
		return "", rec, err
	}
	defer func() { err = errors.Join(err, closeLog()) }()
	prepare(sess)
	ended := h.status.during(sess.label + "starting the environment")
	env, err := h.start(ctx, infra.Config{
		Target: target, Run: sess.id, Out: sess.dir, Supervisor: supervisor,
		Making: h.making(o),
	})
	ended()
	if err == nil {
		_, err = sess.drive(ctx, env, sess.suite.ginkgo())
		err = withCleanup(err, env.Down(ctx))
	} else if _, recordErr := sess.record(ctx, err); recordErr == nil && isDeath(err) && ctx.Err() == nil {
		err = nil // the verdict says so
	} else {
		err = cutShort(ctx, err, atStart)
	}
	if err != nil {
		return sess.dir, rec, err
	}
	if rec, err = report.Load(sess.dir); err == nil {
		rec = engine.Judge(rec)
	}
	return sess.dir, rec, err
}

// quietSession begins a session that tells a file in its folder what others tell the user.
func (h *Harness) quietSession(o Options, s Suite) (*session, func() error, error) {
	sess, err := h.newSession(o, s)
	if err != nil {
		return nil, nil, err
	}
	log, err := os.Create(filepath.Join(sess.dir, "harness.log"))
	if err != nil {
		return nil, nil, errors.Join(err, sess.journal.Close())
	}
	sess.out, sess.complaints, sess.screen = log, log, Screen{}
	return sess, log.Close, nil
}

func isDeath(err error) bool {
	var died *infra.DiedError
	return errors.As(err, &died)
}
