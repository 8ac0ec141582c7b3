package driver

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/nodefv/nodefv/infra"
	"github.com/nodefv/nodefv/scenarios/effects"
	"github.com/nodefv/nodefv/workloads"
	"github.com/nodefv/nodefv/workloads/impair"
	"github.com/nodefv/nodefv/workloads/netns/netnstest"
)

// TestOrders passes orders on as `fv impair` does, to a wire with two pods.
func TestOrders(t *testing.T) {
	plugger, pods := netnstest.Pods(t, 2)
	w := &Wire{plugger: plugger, plugs: map[workloads.Key]workloads.Plug{}, links: map[workloads.Key]*impair.Link{}}
	for _, p := range pods {
		w.plugs[p.Key] = workloads.Plug{Pod: p.Key}
	}
	pod := pods[0].Key.String()
	if err := Control([]byte("{}"), false, &bytes.Buffer{}); !errors.Is(err, ErrNobodyAtWork) {
		t.Fatalf("with nobody at work: %v", err)
	}
	stop, err := w.listen()
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		for k := range w.links {
			err = errors.Join(err, w.mend(k))
		}
		if err := errors.Join(err, stop()); err != nil {
			t.Error(err)
		}
	}()
	order := func(o infra.ImpairOrder) (LinkReport, error) {
		t.Helper()
		text, err := json.Marshal(o)
		if err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		if err := Control(text, true, &out); err != nil {
			return LinkReport{}, err
		}
		var links []LinkReport
		if err := json.Unmarshal(out.Bytes(), &links); err != nil {
			t.Fatal(err)
		}
		if len(links) == 0 {
			return LinkReport{}, nil
		}
		return links[0], nil
	}
	asked := func(text string) json.RawMessage { return json.RawMessage(text) }
	var listed bytes.Buffer
	if err := Control([]byte(`{"do":"list"}`), false, &listed); err != nil || listed.String() != "--pod "+pods[0].Key.String()+"\n--pod "+pods[1].Key.String()+"\n" {
		t.Errorf("what can be impaired: %q, %v", listed.String(), err)
	}
	got, err := order(infra.ImpairOrder{Do: "set", Pod: pod, Asked: asked(`{"delay":100000000,"loss":{"share":0.5},"filter":{"connection":{"protocol":"TCP"}}}`)})
	if err != nil || got.Pod != pod || got.Impairments[0].Name != "default" || got.Impairments[0].Delay != 100*time.Millisecond {
		t.Fatalf("set: %+v, %v", got, err)
	}
	got, err = order(infra.ImpairOrder{Do: "set", Pod: pod, Asked: asked(`{"delay":20000000}`)})
	if i := got.Impairments; err != nil || i[0].Delay != 20*time.Millisecond || i[0].Loss.Share != 0.5 || i[0].Filter.Connection == nil {
		t.Errorf("changed: %+v, %v", got, err)
	}
	got, err = order(infra.ImpairOrder{Do: "set", Pod: pod, Replace: true, Asked: asked(`{"jitter":1000000}`)})
	if i := got.Impairments; err != nil || i[0].Delay != 0 || i[0].Loss.Share != 0 || i[0].Filter.Connection != nil || i[0].Jitter != time.Millisecond {
		t.Errorf("replaced: %+v, %v", got, err)
	}
	got, err = order(infra.ImpairOrder{Do: "set", Pod: pod, Name: "both", Both: true, Asked: asked(`{"delay":1000000}`)})
	if i := got.Impairments; err != nil || len(i) != 3 || i[1].Direction != impair.Out || i[2].Direction != impair.In {
		t.Errorf("both directions: %+v, %v", got, err)
	}
	got, err = order(infra.ImpairOrder{Do: "clear", Pod: pod, Name: "both"})
	if err != nil || len(got.Impairments) != 1 {
		t.Errorf("cleared by name: %+v, %v", got, err)
	}
	halfFails(t, pod, order)
	for says, wrong := range map[string]infra.ImpairOrder{
		"there are " + pod:   {Do: "set", Pod: "ns/nobody", Asked: asked(`{}`)},
		"between 0 and 1":    {Do: "set", Pod: pod, Asked: asked(`{"corruption":{"share":7}}`)},
		"no impairment":      {Do: "clear", Name: "nothing"},
		"not known":          {Do: "dance"},
		"tcpdump -ddd":       {Do: "set", Pod: pod, Classic: "udp port 53", Asked: asked(`{}`)},
		"in the other direc": {Do: "set", Pod: pod, Asked: asked(`{"direction":"in"}`)},
	} {
		if _, err := order(wrong); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%+v: %v, want %q", wrong, err, says)
		}
	}
	if got, err = order(infra.ImpairOrder{Do: "clear"}); err != nil || got.Impairments != nil {
		t.Errorf("all cleared: %+v, %v", got, err)
	}
	if _, err := order(infra.ImpairOrder{Do: "set", Pod: pod, Asked: asked(`{"loss":{"share":7}}`)}); err == nil {
		t.Error("a share of 7 was taken")
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, s := range w.bad {
		if s.to.IsZero() {
			t.Errorf("nothing is in force, and what does not arrive is excused since %v", s.from)
		}
	}
}

