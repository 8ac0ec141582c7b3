package infra

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/nodefv/nodefv/metrics/report"
)

// MostInstances is how many instances of a SUT there are at most, the agent among them.
const MostInstances = 4

// Replicated is a Target of which several instances can run in the namespaces of one node.
type Replicated interface {
	// Instance returns the target as its n-th instance, whose ports are its own; the first is the agent. Its error says why there can be none.
	Instance(n int) (Target, error)
}

// InstanceOf returns a target as its n-th instance, from 1, the agent; its error says why there can be none.
func InstanceOf(t Target, n int) (Target, error) {
	if n == 1 {
		return t, nil
	}
	r, ok := t.(Replicated)
	if !ok {
		return nil, fmt.Errorf("%s can't run in several instances on one node", t.Name())
	}
	if n < 1 || n > MostInstances {
		return nil, fmt.Errorf("there is no instance %d: %d are the most", n, MostInstances)
	}
	return r.Instance(n)
}

// InstanceRole is the role of the n-th instance of the SUT; the first is the agent.
func InstanceRole(n int) Role {
	if n == 1 {
		return RoleAgent
	}
	return Role(report.InstancePrefix + strconv.Itoa(n))
}

// InstanceOrder is what the driver may ask of an instance besides the agent.
type InstanceOrder string

// The orders: to start it, which is done once it is ready; to ask it to end, as AskEnd does; and to kill it.
const (
	StartInstance InstanceOrder = "start"
	EndInstance   InstanceOrder = "end"
	StopInstance  InstanceOrder = "stop"
)

// AskInstance asks the harness, as AskRestart does, to start or to end the n-th instance of the SUT, from 2. All of them end with the driver.
func AskInstance(ctx context.Context, out io.Writer, dir string, order InstanceOrder, n int) error {
	_, err := request(ctx, out, dir, fmt.Sprintf("%s of instance %d", order, n), string(order)+" "+string(InstanceRole(n)))
	return err
}

// instance is one of the SUT besides the agent.
type instance struct {
	Container
	asked atomic.Bool   // to end
	told  chan struct{} // closed once its end is
}

// obeyInstance does what the driver asks of an instance; false: the request is about none.
func (e *Environment) obeyInstance(ctx context.Context, request string) (bool, error) {
	order, role, _ := strings.Cut(request, " ")
	number, ok := strings.CutPrefix(role, report.InstancePrefix)
	n, err := strconv.Atoi(number)
	if !ok || err != nil {
		return false, nil
	}
	switch InstanceOrder(order) {
	case StartInstance:
		return true, e.startInstance(ctx, n)
	case EndInstance:
		return true, e.endInstance(ctx, n, syscall.SIGTERM)
	case StopInstance:
		return true, e.endInstance(ctx, n, syscall.SIGKILL)
	}
	return false, nil
}

// startInstance starts an instance, with the files, the environment and the limits of the agent, and waits until it is ready.
func (e *Environment) startInstance(ctx context.Context, n int) error {
	role := InstanceRole(n)
	if e.instance(role) != nil {
		return errors.New("it runs already")
	}
	t, err := InstanceOf(e.target, n)
	if err != nil {
		return err
	}
	cp, node := e.controlPlane(), e.Node()
	cp.Kubeconfig = func(string, ...string) ([]byte, error) { return nil, nil } // it has the agent's, which an attached environment could not make
	specs := t.Specs()
	own, err := specs[len(specs)-1](cp, node)
	if err != nil {
		return err
	}
	e.mu.Lock()
	spec := e.specs[RoleAgent]
	e.mu.Unlock()
	spec.Role, spec.Command = role, own.Command
	c, err := e.start(ctx, spec)
	if err != nil {
		return err
	}
	i := &instance{Container: c, told: make(chan struct{})}
	e.mu.Lock()
	if e.instances == nil {
		e.instances = map[Role]*instance{}
	}
	e.instances[role] = i
	e.mu.Unlock()
	go e.watchInstance(role, i)
	client := Client(e.runtime, e.run)
	err = e.awaitReady(ctx, c, fmt.Sprintf("instance %d of %s", n, t.Name()), func(ctx context.Context) error { return t.Ready(ctx, client, node.Addr) })
	if err != nil {
		return errors.Join(err, e.removeInstance(ctx, role, i))
	}
	return nil
}

func (e *Environment) instance(role Role) *instance {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.instances[role]
}

// watchInstance tells the end of an instance.
func (e *Environment) watchInstance(role Role, i *instance) {
	defer close(i.told)
	exit, err := i.Wait(context.Background())
	if err != nil {
		return // the engine is gone: then every other call says so
	}
	at, asked := time.Now(), i.asked.Load()
	words := lastWords(context.Background(), i)
	e.mu.Lock()
	tell := e.tell
	e.mu.Unlock()
	if tell != nil {
		tell(report.Event{
			At: at, Container: string(role), What: "exited", ExitCode: exit.Code, OOM: exit.OOM, Asked: asked, Cause: words.Cause(), Log: words.Lines(), Extra: true,
		})
	}
}

// endInstance ends an instance by a signal and removes it.
func (e *Environment) endInstance(ctx context.Context, n int, by syscall.Signal) error {
	role := InstanceRole(n)
	i := e.instance(role)
	if i == nil {
		return errors.New("it does not run")
	}
	i.asked.Store(true)
	err := i.Signal(ctx, by)
	if err == nil {
		err = awaitEnd(ctx, i, by)
	}
	return errors.Join(err, e.removeInstance(ctx, role, i))
}

// removeInstance removes an instance, whether it has ended or not.
func (e *Environment) removeInstance(ctx context.Context, role Role, i *instance) error {
	i.asked.Store(true)
	if err := i.Stop(ctx); err != nil {
		return fmt.Errorf("remove %s: %w", role, err)
	}
	select {
	case <-i.told:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.instances, role)
	delete(e.containers, role)
	delete(e.specs, role)
	return nil
}

// removeInstances removes those that a driver has left, also that of a harness that was killed.
func (e *Environment) removeInstances(ctx context.Context) (errs error) {
	if _, ok := e.target.(Replicated); !ok {
		return nil
	}
	ctx, cancel := context.WithTimeoutCause(context.WithoutCancel(ctx), removeBound, fmt.Errorf("it took more than %v", removeBound))
	defer cancel()
	for n := 2; n <= MostInstances; n++ {
		role := InstanceRole(n)
		if i := e.instance(role); i != nil {
			errs = errors.Join(errs, e.removeInstance(ctx, role, i))
			continue
		}
		left, err := e.runtime.Find(ctx, e.run, role)
		if err == nil {
			err = left.Stop(ctx)
		}
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			errs = errors.Join(errs, fmt.Errorf("remove %s: %w", role, err))
		}
	}
	return errs
}
