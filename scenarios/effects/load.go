package effects

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/nodefv/nodefv/metrics"
	"github.com/nodefv/nodefv/metrics/report"
	"github.com/nodefv/nodefv/scenarios/engine"
	"github.com/nodefv/nodefv/workloads"
	"github.com/nodefv/nodefv/workloads/load"
)

// Loader makes continuous traffic.
type Loader interface {
	// Load begins traffic whose connections are spread over flows, of which the spec's protocol is that of all. Unless the spec names
	// the servers, they are the pods that the flows are to.
	Load(ctx context.Context, flows []Flow, spec load.Spec) (Load, error)
}

// Load is traffic under way. Wait or Stop must be called, once.
type Load interface {
	// Look says how its connections stand; nil: it is over.
	Look() []load.Look
	Wait() (load.Report, error) // waits for its end
	Stop() (load.Report, error) // ends it
}

// Pool is a Load whose servers can be taken away while it is under way.
type Pool interface {
	// Retire closes a server's connections in order, and lets none be begun to it; then its pod may go. Serve undoes that.
	Retire(server workloads.Key, addresses ...netip.Addr) error
	Serve(server workloads.Key, addresses ...netip.Addr) error
}

// LoadPort is the port that continuous traffic is to: the prober listens on others.
const LoadPort = 5201

// ErrNoLoad is what Carry returns in a world where there is no continuous traffic.
var ErrNoLoad = errors.New("no continuous traffic can be made here")

// Carrying is continuous traffic that goes on while something is done.
type Carrying struct {
	Name      string // what it is called in measurements, such as "established"
	Flows     []Flow
	Spec      load.Spec
	Begun     func(Load) // is told of it once it is under way; nil: nobody is
	Forbidden bool       // by a policy: what arrives of it has leaked, see Leaked, and nothing else is measured
}

// Leaked is how much of forbidden traffic came through: messages that arrived, and connections that stood by a protocol that has such.
func Leaked(r load.Report) (leaked uint64) {
	leaked = r.Count.There.Arrived
	for _, c := range r.Connections {
		if c.Protocol != load.UDP && c.Connect > 0 {
			leaked++
		}
	}
	return leaked
}

func (c Carrying) measurements(r load.Report) []metrics.Measurement {
	if !c.Forbidden {
		all := r.Measurements(c.Name)
		if r.Spec.Rate > 0 && r.Count.Due <= uint64(r.Spec.Connections) { // a connection of one message has no hole
			all = slices.DeleteFunc(all, func(m metrics.Measurement) bool { return m.Name == "longest hole" })
		}
		return all
	}
	return []metrics.Measurement{{
		Name: "leaked", Doc: "Messages that arrived and connections that stood though a policy forbids them.",
		Labels:  []metrics.Label{{Name: "traffic", Value: c.Name}, {Name: "protocol", Value: string(r.Spec.Protocol)}},
		Samples: []metrics.Sample{{At: r.Began, Value: float64(Leaked(r))}},
	}}
}

// Carry makes traffic, does it amid that, and records what became of the traffic as measurements. The reports are in the order of the
// traffic. One that is over before it was stopped, because of its duration, is waited for.
func Carry(ctx context.Context, w *engine.World, all []Carrying, do func(context.Context) error) ([]load.Report, error) {
	loader := Of(w).Loader
	if loader == nil {
		return nil, ErrNoLoad
	}
	var under []Load
	var err error
	done := false
	defer func() {
		for i := 0; i < len(under) && !done; i++ { // it panics
			_, _ = under[i].Stop()
		}
	}()
	for _, c := range all {
		l, startErr := loader.Load(ctx, c.Flows, c.Spec)
		if startErr != nil {
			err = fmt.Errorf("%s: %w", c.Name, startErr)
			break
		}
		under = append(under, l)
		if c.Begun != nil {
			c.Begun(l)
		}
	}
	if err == nil {
		err = do(ctx)
	}
	done = true
	var reports []load.Report
	for i, l := range under {
		end := l.Stop
		if all[i].Spec.Duration > 0 && err == nil {
			end = l.Wait
		}
		r, endErr := end()
		err = errors.Join(err, endErr)
		reports = append(reports, r)
		for _, m := range all[i].measurements(r) {
			w.Measure(m)
		}
		for _, c := range r.Courses(all[i].Name + " by " + string(r.Spec.Protocol)) {
			w.Record(report.Entry{Course: &c})
		}
	}
	return reports, err
}

// Unharmed wants no message of traffic to be lost and no connection to fail. Losses that a known issue of the SUT's release explains are
// excused, and shown.
func Unharmed(w *engine.World, name string, r load.Report) error {
	f := report.Finding{Kind: report.Expectation, Name: name, Facts: len(r.Connections)}
	for _, c := range r.Connections {
		if c.Lost() > 0 {
			f.Violated(lossOf(c), engine.MaxDifferences)
		}
	}
	f = f.Excuse(Of(w).Known)
	w.Note(f)
	if f.Differing > 0 {
		return fmt.Errorf("%s: %d connections lost messages: %w", name, f.Differing, engine.ErrBroken)
	}
	return Within(name, load.Budget{Failed: new(int)}, r)
}

// lossOf is what a connection lost, as a violation.
func lossOf(c load.Connection) report.Difference {
	class := report.ViolationClass{Family: report.IPv4, Protocol: string(corev1.ProtocolTCP), Met: report.Dropped}
	if c.Remote.Addr().Is6() {
		class.Family = report.IPv6
	}
	if c.Protocol == load.UDP {
		class.Protocol = string(corev1.ProtocolUDP)
	}
	until := c.Hole.At.Add(c.Hole.Took)
	return report.Difference{
		Fact: fmt.Sprintf("%s from %s to %s", c.Protocol, c.Local, c.Remote), Want: "no message is lost",
		Got: fmt.Sprintf("%d lost, the longest hole %v", c.Lost(), c.Hole.Took), From: c.Hole.At, Until: until,
		Violation: &report.Violation{ViolationClass: class, Legal: report.Passed, Packets: int(c.Lost())},
	}
}

// Within is an error that wraps ErrBroken if traffic was worse than a budget allows.
func Within(name string, b load.Budget, r load.Report) error {
	broken := b.Breaks(r)
	if len(broken) == 0 {
		return nil
	}
	return fmt.Errorf("%s: %s: %w", name, strings.Join(broken, "; "), engine.ErrBroken)
}
