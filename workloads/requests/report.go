package requests

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/nodefv/nodefv/metrics"
)

// Report is what became of a load.
type Report struct {
	Load       Load          `json:"load"`
	Began      time.Time     `json:"began"` // all connections had been begun, and the first request was due
	Took       time.Duration `json:"took"`
	Seconds    []Second      `json:"seconds"`
	Warm       int           `json:"warm"`                 // seconds of the beginning that are not measured, see Measured
	Cold       string        `json:"cold,omitempty"`       // why it did not become warm
	Overloaded bool          `json:"overloaded,omitempty"` // the SUT had more to do than it could, see the function

	Count    Count               `json:"count"`    // of all, also those of the beginning
	Latency  metrics.Measurement `json:"latency"`  // of the seconds that are measured: from when a request was due until the answer's last byte
	Lateness metrics.Measurement `json:"lateness"` // of all: how much later than it could the client sent
	Connect  metrics.Measurement `json:"connect"`  // of all: until a connection stood, with TLS until that was agreed on

	Standing  int `json:"standing"`  // connections that ask, at the end
	IdleStood int `json:"idleStood"` // idle ones that were answered once
	IdleLost  int `json:"idleLost"`  // of these, that the other side closed before the end
}

// Count is the account of requests.
type Count struct {
	Due      uint64             `json:"due"`                // by the clock; in a closed loop: sent
	Sent     uint64             `json:"sent"`               // Due = Sent + those that had no connection until the end
	Right    uint64             `json:"right"`              // answered with the status that was wanted, by a backend that may
	Failures map[Failure]uint64 `json:"failures,omitempty"` // Sent = Right + Wrong + Strangers + Failures, but for what idle connections were answered
	Ended    uint64             `json:"ended,omitempty"`    // connections that the other side closed while nothing was asked on them
	Begun    map[Failure]uint64 `json:"begun,omitempty"`    // connections that could not be begun

	// Answered otherwise, on idle connections as well, whose requests are not among those sent.
	Wrong     map[string]uint64 `json:"wrong,omitempty"`     // with another status, in words
	Strangers map[string]uint64 `json:"strangers,omitempty"` // by a backend that may not, by its name; empty: it does not say
}

// Second is what came in one second.
type Second struct {
	Due     uint64             `json:"due"`
	Right   uint64             `json:"right"`
	Bad     uint64             `json:"bad,omitempty"` // wrong or failed
	Latency *metrics.Histogram `json:"latency,omitempty"`
}

// Add adds another account.
func (c *Count) Add(o Count) {
	c.Due, c.Sent, c.Right, c.Ended = c.Due+o.Due, c.Sent+o.Sent, c.Right+o.Right, c.Ended+o.Ended
	add(&c.Wrong, o.Wrong)
	add(&c.Strangers, o.Strangers)
	add(&c.Failures, o.Failures)
	add(&c.Begun, o.Begun)
}

func add[K comparable](to *map[K]uint64, more map[K]uint64) {
	if *to == nil && len(more) > 0 {
		*to = map[K]uint64{}
	}
	for k, n := range more {
		(*to)[k] += n
	}
}

func total[K comparable](counts map[K]uint64) (n uint64) {
	for _, c := range counts {
		n += c
	}
	return n
}

// Bad is how many requests were answered wrongly or failed, or were never sent though they were due.
func (c Count) Bad() uint64 {
	return total(c.Wrong) + total(c.Strangers) + total(c.Failures) + c.Due - c.Sent
}

// Ours is how many of these, and of the connections that could not be begun, say nothing of whom was asked.
func (c Count) Ours() (n uint64) {
	for f, k := range c.Failures {
		if f.Ours() {
			n += k
		}
	}
	for f, k := range c.Begun {
		if f.Ours() {
			n += k
		}
	}
	return n
}

// Share is what one process of a load has to tell.
type Share struct {
	Count     Count
	Seconds   []Second
	Lateness  *metrics.Histogram
	Connect   *metrics.Histogram
	Standing  int
	IdleStood int
	IdleLost  int
}

