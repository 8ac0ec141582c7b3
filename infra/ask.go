package infra

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/nodefv/nodefv/infra/lifecycle"
	"github.com/nodefv/nodefv/metrics/report"
)

// askPrefix begins a line of the driver's output with which it asks the harness to do what it can't do itself.
const askPrefix = "\x1ffv-ask "

// askBound is how long the harness may take, readiness included.
const askBound = readyBound

// askDeath is what the driver asks for that wants to know why the agent died.
const askDeath = "death of the agent"

// done begins the answer to a request that was granted.
const done = "done"

// AskRestart asks the harness to kill a part of the environment (agent, etcd or apiserver) and to start it again, and returns once it
// is ready. It is for the driver: out is its standard output, dir its record's folder. One request at a time.
func AskRestart(ctx context.Context, out io.Writer, dir string, role Role) error {
	_, err := request(ctx, out, dir, "restart of "+string(role), string(role))
	return err
}

// The requests that concern the agent alone; every other is the role of a part to restart.
const (
	stopAgent  = "stop " + string(RoleAgent)
	startAgent = "start " + string(RoleAgent)
	endAgent   = "end " + string(RoleAgent)
	// What follows these is a release.
	makeRelease  = "make " + string(RoleAgent) + " "
	startRelease = startAgent + " "
)

// makeBound is how long it may take to make what a release of the agent is started from.
const makeBound = 20 * time.Minute

// AskStop asks the harness, as AskRestart does, to kill the agent and not to start it again until AskStart, or until the driver ends.
func AskStop(ctx context.Context, out io.Writer, dir string) error {
	_, err := request(ctx, out, dir, "end of the agent", stopAgent)
	return err
}

// AskEnd is as AskStop, and asks the agent to end by SIGTERM; it is killed if it has not within ten seconds.
func AskEnd(ctx context.Context, out io.Writer, dir string) error {
	_, err := request(ctx, out, dir, "end of the agent", endAgent)
	return err
}

// AskMake asks the harness, as AskRestart does, to make what a release of the agent is started from, which may take minutes.
func AskMake(ctx context.Context, out io.Writer, dir, release string) error {
	_, err := request(ctx, out, dir, "making of the agent's release "+release, makeRelease+release)
	return err
}

// AskStartAs is as AskStart, and the agent is of that release from then on, until another is asked for or the driver ends.
func AskStartAs(ctx context.Context, out io.Writer, dir, release string) error {
	_, err := request(ctx, out, dir, "start of the agent's release "+release, startRelease+release)
	return err
}

// AskStart asks the harness to start the agent that AskStop has stopped.
func AskStart(ctx context.Context, out io.Writer, dir string) error {
	_, err := request(ctx, out, dir, "start of the agent", startAgent)
	return err
}

// AskDeath asks the harness why the agent died that has just died, and returns that once another is started. From then on the harness
// takes every end of the agent for one that was asked for, and starts it again however often it dies. It is for the driver, as
// AskRestart is.
func AskDeath(ctx context.Context, out io.Writer, dir string) (why string, err error) {
	return request(ctx, out, dir, askDeath, askDeath)
}

// request writes what is asked for and waits for the answer.
func request(ctx context.Context, out io.Writer, dir, what, words string) (answered string, err error) {
	answer := filepath.Join(dir, "answer")
	if err := os.Remove(answer); err != nil && !os.IsNotExist(err) {
		return "", fmt.Errorf("ask for the %s: %w", what, err)
	}
	if _, err := fmt.Fprintf(out, "\n%s%s\n", askPrefix, words); err != nil {
		return "", fmt.Errorf("ask for the %s: %w", what, err)
	}
	err = lifecycle.Wait(ctx, what, boundOf(words), func(context.Context) error {
		said, err := os.ReadFile(answer)
		if err != nil {
			return err
		}
		if len(said) == 0 || !bytes.HasSuffix(said, []byte("\n")) {
			return errors.New("no answer yet")
		}
		granted := false
		if answered, granted = strings.CutPrefix(strings.TrimSpace(string(said)), done); !granted {
			return lifecycle.Stop(errors.New(answered))
		}
		return nil
	})
	return strings.TrimSpace(answered), err
}

