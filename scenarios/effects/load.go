package effects

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"

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
	Name  string // what it is called in measurements, such as "established"
	Flows []Flow
	Spec  load.Spec
	Begun func(Load) // is told of it once it is under way; nil: nobody is
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
		for _, m := range r.Measurements(all[i].Name) {
			w.Measure(m)
		}
	}
	return reports, err
}

// Within is an error that wraps ErrBroken if traffic was worse than a budget allows.
func Within(name string, b load.Budget, r load.Report) error {
	broken := b.Breaks(r)
	if len(broken) == 0 {
		return nil
	}
	return fmt.Errorf("%s: %s: %w", name, strings.Join(broken, "; "), engine.ErrBroken)
}