// halfFails wants an order for both directions of which one is refused to change nothing, neither before nor after one of them was in force.
func halfFails(t *testing.T, pod string, order func(infra.ImpairOrder) (LinkReport, error)) {
	t.Helper()
	set := func(name string, both bool, asked string) (LinkReport, error) {
		return order(infra.ImpairOrder{Do: "set", Pod: pod, Name: name, Both: both, Asked: json.RawMessage(asked)})
	}
	before, err := set("half-in", false, `{"direction":"out","delay":1000000}`) // where the second half is to be
	if err != nil {
		t.Fatal(err)
	}
	if _, err := set("half", true, `{"delay":2000000}`); err == nil || !strings.Contains(err.Error(), "in the other direc") {
		t.Errorf("half of an order can't be carried out: %v", err)
	}
	after, err := order(infra.ImpairOrder{Do: "show", Pod: pod})
	if err != nil || len(after.Impairments) != len(before.Impairments) {
		t.Errorf("half of an order is in force: %+v, %v", after, err)
	}
	if _, err := set("half-out", false, `{"delay":3000000}`); err != nil {
		t.Fatal(err)
	}
	_, err = set("half", true, `{"delay":2000000}`)
	after, showErr := order(infra.ImpairOrder{Do: "show", Pod: pod})
	if last := after.Impairments[len(after.Impairments)-1]; err == nil || showErr != nil || last.Name != "half-out" || last.Delay != 3*time.Millisecond {
		t.Errorf("what was in force is not again: %+v, %v, %v", after, err, showErr)
	}
	for _, name := range []string{"half-out", "half-in"} {
		if _, err := order(infra.ImpairOrder{Do: "clear", Pod: pod, Name: name}); err != nil {
			t.Error(err)
		}
	}
}

// TestLossByOrderIsNoVerdict wants a packet that is lost on an impaired path to be nobody's fault, and one that arrives to be judged.
func TestLossByOrderIsNoVerdict(t *testing.T) {
	bad, good := workloads.Key{Name: "bad"}, workloads.Key{Name: "good"}
	w := &Wire{}
	before := time.Now().Add(-time.Minute)
	w.note(bad, true)
	w.note(bad, true)
	during := time.Now()
	seen := func(from, to workloads.Key, at time.Time, arrived bool) effects.Observation {
		return effects.Observation{Flow: effects.Flow{From: effects.End{Key: from}, To: effects.End{Key: to}}, Sent: at, Gone: at, Arrived: arrived}
	}
	check := func(o effects.Observation, want bool) {
		t.Helper()
		if got := w.excused(o); got != want {
			t.Errorf("%+v: excused %v", o, got)
		}
	}
	check(seen(bad, good, during, false), true)
	check(seen(good, bad, during, false), true)
	check(seen(good, bad, during, true), false)
	check(seen(good, good, during, false), false)
	check(seen(bad, good, before, false), false)
	w.note(bad, false)
	check(seen(bad, good, during, false), true)
	check(seen(bad, good, time.Now().Add(time.Minute), false), false)
}