// Join makes the report of a load whose processes tell so.
func Join(l Load, began time.Time, took time.Duration, shares []Share) (Report, error) {
	r := Report{Load: l, Began: began, Took: took,
		Latency:  metrics.Measurement{Name: "request latency", Unit: metrics.Seconds, Doc: "From when a request was due until its answer's last byte, once warm."},
		Lateness: metrics.Measurement{Name: "client lateness", Unit: metrics.Seconds, Doc: "How much later than it could the client sent a request: what the machine that asks adds."},
		Connect:  metrics.Measurement{Name: "connect", Unit: metrics.Seconds, Doc: "Until a connection stood, with TLS until that was agreed on."},
	}
	for _, s := range shares {
		r.Count.Add(s.Count)
		r.Standing, r.IdleStood, r.IdleLost = r.Standing+s.Standing, r.IdleStood+s.IdleStood, r.IdleLost+s.IdleLost
		err := merge(&r.Lateness, s.Lateness)
		if err == nil {
			err = merge(&r.Connect, s.Connect)
		}
		for i, sec := range s.Seconds {
			if i == len(r.Seconds) {
				r.Seconds = append(r.Seconds, Second{})
			}
			to := &r.Seconds[i]
			to.Due, to.Right, to.Bad = to.Due+sec.Due, to.Right+sec.Right, to.Bad+sec.Bad
			m := metrics.Measurement{Histogram: to.Latency}
			if err == nil {
				err = merge(&m, sec.Latency)
			}
			to.Latency = m.Histogram
		}
		if err != nil {
			return r, fmt.Errorf("join shares of a load: %w", err)
		}
	}
	r.Overloaded = !l.Closed && Overloaded(r.Seconds)
	if r.Warm, r.Cold = Warm(r.Seconds); r.Cold != "" {
		r.Warm = 0
	}
	if r.Overloaded && r.Cold != "" { // the queue grows, and with it the latency: it will never be steady
		r.Warm, r.Cold = Window, ""
	}
	for _, s := range r.Seconds[r.Warm:] {
		if err := merge(&r.Latency, s.Latency); err != nil {
			return r, fmt.Errorf("join seconds of a load: %w", err)
		}
	}
	return r, nil
}

func merge(to *metrics.Measurement, h *metrics.Histogram) error {
	if h == nil {
		return nil
	}
	return to.Add(metrics.Measurement{Histogram: h})
}

// The rule of when a load is warm: see Warm.
const (
	Window    = 2     // seconds of a window
	agreeRate = 0.05  // by which two windows' answers may differ
	agreeP50  = 0.20  // by which their medians may
	least     = 50e-6 // seconds that medians may always differ by: what a busy machine makes of two equal ones
)

// Warm says after how many seconds a load is warm: two successive windows of two seconds agree in the answers per second to 5 % and in the
// median latency to 20 % (or 50 µs). What is measured begins with the second of the two. If that is not before the last window, why is what
// is amiss.
func Warm(seconds []Second) (after int, why string) {
	if len(seconds) < 3*Window {
		return 0, fmt.Sprintf("the load lasted %d s: %d are needed to tell whether it is warm", len(seconds), 3*Window)
	}
	why = "no two successive windows agree"
	for i := 0; i+3*Window <= len(seconds); i += Window {
		a, b := window(seconds[i:i+Window]), window(seconds[i+Window:i+2*Window])
		if a.right == 0 || b.right == 0 {
			continue
		}
		if math.Abs(a.right-b.right) <= agreeRate*math.Max(a.right, b.right) && math.Abs(a.p50-b.p50) <= math.Max(agreeP50*math.Max(a.p50, b.p50), least) {
			return i + Window, ""
		}
	}
	return 0, why
}

// Sufficed is the share of the asked rate from which on the SUT could do what it was asked.
const Sufficed = 0.95

// Overloaded reports whether the SUT had more to do than it could: in each window but the first it gave fewer right answers than Sufficed of those
// that were due then. What its latency tells is then a queue that grows for as long as the load lasts.
func Overloaded(seconds []Second) bool {
	if len(seconds) < 3*Window {
		return false
	}
	for i := Window; i+Window <= len(seconds); i += Window {
		if w := window(seconds[i : i+Window]); w.right >= Sufficed*w.due {
			return false
		}
	}
	return true
}

type windowed struct{ due, right, p50 float64 }

