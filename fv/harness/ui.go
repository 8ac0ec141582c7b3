package harness

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/nodefv/nodefv/fv/ui"
	"github.com/nodefv/nodefv/infra/lifecycle"
	"github.com/nodefv/nodefv/metrics"
	"github.com/nodefv/nodefv/scenarios/leak"
	"github.com/nodefv/nodefv/scenarios/steer"
)

const (
	// reachBound is how long a driver may take until its cluster stands and it listens.
	reachBound = 3 * time.Minute
	// leaveBound is how long it may take to end all, check it and remove it.
	leaveBound = 2 * time.Minute
)

// UI lets a user steer the kept environment of that run, or the only one there is, on a page that is served on a port of loopback (0: any),
// until ctx ends or the driver does. Its record goes below out. The page's address is told to ready. That ctx ends is the usual end, and no
// error.
func (h *Harness) UI(ctx context.Context, run, out string, stage steer.Stage, port int, ready func(url string)) (metrics.Verdict, error) {
	if err := stage.Check(); err != nil {
		return metrics.Inconclusive, usage(err)
	}
	listener, err := ui.Listen(port)
	if err != nil {
		return metrics.Inconclusive, usage(err)
	}
	defer listener.Close()
	env, o, release, err := h.attachToDrive(ctx, run, out)
	if err != nil {
		return metrics.Inconclusive, err
	}
	defer release()
	sess, err := h.newSession(o, Suite{Seed: 1})
	if err != nil {
		return metrics.Inconclusive, err
	}
	sess.steer, sess.command = &stage, repeatUI(stage)
	fmt.Fprintf(h.cfg.Progress, "ui: record in %s\n", fromHere(sess.dir))
	driving, kill := context.WithCancelCause(context.WithoutCancel(ctx))
	defer kill(nil)
	driven := make(chan drivenTo, 1)
	go func() {
		v, err := sess.driveKept(driving, env)
		driven <- drivenTo{v, err}
	}()
	conn, err := sess.reach(ctx, driven)
	if err != nil {
		kill(err)
		end := <-driven
		return end.verdict, errors.Join(err, end.err)
	}
	about := ui.About{Run: env.Run(), Target: o.Target, Version: env.AgentVersion(), Stage: stage}
	kinds, docs := leak.Kinds()
	for i, k := range kinds {
		about.Churns = append(about.Churns, ui.ChurnChoice{Kind: k, Doc: docs[i]})
	}
	page := ui.New(about, conn)
	server := ui.NewServer(page, listener)
	defer server.Close()
	ready(server.URL())
	select {
	case <-ctx.Done():
		_ = page.End() // it may be over
		time.AfterFunc(leaveBound, func() { kill(context.Cause(ctx)) })
	case <-page.Ended():
	}
	end := <-driven
	return end.verdict, errors.Join(end.err, conn.Close(), sess.keepOrders(page))
}

// drivenTo is what a drive came to.
type drivenTo struct {
	verdict metrics.Verdict
	err     error
}

// reach reaches the session inside the driver, once its cluster stands.
func (s *session) reach(ctx context.Context, driven chan drivenTo) (conn net.Conn, err error) {
	err = lifecycle.Wait(ctx, "cluster", reachBound, func(ctx context.Context) error {
		select {
		case end := <-driven:
			driven <- end
			return lifecycle.Stop(errors.New("the driver ended before the cluster stood"))
		default:
		}
		folder, err := os.Open(s.dir)
		if err != nil {
			return err
		}
		defer folder.Close()
		// By way of the open folder, for a socket's path may have no more than 107 bytes.
		conn, err = net.Dial("unix", fmt.Sprintf("/proc/self/fd/%d/%s", folder.Fd(), steer.SocketName))
		return err
	})
	return conn, err
}

// keepOrders leaves a scenario that does again what was done in the record, if anything was.
func (s *session) keepOrders(p *ui.Page) error {
	_ = os.Remove(filepath.Join(s.dir, steer.SocketName)) // it is of no more use
	source, err := p.Source("steered")
	if err != nil {
		return nil // nothing was done
	}
	return os.WriteFile(filepath.Join(s.dir, "steered.go"), source, 0o644)
}

// repeatUI is the command that makes the same cluster to steer again.
func repeatUI(s steer.Stage) string {
	words := fmt.Sprintf("bin/fv ui --nodes %d --namespaces %d --pods %d --local %d", s.Nodes, s.Namespaces, s.Pods, s.Local)
	if s.DualStack {
		words += " --ipv6"
	}
	return words
}
