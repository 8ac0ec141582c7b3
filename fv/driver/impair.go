package driver

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nodefv/nodefv/scenarios/effects"
	"github.com/nodefv/nodefv/workloads"
	"github.com/nodefv/nodefv/workloads/impair"
	"github.com/nodefv/nodefv/workloads/uplink"
)

// ImpairOrder is what `fv impair` asks of the driver that is at work on the node.
type ImpairOrder struct {
	Do      string          `json:"do"`  // set, show or clear
	Pod     string          `json:"pod"` // namespace/name, or Uplink or API; show and clear: empty means all
	Name    string          `json:"name"`
	Both    bool            `json:"both"`    // set: in both directions, by the names Name-out and Name-in
	Replace bool            `json:"replace"` // set: what is not said is not as it was but nothing
	Classic string          `json:"classic"` // a filter as impair.ParseClassic reads it
	Asked   json.RawMessage `json:"asked"`   // an impair.Impairment of which what is not said stays as it was
}

// What stands for a pod in an order that is about the node's own links.
const (
	Uplink = "uplink" // all that the node and its pods say to others and hear of them
	API    = "api"    // what the agent says to the API server and hears of it
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
func (w *Wire) obey(o ImpairOrder) ([]LinkReport, error) {
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

func (w *Wire) setImpairment(o ImpairOrder) ([]LinkReport, error) {
	chosen, err := w.chosen(o)
	if err != nil {
		return nil, err
	}
	for _, k := range chosen {
		link, err := w.link(k)
		if err != nil {
			return nil, err
		}
		w.note(k, true)
		filter := w.within(o.Pod)
		if !o.Both {
			err = put(link, o.name(), "", o, filter)
		} else {
			err = errors.Join(put(link, o.name()+"-out", impair.Out, o, filter), put(link, o.name()+"-in", impair.In, o, filter))
		}
		if err != nil { // it may be that nothing is in force: then nothing is excused
			return nil, errors.Join(err, w.noteEnd(k, link))
		}
	}
	return w.impairments(o)
}

// name is that of the impairment.
func (o ImpairOrder) name() string {
	if o.Pod == API {
		return cmp.Or(o.Name, API)
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

// put sets an impairment: what the order does not say stays as it was, unless it says Replace. Its filter is narrowed.
func put(link *impair.Link, name string, direction impair.Direction, o ImpairOrder, narrow func(*impair.Filter)) error {
	var asked impair.Impairment
	if !o.Replace {
		all, err := link.Show()
		if err != nil {
			return err
		}
		for _, r := range all {
			if r.Name != name {
				continue
			}
			was, err := json.Marshal(r.Impairment)
			if err == nil {
				err = json.Unmarshal(was, &asked) // a copy: what is asked may be refused
			}
			if err != nil {
				return fmt.Errorf("read what is in force: %w", err)
			}
		}
	}
	if err := json.Unmarshal(o.Asked, &asked); err != nil {
		return fmt.Errorf("read what is asked: %w", err)
	}
	if o.Classic != "" {
		var err error
		if asked.Filter.Classic, err = impair.ParseClassic(o.Classic); err != nil {
			return err
		}
	}
	narrow(&asked.Filter)
	asked.Name = name
	asked.Direction = cmp.Or(direction, asked.Direction)
	return link.Set(asked)
}

func (w *Wire) clearImpairments(o ImpairOrder) ([]LinkReport, error) {
	chosen, err := w.chosen(o)
	if err != nil {
		return nil, err
	}
	if o.Pod == API { // on a link that has others
		o.Name = o.name()
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
func (w *Wire) impairments(o ImpairOrder) ([]LinkReport, error) {
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