func window(seconds []Second) (w windowed) {
	var m metrics.Measurement
	for _, s := range seconds {
		w.due, w.right = w.due+float64(s.Due), w.right+float64(s.Right)
		_ = merge(&m, s.Latency) // all are made alike
	}
	if m.N() > 0 {
		w.p50 = m.Quantile(0.5)
	}
	return w
}

// All are the latencies of all seconds, also of those before it was warm.
func (r Report) All() metrics.Measurement {
	all := metrics.Measurement{Name: r.Latency.Name, Unit: metrics.Seconds}
	for _, s := range r.Seconds {
		_ = merge(&all, s.Latency) // Join has merged them before
	}
	return all
}

// Asked is the rate that was asked for in the seconds that are measured, and Achieved the rate of right answers.
func (r Report) Asked() float64 { return r.rate(func(s Second) uint64 { return s.Due }) }

// Achieved is the rate of right answers in the seconds that are measured.
func (r Report) Achieved() float64 { return r.rate(func(s Second) uint64 { return s.Right }) }

func (r Report) rate(of func(Second) uint64) (n float64) {
	measured := r.Seconds[r.Warm:]
	for _, s := range measured {
		n += float64(of(s))
	}
	return n / max(float64(len(measured)), 1)
}

// Bearable is the lateness, of one request in a hundred, above which the client itself is what is measured.
const Bearable = time.Millisecond

// Doubt says why the times of a load are not to be believed: the client was late itself, or it never became warm. Empty: nothing speaks
// against them.
func (r Report) Doubt() string {
	if r.Lateness.N() > 0 {
		if late := r.Lateness.Quantile(0.99); late > Bearable.Seconds() {
			return fmt.Sprintf("client-bound: one request in a hundred was sent %s ms or more after it could have been", metrics.Seconds.Number(late))
		}
	}
	if n := r.Count.Ours(); n > 0 {
		return fmt.Sprintf("client-bound: %d requests or connections failed on our side", n)
	}
	if r.Cold != "" {
		return "not warm: " + r.Cold
	}
	return ""
}

// String tells the report as a block of text.
func (r Report) String() string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	loop := fmt.Sprintf("open loop, %g/s", r.Load.Rate)
	if r.Load.Closed {
		loop = "closed loop (latency hides what a stall delays)"
	}
	line("%d connections and %d idle, %s, %v", r.Load.Connections, r.Load.Idle, loop, r.Took.Round(time.Millisecond))
	line("requests    due %d, sent %d, right %d, bad %d; %.0f/s right of %.0f/s asked", r.Count.Due, r.Count.Sent, r.Count.Right, r.Count.Bad(), r.Achieved(), r.Asked())
	for _, what := range slices.Sorted(maps.Keys(r.Count.Wrong)) {
		line("wrong       %d %s", r.Count.Wrong[what], what)
	}
	for _, who := range slices.Sorted(maps.Keys(r.Count.Strangers)) {
		line("wrong       %d answered by %q, who may not", r.Count.Strangers[who], who)
	}
	for _, f := range slices.Sorted(maps.Keys(r.Count.Failures)) {
		line("failed      %d %s", r.Count.Failures[f], f)
	}
	for _, f := range slices.Sorted(maps.Keys(r.Count.Begun)) {
		line("not begun   %d connections: %s", r.Count.Begun[f], f)
	}
	line("connections %d stand, %d ended while nothing was asked; idle %d stood, %d lost", r.Standing, r.Count.Ended, r.IdleStood, r.IdleLost)
	if l := r.Latency; l.N() > 0 {
		line("latency     P50 %s, P90 %s, P99 %s, P99.9 %s, max %s ms; measured after %d s", ms(l, .5), ms(l, .9), ms(l, .99), ms(l, .999), ms(l, 1), r.Warm)
	}
	if l := r.Lateness; l.N() > 0 {
		line("lateness    P50 %s, P99 %s, max %s ms of the client", ms(l, .5), ms(l, .99), ms(l, 1))
	}
	if why := r.Doubt(); why != "" {
		line("invalid: %s", why)
	}
	return b.String()
}

func ms(m metrics.Measurement, q float64) string { return metrics.Seconds.Number(m.Quantile(q)) }
