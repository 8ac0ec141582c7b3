package effects

import (
	"reflect"
	"testing"
	"time"

	"github.com/nodefv/nodefv/metrics/report"
	"github.com/nodefv/nodefv/workloads"
)

// TestViolationKeepsItsContext wants what a packet was judged by to be in the record: its times, the verdict that was legal, and the changes
// around it, each with what of it concerns the flow.
func TestViolationKeepsItsContext(t *testing.T) {
	open, stream := town()
	shut := closing(open, "shut")
	aside := shut
	aside.Put(workloads.Namespace{Name: "aside"})
	line := newTimeline(open, shut, aside) // 100 and 200 ms after its begin
	v := &streamWatch{history: line.history, verdicts: map[Flow]*flowVerdicts{stream: line.verdictsOf(stream)}}
	var sent []report.Packet
	var seen []Observation
	for i := range maxTimes + 2 {
		p := line.at(220 + i)
		seen = append(seen, Observation{Flow: stream, Sent: p.from, Gone: p.until, Arrived: true})
		sent = append(sent, report.Packet{Sent: p.from, Gone: p.until})
	}
	v.judge(seen)
	f, _ := v.finding()
	if len(f.Differences) != 1 || f.Differences[0].Violation == nil {
		t.Fatalf("found %+v", f)
	}
	began := func(ms int) time.Time { return line.begin.Add(time.Duration(ms) * time.Millisecond) }
	want := report.Violation{
		ViolationClass: report.ViolationClass{Family: report.IPv4, Protocol: "UDP", Met: report.Passed, After: "test"}, Legal: report.Dropped,
		Flow:    report.FlowEnds{From: report.FlowEnd{Pod: "ns/a", Addr: "10.0.0.0"}, To: report.FlowEnd{Pod: "ns/b", Addr: "10.0.0.1"}, Protocol: "UDP", Port: 8080},
		Packets: maxTimes + 2, Times: sent[:maxTimes],
		Changes: []report.ModelChange{
			{Verb: "test", Parts: 1, Concerns: []string{"NetworkPolicy ns/shut"}, Begun: began(100), Acknowledged: began(110)},
			{Verb: "test", Parts: 1, Begun: began(200), Acknowledged: began(210)},
		},
	}
	if got := *f.Differences[0].Violation; !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if want := []report.ViolationCount{{ViolationClass: want.ViolationClass, Violations: 1, Packets: maxTimes + 2}}; !reflect.DeepEqual(f.Violations, want) {
		t.Errorf("counted %+v, want %+v", f.Violations, want)
	}
}

// TestAroundKeepsWhatConcerns wants few of many changes, and those that concern the flow before the others.
func TestAroundKeepsWhatConcerns(t *testing.T) {
	open, stream := town()
	states := []workloads.State{open, closing(open, "shut")}
	for i := range 2 * maxAround {
		s := states[len(states)-1]
		name := string(rune('a' + i))
		s.Put(workloads.Namespace{Name: name})
		states = append(states, s)
	}
	line := newTimeline(states...)
	around := line.verdictsOf(stream).around(line.at(100 * (2*maxAround + 1)))
	if len(around) != maxAround || around[0].number < maxAround {
		t.Errorf("%d changes, the first of number %d", len(around), around[0].number)
	}
	line.deadline = time.Hour // all of them may not be in force yet
	around = line.verdictsOf(stream).around(line.at(100 * (2*maxAround + 1)))
	if len(around) != maxAround || around[0].number != 0 || around[1].number != maxAround+2 {
		t.Errorf("%d changes, the first of numbers %d and %d", len(around), around[0].number, around[1].number)
	}
}
