//go:build linux

// Package web makes HTTP/1.1 servers in the namespaces of pods, single requests, and loads of requests at a constant rate.
//
// Latency counts from when a request was due, never from when it was sent. What can be told of the client itself is told: how late it was.
// The package does not say what ought to be answered: that is for who reads the answers. It needs root. All types are safe for concurrent
// use, unless they say otherwise.
package web

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nodefv/nodefv/workloads"
	"github.com/nodefv/nodefv/workloads/netns"
	"github.com/nodefv/nodefv/workloads/requests"
)

const (
	backendHeader = requests.BackendHeader
	sizeHeader    = requests.SizeHeader
	statusHeader  = requests.StatusHeader
)

// Namespaces finds the namespace of a plugged pod; *netns.Plugger does.
type Namespaces interface {
	Namespace(pod workloads.Key) (*netns.Namespace, bool)
}

// Serving says how backends serve. What is zero has the value that the field's comment names.
type Serving struct {
	Threads int // that serve; 1
	Size    int // bytes of an answer's body, unless the request says otherwise; 64
}

// Backends are HTTP servers, one for each pod. A pod costs an open file for each port and no thread.
type Backends struct {
	size    int
	pods    Namespaces
	node    *netns.Namespace
	workers []*worker
	done    sync.WaitGroup

	mu     sync.Mutex
	all    map[workloads.Key]*backend
	closed bool
}

// backend is one server.
type backend struct {
	name        string
	listeners   []int
	requests    atomic.Uint64
	last        atomic.Int64 // Unix, in nanoseconds
	connections atomic.Int64
	failed      atomic.Pointer[error] // the first error of its listeners
}

// Serve begins to serve in the pods that are added; the zero Key is the node, the current network namespace. It must be closed.
func Serve(pods Namespaces, o Serving) (*Backends, error) {
	if o.Threads < 0 || o.Size < 0 {
		return nil, fmt.Errorf("serve: %d threads, %d bytes: neither may be negative", o.Threads, o.Size)
	}
	if o.Threads == 0 {
		o.Threads = 1
	}
	if o.Size == 0 {
		o.Size = 64
	}
	b := &Backends{size: o.Size, pods: pods, all: map[workloads.Key]*backend{}}
	var err error
	if b.node, err = netns.Current(); err != nil {
		return nil, fmt.Errorf("serve: %w", err)
	}
	for range o.Threads {
		w, err := newWorker(o.Size)
		if err != nil {
			return nil, fmt.Errorf("serve: %w", errors.Join(err, b.Close()))
		}
		b.workers = append(b.workers, w)
		b.done.Go(w.run)
	}
	return b, nil
}

// Add lets a pod serve on ports, of all its addresses. One that serves is an error.
func (b *Backends) Add(pod workloads.Key, ports ...uint16) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return fmt.Errorf("serve in %s: %w", name(pod), os.ErrClosed)
	}
	if _, there := b.all[pod]; there {
		return fmt.Errorf("serve in %s: %w", name(pod), os.ErrExist)
	}
	ns := b.node
	if pod != (workloads.Key{}) {
		var ok bool
		if ns, ok = b.pods.Namespace(pod); !ok {
			return fmt.Errorf("serve in %s: it is not plugged: %w", pod, os.ErrNotExist)
		}
	}
	made := &backend{name: name(pod)}
	err := ns.Do(func() error {
		for _, p := range ports {
			fd, err := listen(p)
			if err != nil {
				return err
			}
			made.listeners = append(made.listeners, fd)
		}
		return nil
	})
	for _, fd := range made.listeners {
		for _, w := range b.workers {
			if err == nil {
				err = w.listen(fd, made)
			}
		}
	}
	if err != nil {
		b.drop(made)
		return fmt.Errorf("serve in %s: %w", name(pod), err)
	}
	b.all[pod] = made
	return nil
}

// Remove ends pods' servers at once, with all their connections: then nothing of ours is in their namespaces. A pod that does not serve
// is no error.
func (b *Backends) Remove(pods ...workloads.Key) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, k := range pods {
		if gone, ok := b.all[k]; ok {
			b.drop(gone)
			delete(b.all, k)
		}
	}
}

// drop closes what a backend has open.
func (b *Backends) drop(gone *backend) {
	for _, w := range b.workers {
		w.forget(gone)
	}
	for _, fd := range gone.listeners {
		_ = unix.Close(fd)
	}
}

// Served says what a pod's server has done; false: it does not serve.
func (b *Backends) Served(pod workloads.Key) (requests.Served, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	one, ok := b.all[pod]
	if !ok {
		return requests.Served{}, false
	}
	return one.served(), true
}

// All says what each server has done.
func (b *Backends) All() map[workloads.Key]requests.Served {
	b.mu.Lock()
	defer b.mu.Unlock()
	all := make(map[workloads.Key]requests.Served, len(b.all))
	for k, one := range b.all {
		all[k] = one.served()
	}
	return all
}

func (b *backend) served() requests.Served {
	s := requests.Served{Requests: b.requests.Load(), Connections: int(b.connections.Load())}
	if at := b.last.Load(); at != 0 {
		s.Last = time.Unix(0, at)
	}
	return s
}

// Close ends all servers. Its error tells why some could not take connections meanwhile, such as for want of open files.
func (b *Backends) Close() (err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return nil
	}
	b.closed = true
	for k, one := range b.all {
		if why := one.failed.Load(); why != nil {
			err = errors.Join(err, fmt.Errorf("serve in %s: %w", name(k), *why))
		}
	}
	for _, k := range slices.Collect(maps.Keys(b.all)) {
		b.drop(b.all[k])
		delete(b.all, k)
	}
	for _, w := range b.workers {
		w.stop()
	}
	b.done.Wait()
	for _, w := range b.workers {
		err = errors.Join(err, w.close())
	}
	return errors.Join(err, b.node.Close())
}

// name is what an answer calls its pod.
func name(pod workloads.Key) string {
	if pod == (workloads.Key{}) {
		return "node"
	}
	return pod.String()
}
