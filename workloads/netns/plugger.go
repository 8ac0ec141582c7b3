//go:build linux

package netns

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/nodefv/nodefv/workloads"
)

// workerCount is where more threads stop to gain: the kernel's rtnl lock admits one at a time.
const workerCount = 2

// Plugger connects pods to the network namespace in which New was called. Each pod has a namespace with an interface
// eth0 that has its addresses and a default route to the host interface, whose MAC is ee:ee:ee:ee:ee:ee. Routes to
// the pods are not made.
type Plugger struct {
	home *Namespace
	jobs chan job
	quit chan struct{}
	done sync.WaitGroup // the workers
	busy sync.WaitGroup // calls of plug that have a place

	mu     sync.Mutex
	pods   map[workloads.Key]*plugged
	closed bool
}

var _ workloads.Plugger = (*Plugger)(nil)

// plugged is a pod's place. It is busy while it is made or removed.
type plugged struct {
	host string
	ns   *Namespace
	busy bool
}

type job struct {
	plug   workloads.Plug
	result chan<- outcome
}

type outcome struct {
	ns  *Namespace
	err error
}

// New returns a Plugger of the current network namespace. It needs CAP_NET_ADMIN and CAP_SYS_ADMIN, and must be closed.
func New() (*Plugger, error) {
	home, err := Current()
	if err != nil {
		return nil, fmt.Errorf("start plugger: %w", err)
	}
	p := &Plugger{home: home, jobs: make(chan job), quit: make(chan struct{}), pods: map[workloads.Key]*plugged{}}
	started := make(chan error, workerCount)
	for range workerCount {
		p.done.Add(1)
		go p.work(started)
	}
	var errs error
	for range workerCount {
		errs = errors.Join(errs, <-started)
	}
	if errs != nil {
		return nil, fmt.Errorf("start plugger: %w", errors.Join(errs, p.stop()))
	}
	return p, nil
}

func (p *Plugger) work(started chan<- error) {
	defer p.done.Done()
	onThread(func() (clean bool) {
		w, err := newWorker(p.home)
		started <- err
		if err != nil {
			return false
		}
		defer w.host.close()
		for {
			select {
			case j := <-p.jobs:
				ns, err := w.plug(j.plug)
				j.result <- outcome{ns, err}
			case <-p.quit:
				return false
			}
		}
	})
}

// Plug connects the pods. It stops at the first error, and leaves nothing of the pod that failed; those that were
// plugged before it remain. A pod that is plugged already is an error.
func (p *Plugger) Plug(ctx context.Context, pods []workloads.Plug) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(2 * workerCount)
	for _, pod := range pods {
		group.Go(func() error {
			if err := p.plug(ctx, pod); err != nil {
				return fmt.Errorf("plug %s: %w", pod.Pod, err)
			}
			return nil
		})
		if ctx.Err() != nil {
			break
		}
	}
	return group.Wait()
}

func (p *Plugger) plug(ctx context.Context, pod workloads.Plug) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	place, err := p.reserve(pod)
	if err != nil {
		return err
	}
	defer p.busy.Done()
	result := make(chan outcome, 1)
	var got outcome
	select {
	case p.jobs <- job{pod, result}:
		got = <-result
	case <-p.quit:
		got.err = os.ErrClosed
	case <-ctx.Done():
		got.err = context.Cause(ctx)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if got.err != nil {
		delete(p.pods, pod.Pod)
		return got.err
	}
	place.ns, place.busy = got.ns, false
	return nil
}

func (p *Plugger) reserve(pod workloads.Plug) (*plugged, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, os.ErrClosed
	}
	if _, taken := p.pods[pod.Pod]; taken {
		return nil, fmt.Errorf("already plugged: %w", os.ErrExist)
	}
	place := &plugged{host: pod.HostInterface, busy: true}
	p.pods[pod.Pod] = place
	p.busy.Add(1)
	return place, nil
}

// Namespace returns a plugged pod's namespace, which the Plugger closes when it unplugs the pod.
func (p *Plugger) Namespace(pod workloads.Key) (*Namespace, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	place, ok := p.pods[pod]
	if !ok || place.busy {
		return nil, false
	}
	return place.ns, true
}

// Close waits for calls of Plug under way, unplugs all pods, which takes a minute at most, and stops the workers. Its
// error names what it left.
func (p *Plugger) Close() error {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return nil
	}
	p.closed = true
	p.mu.Unlock()
	p.busy.Wait()
	p.mu.Lock()
	all := slices.Collect(maps.Keys(p.pods))
	p.mu.Unlock()
	return errors.Join(p.Unplug(context.Background(), all), p.stop())
}

func (p *Plugger) stop() error {
	close(p.quit)
	p.done.Wait()
	return p.home.Close()
}
