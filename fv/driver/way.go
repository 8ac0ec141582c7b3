package driver

import (
	"errors"

	"github.com/nodefv/nodefv/infra"
	"github.com/nodefv/nodefv/scenarios/effects"
	"github.com/nodefv/nodefv/workloads/impair"
)

// way is that of some connections to the API server.
type way struct {
	*Wire
	name   string
	narrow func(*impair.Filter) // to these connections
}

var _ effects.Way = way{}

// agentsWay is the agent's to the API server.
func (w *Wire) agentsWay() way { return way{w, "way", w.within(infra.API)} }

// directions are those of the headings.
var directions = map[effects.Heading]impair.Direction{effects.ToAPI: impair.Out, effects.FromAPI: impair.In}

// named is what impairs packets that go in a direction.
func (w way) named(d impair.Direction) string { return w.name + "-" + string(d) }

func (w way) Worsen(worse effects.Worse) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	link, err := w.link(uplinkKey)
	if err != nil {
		return err
	}
	var all []ordered
	for heading, direction := range directions {
		i := impair.Impairment{Name: w.named(direction), Direction: direction}
		w.narrow(&i.Filter)
		if worse.Only == "" || worse.Only == heading {
			i.Quality = impair.Quality{Delay: worse.Delay, Seed: worse.Seed, Loss: impair.Loss{Chance: impair.Chance{Share: worse.Loss}}}
		}
		all = append(all, ordered{uplinkKey, link, i})
	}
	return w.setAll(all)
}

func (w way) Met() (all []effects.Met, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	link := w.links[uplinkKey]
	if link == nil {
		return nil, nil
	}
	reports, err := link.Show()
	if err != nil {
		return nil, err
	}
	for heading, direction := range directions {
		for _, r := range reports {
			if r.Name != w.named(direction) {
				continue
			}
			m := effects.Met{Heading: heading, Packets: r.Counters.Packets, Lost: r.Counters.Lost, Claims: r.Proof}
			if r.Held != nil {
				m.Delay = r.Held.Delay.P50
			}
			all = append(all, m)
		}
	}
	return all, nil
}

func (w way) Mend() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	link := w.links[uplinkKey]
	if link == nil {
		return nil
	}
	reports, err := link.Show()
	for _, r := range reports {
		if r.Name == w.named(r.Direction) {
			err = errors.Join(err, link.Clear(r.Name))
		}
	}
	return errors.Join(err, w.noteEnd(uplinkKey, link))
}