// boundOf is how long the harness may take for a request.
func boundOf(words string) time.Duration {
	if strings.HasPrefix(words, makeRelease) {
		return makeBound
	}
	return askBound
}

// asked passes a driver's output on and obeys what it asks for on the way.
type asked struct {
	io.Writer
	obey    func(request string)
	pending []byte
}

// Write looks for requests line by line and passes everything else on at once.
func (a *asked) Write(p []byte) (int, error) {
	a.pending = append(a.pending, p...)
	for {
		i := bytes.IndexByte(a.pending, '\n')
		if i < 0 {
			return len(p), nil
		}
		line := a.pending[:i+1]
		if request, ok := bytes.CutPrefix(line, []byte(askPrefix)); ok {
			a.obey(strings.TrimSpace(string(request)))
		} else if _, err := a.Writer.Write(line); err != nil {
			return 0, err
		}
		a.pending = a.pending[i+1:]
	}
}

// Close passes an unfinished line on.
func (a *asked) Close() error {
	_, err := a.Writer.Write(a.pending)
	a.pending = nil
	return err
}

// answer does what the driver asked for and tells it.
func (e *Environment) answer(ctx context.Context, dir, request string) {
	said, err := done, error(nil)
	if request == askDeath {
		var why string
		why, err = e.death(ctx)
		said += " " + why
	} else {
		err = e.obey(ctx, request)
	}
	if err != nil {
		said = err.Error()
	}
	said = strings.ReplaceAll(said, "\n", " ")
	_ = os.WriteFile(filepath.Join(dir, "answer"), []byte(said+"\n"), 0o644) // without an answer the driver gives up and says so
}

func (e *Environment) obey(ctx context.Context, request string) error {
	bound := boundOf(request)
	ctx, cancel := context.WithTimeoutCause(ctx, bound, fmt.Errorf("it took more than %v", bound))
	defer cancel()
	switch request {
	case stopAgent:
		return e.stopAgent(ctx, syscall.SIGKILL)
	case endAgent:
		return e.stopAgent(ctx, syscall.SIGTERM)
	case startAgent:
		return e.startAgent(ctx)
	}
	if release, ok := strings.CutPrefix(request, makeRelease); ok {
		_, err := e.agentOf(ctx, release)
		return err
	}
	if release, ok := strings.CutPrefix(request, startRelease); ok {
		return e.startRelease(ctx, release)
	}
	if ours, err := e.obeyInstance(ctx, request); ours {
		return err
	}
	return e.restartAsked(ctx, Role(request))
}

// endBound is how long an agent that was asked to end may take.
const endBound = 10 * time.Second

// stopAgent ends the agent and holds it back from being started again.
func (e *Environment) stopAgent(ctx context.Context, by syscall.Signal) error {
	c := e.container(RoleAgent)
	e.mu.Lock()
	held := e.held
	if held == nil {
		e.held = make(chan struct{})
	}
	e.mu.Unlock()
	if held != nil {
		return errors.New("it is stopped already")
	}
	if err := e.killAgent(ctx, c, by); err != nil {
		e.releaseAgent()
		return err
	}
	return awaitEnd(ctx, c, by)
}

// awaitEnd waits until a container has ended that was sent a signal; one that was asked to end is killed once it has had its time.
func awaitEnd(ctx context.Context, c Container, by syscall.Signal) error {
	if by == syscall.SIGTERM {
		patient, cancel := context.WithTimeout(ctx, endBound)
		defer cancel()
		if _, err := c.Wait(patient); err == nil || ctx.Err() != nil {
			return err
		}
		if err := c.Signal(ctx, syscall.SIGKILL); err != nil {
			return err
		}
	}
	_, err := c.Wait(ctx)
	return err
}

// startAgent lets the agent that was stopped be started again, and waits for it.
func (e *Environment) startAgent(ctx context.Context) error {
	old := e.container(RoleAgent)
	if !e.releaseAgent() {
		return errors.New("it is not stopped")
	}
	return e.awaitAgent(ctx, old)
}

