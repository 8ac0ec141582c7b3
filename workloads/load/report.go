package load

import (
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/nodefv/nodefv/metrics"
	"github.com/nodefv/nodefv/workloads"
)

// Report is what became of the traffic.
type Report struct {
	Spec        Spec          `json:"spec"`
	Began       time.Time     `json:"began"`
	Took        time.Duration `json:"took"`
	Count       Count         `json:"count"`
	Hole        Hole          `json:"hole"` // the longest of any connection
	Connections []Connection  `json:"connections"`
	Samples     []Sample      `json:"samples"`
	Capacity    float64       `json:"capacity,omitzero"`   // messages a second that could be made at most; 0: not tried
	Bottleneck  string        `json:"bottleneck,omitzero"` // why the load is at fault, and not what it was put on

	Latency  metrics.Measurement `json:"latency"`  // from when a message was due until its answer
	Lateness metrics.Measurement `json:"lateness"` // how much later than due it was sent, though its socket took it
	Connect  metrics.Measurement `json:"connect"`  // from the first packet until the connection stood
}

// Connection is the timeline of one.
type Connection struct {
	Number   int            `json:"number"` // those that were begun again have the number of the first
	Again    int            `json:"again"`  // which of them it is, from 0
	From     workloads.Key  `json:"from"`
	Local    netip.AddrPort `json:"local"`
	Remote   netip.AddrPort `json:"remote"`
	Protocol Protocol       `json:"protocol"`
	Server   *workloads.Key `json:"server,omitempty"` // who answered; nil: nobody has
	Begun    time.Time      `json:"begun"`
	Connect  time.Duration  `json:"connect"` // how long it took; 0: it never stood
	Ended    time.Time      `json:"ended"`
	Cause    Cause          `json:"cause"`
	Count
	Hole        Hole          `json:"hole"`        // the longest
	MaxTook     time.Duration `json:"maxLatency"`  // of an answer
	Retransmits uint32        `json:"retransmits"` // by TCP
	Timeout     time.Duration `json:"timeout"`     // TCP's retransmission timer: the longest that was seen at the end and while an answer was late
	Doubled     uint8         `json:"doubled"`     // how often it was doubled then, because what was sent again was lost as well
}

// Cause is why a connection ended.
type Cause string

// Causes. Any other is the kernel's text.
const (
	Done           Cause = "done"              // the traffic was over
	Refused        Cause = "refused"           // by a reset, or ICMP
	Reset          Cause = "reset"             // by the other side
	PeerClosed     Cause = "closed by peer"    // in order, though it should not have
	ConnectTimeout Cause = "connect timed out" // no answer within Spec.ConnectTimeout
	TimedOut       Cause = "timed out"         // TCP gave up
	Garbled        Cause = "garbled"           // what came was no message
)

// Sample is how things stood at a time, each 100 ms.
type Sample struct {
	At         time.Duration `json:"at"` // since the beginning
	Due        uint64        `json:"due"`
	Answered   uint64        `json:"answered"`
	Lost       uint64        `json:"lost"`       // in both directions, as far as that is known
	Active     int           `json:"active"`     // connections that stand
	Connecting int           `json:"connecting"` // that are begun
	Failed     int           `json:"failed"`     // that ended otherwise than Done, all in all
}

// Bearable is the lateness, of one message in a hundred, above which the load itself is the bottleneck.
const Bearable = time.Millisecond

// Measurements are what the report says in numbers, under the name of the traffic.
func (r Report) Measurements(name string) []metrics.Measurement {
	labels := []metrics.Label{{Name: "traffic", Value: name}, {Name: "protocol", Value: string(r.Spec.Protocol)}}
	sample := func(v float64) []metrics.Sample { return []metrics.Sample{{At: r.Began, Value: v}} }
	all := []metrics.Measurement{
		{Name: "longest hole", Unit: metrics.Seconds, Doc: "The longest time in which no message of a connection that was due was answered in time.",
			Samples: sample(r.Hole.Took.Seconds())},
		{Name: "messages lost", Doc: "Messages without an answer, and those that could not be sent.", Samples: sample(float64(r.Count.Lost()))},
		{Name: "connections failed", Doc: "Connections that ended before the traffic did.", Samples: sample(float64(r.Failed()))},
	}
	all[0].Invalid = r.Bottleneck // what was lost is known all the same
	if latency := r.Latency; latency.N() > 0 && !r.Spec.Idle {
		latency.Name, latency.Invalid = "traffic latency", r.Bottleneck
		all = append(all, latency)
	}
	if connect := r.Connect; connect.N() > 0 {
		connect.Name = "traffic connect"
		all = append(all, connect)
	}
	for i := range all {
		all[i].Labels = labels
	}
	return all
}

