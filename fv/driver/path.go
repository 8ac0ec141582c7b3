package driver

import (
	"context"
	"math"
	"time"

	"github.com/nodefv/nodefv/scenarios/effects"
	"github.com/nodefv/nodefv/workloads"
	"github.com/nodefv/nodefv/workloads/impair"
	"github.com/nodefv/nodefv/workloads/traffic"
	"github.com/nodefv/nodefv/workloads/uplink"
)

const (
	mostTries = 30
	// unlikely is how improbable it must be that chance alone lost all tries of a flow, so that it counts as dropped.
	unlikely = 1e-6
	// packetsOfTry is how many packets a try needs at most: a handshake of three, the token there and back.
	packetsOfTry = 5
	// slack is for what is late besides what is held.
	slack = 50 * time.Millisecond
)

// path is what happens to a flow's packets by order.
type path struct {
	held  time.Duration // each way at most
	loss  float64       // share of packets
	vague bool          // nothing can be said of how many are lost, or how late
}

// pathOf says what impairments there are on the links of a flow's ends.
func (w *Wire) pathOf(f effects.Flow) (p path, impaired bool, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var keys []workloads.Key
	for _, end := range []effects.End{f.From, f.To} {
		if end.Remote {
			end.Key = uplink.Pod
		}
		keys = append(keys, end.Key)
	}
	if keys[0] == keys[1] {
		keys = keys[:1]
	}
	for _, key := range keys {
		link := w.links[key]
		if link == nil {
			continue
		}
		all, err := link.Show()
		if err != nil {
			return p, false, err
		}
		for _, r := range all {
			impaired = true
			p = p.and(r.Quality)
		}
	}
	return p, impaired, nil
}

// and is the path with an impairment more. A filter may spare the flow: then the path is better than that.
func (p path) and(q impair.Quality) path {
	p.held += q.Longest()
	p.loss = 1 - (1-p.loss)*(1-q.Loss.Share)*(1-q.Corruption.Share)
	p.vague = p.vague || q.Rate > 0 || q.Loss.Correlation > 0 || q.Corruption.Correlation > 0 || q.Loss.GilbertElliott != nil || q.Loss.FourState != nil ||
		len(q.Loss.Packets)+len(q.Corruption.Packets) > 0
	return p
}

// tries is how many there must be until it is certain that chance alone did not lose a flow; certain is false if that takes too many.
func (p path) tries() (n int, certain bool) {
	lost := 1 - math.Pow(1-p.loss, packetsOfTry)
	switch {
	case p.vague || lost >= 1:
		return 5, false
	case lost == 0:
		return 1, true
	}
	n = int(math.Ceil(math.Log(unlikely) / math.Log(lost)))
	return min(n, mostTries), n <= mostTries
}

// connectFar tries flows on impaired paths: with the patience that these ask for, and so often that what stays unanswered is no chance.
func (w *Wire) connectFar(ctx context.Context, flows []effects.Flow, paths map[effects.Flow]path, outcomes effects.Outcomes) {
	for n := 1; len(flows) > 0; n++ {
		var patience time.Duration
		var probes []traffic.Flow
		for _, f := range flows {
			patience = max(patience, paths[f].held+slack)
			probes = append(probes, onWire(f))
		}
		var left []effects.Flow
		for i, r := range w.prober.ProbeSlow(ctx, probes, patience) {
			f, is := flows[i], outcome(flows[i], r)
			tries, certain := paths[f].tries()
			if is.Kind == effects.Failed || is.Kind == effects.Dropped || is.Kind == effects.PassedLate {
				if n < tries && ctx.Err() == nil {
					left = append(left, f)
				} else if !certain {
					is = effects.Outcome{Kind: effects.Uncertain}
				}
			}
			outcomes[f] = is
		}
		flows = left
	}
}