// releaseAgent lets an agent that was stopped be started again; false if none was.
func (e *Environment) releaseAgent() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.held == nil {
		return false
	}
	close(e.held)
	e.held = nil
	return true
}

// killAgent ends the agent by a signal, so that nobody takes it for dead.
func (e *Environment) killAgent(ctx context.Context, c Container, by syscall.Signal) error {
	e.mu.Lock()
	e.expected++
	e.mu.Unlock()
	err := c.Signal(ctx, by)
	if err != nil {
		e.expectedExit(RoleAgent) // else its next end would pass for one that was asked for
	}
	return err
}

// awaitAgent waits until Watch has started another agent than the old one, and that is ready.
func (e *Environment) awaitAgent(ctx context.Context, old Container) error {
	err := lifecycle.Wait(ctx, "a new agent", restartBound, func(context.Context) error {
		if e.container(RoleAgent) == old {
			return errors.New("the old one is there")
		}
		return nil
	})
	if err != nil {
		return err
	}
	client := Client(e.runtime, e.run)
	return lifecycle.Wait(ctx, e.target.Name(), askBound, func(ctx context.Context) error {
		return e.target.Ready(ctx, client, e.container(RoleNode).Addr())
	})
}

func (e *Environment) restartAsked(ctx context.Context, role Role) error {
	c := e.container(role)
	if c == nil {
		return fmt.Errorf("there is no %s to restart", role)
	}
	switch role {
	case RoleAgent:
		if err := e.killAgent(ctx, c, syscall.SIGKILL); err != nil {
			return err
		}
		return e.awaitAgent(ctx, c)
	case RoleEtcd, RoleAPIServer:
		if e.cfg.Supervisor == "" {
			return fmt.Errorf("%s was not started so that it can be restarted", role)
		}
		if err := c.Signal(ctx, syscall.SIGHUP); err != nil {
			return err
		}
		// A part that is back before its absence was seen was restarted all the same.
		_ = lifecycle.Wait(ctx, "end of "+string(role), time.Second, func(ctx context.Context) error {
			if e.serving(ctx) == nil {
				return errors.New("it answers")
			}
			return nil
		})
		return lifecycle.Wait(ctx, "API server", askBound, e.serving)
	}
	return fmt.Errorf("%s can't be restarted", role)
}

// death waits until an agent that died has been started again, and tells why it died.
func (e *Environment) death(ctx context.Context) (why string, err error) {
	err = lifecycle.Wait(ctx, "a new agent", restartBound, func(context.Context) error {
		e.mu.Lock()
		defer e.mu.Unlock()
		if e.died == "" {
			return errors.New("none has died")
		}
		why, e.died, e.mortal = e.died, "", true
		return nil
	})
	return why, err
}

// expectedExit reports whether the exit of a container was asked for, once per request.
func (e *Environment) expectedExit(role Role) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if role != RoleAgent || e.expected == 0 {
		return false
	}
	e.expected--
	return true
}

// keepAlive makes a spec's program one that can be restarted in place.
func (c Config) keepAlive(spec Spec) Spec {
	if c.Supervisor == "" {
		return spec
	}
	const path = "/fv-pause"
	spec.Command = append([]string{path, "keep"}, spec.Command...)
	spec.Files = append(spec.Files, File{Path: path, Mode: 0o755, Source: c.Supervisor})
	return spec
}

// RestartAgent kills the agent and starts it again, and returns once it is ready. It is for the harness, while no driver runs.
func (e *Environment) RestartAgent(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, askBound, fmt.Errorf("it took more than %v", askBound))
	defer cancel()
	watched := make(chan struct{})
	watching, stop := context.WithCancel(ctx)
	go func() {
		defer close(watched)
		e.Watch(watching, func(report.Event) {}) // it is what starts an agent again
	}()
	err := e.restartAsked(ctx, RoleAgent)
	stop()
	<-watched
	return err
}