// Lost returns how many messages were lost in either direction or could not be sent.
func (c Count) Lost() uint64 { return c.Missed + c.There.Lost + c.Back.Lost }

// Failed returns how many connections ended otherwise than Done.
func (r Report) Failed() (n int) {
	for _, c := range r.Connections {
		if c.Cause != Done {
			n++
		}
	}
	return n
}

// Budget is what traffic may suffer at most. What is nil has no bound.
type Budget struct {
	Lost   *uint64        `json:"lost,omitempty"`   // messages
	Failed *int           `json:"failed,omitempty"` // connections
	Hole   *time.Duration `json:"hole,omitempty"`   // the longest
	P99    *time.Duration `json:"p99,omitempty"`    // of the latency
}

// Breaks says in which points the traffic was worse than a budget allows.
func (b Budget) Breaks(r Report) (broken []string) {
	breaks := func(is bool, format string, args ...any) {
		if is {
			broken = append(broken, fmt.Sprintf(format, args...))
		}
	}
	if b.Lost != nil {
		breaks(r.Count.Lost() > *b.Lost, "%d messages lost, at most %d may be", r.Count.Lost(), *b.Lost)
	}
	if b.Failed != nil {
		breaks(r.Failed() > *b.Failed, "%d connections failed, at most %d may", r.Failed(), *b.Failed)
	}
	if b.Hole != nil {
		breaks(r.Hole.Took > *b.Hole, "a hole of %v, at most %v is allowed", r.Hole.Took, *b.Hole)
	}
	if b.P99 != nil && r.Latency.N() > 0 {
		p99 := time.Duration(r.Latency.Quantile(0.99) * float64(time.Second))
		breaks(p99 > *b.P99, "P99 latency of %v, at most %v is allowed", p99, *b.P99)
	}
	return broken
}

// String tells the report as a block of text.
func (r Report) String() string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	s, c := r.Spec, r.Count
	loop := fmt.Sprintf("open loop, %g messages/s", s.Rate)
	if s.Closed {
		loop = "closed loop"
	}
	if s.Idle {
		loop = "idle"
	}
	line("%d connections by %s, %s, %d bytes, %v", s.Connections, s.Protocol, loop, s.Size, r.Took.Round(time.Millisecond))
	line("messages    due %d, sent %d, answered %d, late %d, missed %d, after %d", c.Due, c.Sent, c.Back.Arrived, c.Late, c.Missed, c.After)
	line("there       lost %d, duplicated %d, reordered %d", c.There.Lost, c.There.Duplicated, c.There.Reordered)
	line("back        lost %d, duplicated %d, reordered %d", c.Back.Lost, c.Back.Duplicated, c.Back.Reordered)
	line("connections %d begun, %d failed%s", len(r.Connections), r.Failed(), r.causes())
	line("hole        %v", r.Hole.Took)
	for _, m := range []metrics.Measurement{r.Latency, r.Lateness, r.Connect} {
		line("%s", m)
	}
	if r.Capacity > 0 {
		line("capacity    %.0f messages/s", r.Capacity)
	}
	if r.Bottleneck != "" {
		line("the load itself is the bottleneck: %s", r.Bottleneck)
	}
	return b.String()
}

// causes counts why connections failed.
func (r Report) causes() string {
	counts, order := map[Cause]int{}, []Cause{}
	for _, c := range r.Connections {
		if c.Cause != Done {
			if counts[c.Cause]++; counts[c.Cause] == 1 {
				order = append(order, c.Cause)
			}
		}
	}
	var b strings.Builder
	for _, cause := range order {
		fmt.Fprintf(&b, ", %d %s", counts[cause], cause)
	}
	return b.String()
}
