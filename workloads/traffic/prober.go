//go:build linux

// Package traffic makes TCP connections and UDP exchanges between workloads and tells what became of them.
//
// It owns both ends of each flow: sockets inside the workloads' namespaces that wait for flows, and those that start them. As it
// sees every packet that arrives, a flow that was dropped is known as such in a millisecond, and not when a clock has run out (see
// Probe). It does not know which flows should succeed. It needs root. A Prober is safe for concurrent use.
package traffic

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/nodefv/nodefv/workloads"
	"github.com/nodefv/nodefv/workloads/netns"
)

// DefaultWait is how long a flow may take where packets can't be known to be dropped but by waiting. It is shorter than the second
// after which TCP sends its first packet anew, so a flow stands for one attempt.
const DefaultWait = 300 * time.Millisecond

const (
	// roundSize bounds how many flows are under way at once: their sockets, and what a receive queue of the kernel holds (1,000
	// packets for all devices of a CPU).
	roundSize = 256
	// grace is what a flow that is about to be judged dropped gets once more. By the order of packets it needs none.
	grace = time.Millisecond
)

// What becomes of a flow that does not succeed; every other error, such as an ICMP answer, is the kernel's own.
var (
	ErrRefused  = errors.New("connection refused")
	ErrDropped  = errors.New("no answer to the connection request")
	ErrNoAnswer = errors.New("connected, but no data came")
	ErrLate     = errors.New("a packet of an earlier try arrived after that was judged dropped")
)

// Flow is a connection to be tried.
type Flow struct {
	From     workloads.Key // the pod that connects; the zero Key is the node itself
	Source   netip.Addr    // of its addresses the one to connect from; invalid: the kernel chooses
	To       netip.Addr
	Port     uint16
	Protocol corev1.Protocol // TCP or UDP; empty means TCP
}

// Result is what became of a Flow.
type Result struct {
	Connected  bool       // TCP: the handshake was completed; UDP: the datagram arrived
	SourceSeen netip.Addr // the address that the receiver saw; invalid unless the flow's first data arrived there
	Took       time.Duration
	Err        error // nil if the answer came; ErrRefused, ErrDropped, ErrNoAnswer, ErrLate or another, wrapped
}

// Namespaces finds the namespace of a plugged pod; *netns.Plugger does.
type Namespaces interface {
	Namespace(pod workloads.Key) (*netns.Namespace, bool)
}

// Prober tries flows and answers them.
type Prober struct {
	pods   Namespaces
	node   *netns.Namespace
	wait   time.Duration // per flow, where the marker can't be relied upon
	memory time.Duration // how long conntrack may remember a flow that is over
	marker *marker       // nil: it can't be relied upon

	mu        sync.Mutex // held for one round at a time
	poll      int        // epoll instance of all receivers
	receivers map[int]*receiver
	spaces    map[*netns.Namespace]*space
	ports     map[origin]*ports
	tries     map[uint64]*try // of the round under way, by token
	accepted  []accepted      // of the round under way
	stream    *Stream         // nil: none
	token     uint64          // the last one
	reached   int             // how many tokens of tries came
	history   history
	failure   error // of a receiver
	closed    bool
}

// space is what the Prober has in a namespace.
type space struct {
	receivers []int
	v4, v6    netip.Addr // from where the kernel begins flows; invalid: nobody has asked
}

// New returns a Prober whose node is the current network namespace. It must be closed. Where the kernel spreads packets over CPUs
// by their content (RPS), so that their order says nothing, flows may take wait each; zero means DefaultWait.
func New(pods Namespaces, wait time.Duration) (p *Prober, err error) {
	if wait <= 0 {
		wait = DefaultWait
	}
	p = &Prober{
		pods: pods, wait: wait, memory: flowMemory, poll: -1, receivers: map[int]*receiver{}, spaces: map[*netns.Namespace]*space{}, ports: map[origin]*ports{},
		tries: map[uint64]*try{}, history: newHistory(), token: uint64(time.Now().UnixNano()),
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("start prober: %w", errors.Join(err, p.Close()))
		}
	}()
	if p.node, err = netns.Current(); err != nil {
		return p, err
	}
	if p.poll, err = epoll(); err != nil {
		return p, err
	}
	spread, err := spreads(p.node)
	if err != nil || spread {
		return p, err
	}
	p.marker, err = newMarker()
	return p, err
}

// Probe tries all flows, a few hundred at a time, and returns their results in the same order. A flow is judged dropped when
// all that was sent before a marker has been worked off and no answer was among it (see marker), so it takes milliseconds whatever
// becomes of it. When ctx is done, those that are not begun fail with its cause. If a receiver failed, every result without an
// answer carries its error as well, for then the receiver may be at fault.
//
// A packet that arrives after all, within half a second, proves that its flow was judged too early: see ErrLate and Late.
func (p *Prober) Probe(ctx context.Context, flows []Flow) []Result {
	return p.ProbeSlow(ctx, flows, 0)
}

// ProbeSlow is Probe for flows whose packets may be held back on their way: none is judged dropped before nothing has come for as long as
// the patience.
func (p *Prober) ProbeSlow(ctx context.Context, flows []Flow, patience time.Duration) []Result {
	results := make([]Result, len(flows))
	err := netns.Visit(func(v *netns.Visitor) error {
		unpin, err := pin()
		if err != nil {
			return err
		}
		for first := 0; first < len(flows); first += roundSize {
			last := min(first+roundSize, len(flows))
			if ctx.Err() != nil {
				for i := first; i < len(flows); i++ {
					results[i].Err = fmt.Errorf("connect: %w", context.Cause(ctx))
				}
				break
			}
			p.round(ctx, v, flows[first:last], results[first:last], patience)
		}
		return unpin()
	})
	if err != nil {
		blame(results, err)
	}
	return results
}

// blame gives results that an error of the prober's own may have caused that error: what they said is no verdict.
func blame(results []Result, own error) {
	for i := range results {
		if r := &results[i]; r.Err != nil || !r.SourceSeen.IsValid() {
			r.Err = own
		}
	}
}

// Err is why nothing that the Prober or its Stream says since is a verdict; nil if there is no such reason.
func (p *Prober) Err() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.failure
}

// Node is the namespace that New was called in.
func (p *Prober) Node() *netns.Namespace { return p.node }

// Late returns the flows that were judged dropped when last tried, though a packet of that try arrived afterwards.
func (p *Prober) Late() []Flow {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.history.lateFlows()
}

// Close closes every socket. It returns a receiver's failure, if there was one.
func (p *Prober) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil
	}
	p.closed = true
	errs := p.failure
	for ns := range p.spaces {
		errs = errors.Join(errs, p.release(ns))
	}
	p.history.close()
	if p.marker != nil {
		errs = errors.Join(errs, p.marker.close())
	}
	if p.poll >= 0 {
		errs = errors.Join(errs, closeSocket(p.poll))
	}
	if p.node != nil {
		errs = errors.Join(errs, p.node.Close())
	}
	return errs
}
