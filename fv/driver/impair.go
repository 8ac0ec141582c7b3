package driver

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nodefv/nodefv/infra"
	"github.com/nodefv/nodefv/scenarios/effects"
	"github.com/nodefv/nodefv/workloads"
	"github.com/nodefv/nodefv/workloads/impair"
	"github.com/nodefv/nodefv/workloads/uplink"
)

// LinkReport is what is in force on a link.
type LinkReport struct {
	Pod         string          `json:"pod"`
	Impairments []impair.Report `json:"impairments"`
}

// spell is a time in which a pod's link was impaired.
type spell struct {
	pod      workloads.Key
	from, to time.Time // zero: it goes on
}

// note notes from when and until when a pod's link is impaired; the lock is held.
func (w *Wire) note(pod workloads.Key, impaired bool) {
	for i := range w.bad {
		if s := &w.bad[i]; s.pod == pod && s.to.IsZero() {
			if !impaired {
				s.to = time.Now()
			}
			return
		}
	}
	if impaired {
		w.bad = append(w.bad, spell{pod: pod, from: time.Now()})
	}
}

// excused reports whether a packet did not arrive on a path that was impaired, so that nobody can say who dropped it; the lock is held. One
// that arrived is judged as any other.
func (w *Wire) excused(o effects.Observation) bool {
	crosses := o.Flow.From.Remote || o.Flow.To.Remote
	return !o.Arrived && slices.ContainsFunc(w.bad, func(s spell) bool {
		return (s.pod == o.Flow.From.Key || s.pod == o.Flow.To.Key || crosses && s.pod == uplink.Pod) && !o.Gone.Before(s.from.Add(-effects.CertainAfter)) &&
			(s.to.IsZero() || !o.Sent.After(s.to.Add(effects.CertainAfter)))
	})
}

// mendAll ends all impairments.
func (w *Wire) mendAll() (err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for k := range w.links {
		err = errors.Join(err, w.mend(k))
	}
	return err
}

// obey carries an order out and returns what is in force on the links that it is about.
func (w *Wire) obey(o infra.ImpairOrder) ([]LinkReport, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch o.Do {
	case "set":
		return w.setImpairment(o)
	case "clear":
		return w.clearImpairments(o)
	case "show":
		return w.impairments(o)
	}
	return nil, fmt.Errorf("an order to %q is not known", o.Do)
}

func (w *Wire) setImpairment(o infra.ImpairOrder) ([]LinkReport, error) {
	chosen, err := w.chosen(o)
	if err != nil {
		return nil, err
	}
	var all []ordered
	for _, k := range chosen {
		link, err := w.link(k)
		if err != nil {
			return nil, err
		}
		directions := []impair.Direction{""}
		if o.Both {
			directions = []impair.Direction{impair.Out, impair.In}
		}
		for _, direction := range directions {
			name := nameOf(o)
			if direction != "" {
				name += "-" + string(direction)
			}
			asked, err := merged(link, name, direction, o, w.within(o.Pod))
			if err != nil {
				return nil, err
			}
			all = append(all, ordered{k, link, asked})
		}
	}
	if err := w.setAll(all); err != nil {
		return nil, err
	}
	return w.impairments(o)
}

// nameOf is the name of the impairment that an order is about.
func nameOf(o infra.ImpairOrder) string {
	if o.Pod == infra.API {
		return cmp.Or(o.Name, infra.API)
	}
	return cmp.Or(o.Name, "default")
}

// noteEnd notes that a pod's link is impaired no more if nothing is in force on it; the lock is held.
func (w *Wire) noteEnd(pod workloads.Key, link *impair.Link) error {
	left, err := link.Show()
	if err == nil && len(left) == 0 {
		w.note(pod, false)
	}
	return err
}

