package driver

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	"k8s.io/klog/v2"

	"github.com/nodefv/nodefv/scenarios/effects"
	"github.com/nodefv/nodefv/workloads/impair"
	"github.com/nodefv/nodefv/workloads/netns"
)

// Each candidate connects from ports of its own, so that its way can be told from others.
const (
	candidatePorts = 20_000 // the first
	portsEach      = 50
	mostCandidates = (netns.OwnFirst - candidatePorts) / portsEach
)

// leaseNamespace is one that every API server makes.
const leaseNamespace = "kube-system"

type elections struct{ *Driver }

var _ effects.Elections = elections{}

// election is one that is held.
type election struct {
	d          *Driver
	lease      string
	timings    effects.Timings
	candidates []uint16 // the first port of each
	cancel     context.CancelFunc
	running    sync.WaitGroup

	mu      sync.Mutex
	tenures []*effects.Tenure // To is zero while it lasts
	failed  error
}

func (e elections) Hold(ctx context.Context, t effects.Timings, candidates int) (effects.Election, error) {
	ctx, cancel := context.WithCancel(klog.NewContext(ctx, klog.Logger{})) // nobody reads what candidates log
	number := e.candidates.Add(uint32(candidates)) - uint32(candidates)
	x := &election{d: e.Driver, lease: fmt.Sprintf("nodefv-%s-%d", e.handoff.Run, number), timings: t, cancel: cancel}
	for i := range candidates {
		x.candidates = append(x.candidates, candidatePorts+uint16((number+uint32(i))%mostCandidates*portsEach))
	}
	for i := range candidates {
		x.running.Go(func() { x.stand(ctx, i) })
	}
	return x, nil
}

// stand is a candidate until ctx ends, again and again.
func (x *election) stand(ctx context.Context, candidate int) {
	first := x.candidates[candidate]
	config := rest.CopyConfig(x.d.config)
	config.QPS = -1
	config.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		return netns.DialFrom(ctx, network, address, first, first+portsEach-1)
	}
	for life := 0; ctx.Err() == nil; life++ {
		lock, err := resourcelock.NewFromKubeconfig(resourcelock.LeasesResourceLock, leaseNamespace, x.lease,
			resourcelock.ResourceLockConfig{Identity: fmt.Sprintf("candidate-%d-%d", candidate, life)}, config, x.timings.Renew)
		if err != nil {
			x.fail(err)
			return
		}
		var term term
		elector, err := leaderelection.NewLeaderElector(leaderelection.LeaderElectionConfig{
			Lock: lock, LeaseDuration: x.timings.Lease, RenewDeadline: x.timings.Renew, RetryPeriod: x.timings.Retry, Name: x.lease,
			Callbacks: leaderelection.LeaderCallbacks{
				OnStartedLeading: func(context.Context) { x.begin(&term, candidate) },
				OnStoppedLeading: func() { x.stop(&term) },
			},
		})
		if err != nil {
			x.fail(fmt.Errorf("timings %s: %w", x.timings, err))
			return
		}
		elector.Run(ctx)
	}
}

// term is the time of one life of a candidate. It is told of its beginning by a goroutine of its own, which may come after its end.
type term struct {
	tenure *effects.Tenure // nil: it has not begun to lead
	over   bool
}

func (x *election) begin(t *term, candidate int) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if !t.over {
		t.tenure = &effects.Tenure{Candidate: candidate, From: time.Now()}
		x.tenures = append(x.tenures, t.tenure)
	}
}

func (x *election) stop(t *term) {
	x.mu.Lock()
	defer x.mu.Unlock()
	t.over = true
	if t.tenure != nil {
		t.tenure.To = time.Now()
	}
}

func (x *election) fail(err error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.failed = errors.Join(x.failed, err)
}

func (x *election) Leader() (candidate int, any bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, t := range x.tenures {
		if t.To.IsZero() {
			candidate, any = t.Candidate, true
		}
	}
	return candidate, any
}

// ways is what of the driver's link to the API server is the candidate's alone.
func (x *election) ways(candidate int) way {
	first := x.candidates[candidate]
	return way{x.d.wire, fmt.Sprintf("candidate-%d", first), func(f *impair.Filter) {
		f.Connection = &impair.Connection{Protocol: corev1.ProtocolTCP, Local: impair.Endpoint{Port: first, Last: first + portsEach - 1}}
	}}
}

func (x *election) Worsen(candidate int, worse effects.Worse) error {
	return x.ways(candidate).Worsen(worse)
}

func (x *election) Met(candidate int) ([]effects.Met, error) { return x.ways(candidate).Met() }

func (x *election) End() (all []effects.Tenure, err error) {
	for i := range x.candidates {
		err = errors.Join(err, x.ways(i).Mend())
	}
	x.cancel()
	x.running.Wait()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	gone := x.d.client.CoordinationV1().Leases(leaseNamespace).Delete(ctx, x.lease, metav1.DeleteOptions{})
	if gone != nil && !apierrors.IsNotFound(gone) {
		err = errors.Join(err, fmt.Errorf("remove lease: %w", gone))
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, t := range x.tenures {
		all = append(all, *t)
	}
	return all, errors.Join(err, x.failed)
}