// merged is the impairment that an order asks for on a link: what the order does not say is as it was, unless it says Replace. Its filter is
// narrowed.
func merged(link *impair.Link, name string, direction impair.Direction, o infra.ImpairOrder, narrow func(*impair.Filter)) (impair.Impairment, error) {
	var asked impair.Impairment
	if !o.Replace {
		was, _, err := inForce(link, name)
		if err == nil {
			asked, err = copied(was)
		}
		if err != nil {
			return asked, err
		}
	}
	if err := json.Unmarshal(o.Asked, &asked); err != nil {
		return asked, fmt.Errorf("read what is asked: %w", err)
	}
	if o.Classic != "" {
		var err error
		if asked.Filter.Classic, err = impair.ParseClassic(o.Classic); err != nil {
			return asked, err
		}
	}
	narrow(&asked.Filter)
	asked.Name = name
	asked.Direction = cmp.Or(direction, asked.Direction)
	return asked, nil
}

// copied shares nothing with what it is a copy of: what is asked may be refused.
func copied(i impair.Impairment) (c impair.Impairment, err error) {
	text, err := json.Marshal(i)
	if err == nil {
		err = json.Unmarshal(text, &c)
	}
	if err != nil {
		err = fmt.Errorf("read what is in force: %w", err)
	}
	return c, err
}

func (w *Wire) clearImpairments(o infra.ImpairOrder) ([]LinkReport, error) {
	chosen, err := w.chosen(o)
	if err != nil {
		return nil, err
	}
	if o.Pod == infra.API { // on a link that has others
		o.Name = nameOf(o)
	}
	cleared := 0
	for _, k := range chosen {
		link := w.links[k]
		if link == nil {
			continue
		}
		all, err := link.Show()
		if err != nil {
			return nil, err
		}
		for _, i := range all {
			if o.Name != "" && i.Name != o.Name && i.Name != o.Name+"-"+string(i.Direction) {
				continue
			}
			if err := link.Clear(i.Name); err != nil {
				return nil, err
			}
			cleared++
		}
		if err := w.noteEnd(k, link); err != nil {
			return nil, err
		}
	}
	if cleared == 0 && o.Name != "" {
		return nil, fmt.Errorf("there is no impairment %s", o.Name)
	}
	return w.impairments(o)
}

// impairments says what is in force, of those links that are chosen and have something; the lock is held.
func (w *Wire) impairments(o infra.ImpairOrder) ([]LinkReport, error) {
	var reports []LinkReport
	chosen, err := w.chosen(o)
	if err != nil {
		return nil, err
	}
	for _, k := range chosen {
		if w.links[k] == nil {
			continue
		}
		all, err := w.links[k].Show()
		if err != nil {
			return nil, err
		}
		if len(all) > 0 {
			reports = append(reports, LinkReport{k.String(), all})
		}
	}
	return reports, nil
}

// pod finds a plugged pod; the lock is held.
func (w *Wire) pod(name string) (workloads.Key, error) {
	var plugged []string
	for k := range w.plugs {
		if k.String() == name {
			return k, nil
		}
		plugged = append(plugged, k.String())
	}
	if len(plugged) == 0 {
		return workloads.Key{}, errors.New("no pod has a link now")
	}
	slices.Sort(plugged)
	rest := ""
	if len(plugged) > 10 {
		plugged, rest = plugged[:10], fmt.Sprintf(" and %d others", len(plugged)-10)
	}
	return workloads.Key{}, fmt.Errorf("there is no pod %q with a link now; there are %s%s", name, strings.Join(plugged, ", "), rest)
}

// link opens a pod's link, if it is not open; the lock is held.
func (w *Wire) link(pod workloads.Key) (*impair.Link, error) {
	if l := w.links[pod]; l != nil {
		return l, nil
	}
	ns, device, err := w.end(pod)
	if err != nil {
		return nil, err
	}
	l, err := impair.Open(ns, device)
	if err == nil {
		w.links[pod] = l
	}
	return l, err
}

// mend ends all impairments of a pod's link; the lock is held, or nobody else is there.
func (w *Wire) mend(pod workloads.Key) error {
	l := w.links[pod]
	if l == nil {
		return nil
	}
	delete(w.links, pod)
	err := l.Close()
	w.note(pod, false)
	return err
}
