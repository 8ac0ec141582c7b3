//go:build linux

package web

import (
	"cmp"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"sync"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/nodefv/nodefv/metrics"
	"github.com/nodefv/nodefv/workloads/requests"
)

const (
	tidyEvery = int64(20e6)
	atOnce    = 64          // requests that are sent before answers are looked at, when late
	coalesce  = int64(20e3) // what is due that soon is sent together: waking for each would take the processor from whom is asked
	mostWrong = 20          // ways of being wrong, and strangers, that are told apart
)

// presser asks, on the thread that runs it. Its times are nanoseconds since it was made, never 0.
type presser struct {
	order   order
	asks    []asking
	made    time.Time
	poll    int
	wake    int
	byFD    []*lane
	all     []*lane
	begun   int
	anew    []*lane // that have ended in order, to be begun again at once
	free    lanes
	home    int // the origin whose namespace the thread is in; -1: not known
	buffer  []byte
	clear   []byte
	seen    int64 // the earliest time at which what is worked off now may have come
	fetched int64 // when events were last fetched

	start, until int64 // of the load; 0: not begun
	sent         uint64
	total        uint64
	tidyAt       int64
	stopped      bool

	tls        *tls.Config
	handshakes sync.WaitGroup
	mu         sync.Mutex
	agreed     []agreement
	started    int64 // by order; 0: not yet

	count              requests.Count
	seconds            []second
	under              *metrics.Histogram // latencies of the second under way
	current            int                // which that is
	lateness, connects *metrics.Histogram
	idleLost           int
}

// second is one second's part of a share, its latencies as text: as counts they would need much room.
type second struct {
	Due, Right, Bad uint64
	Latency         json.RawMessage `json:",omitempty"`
}

// asking is one of the mix, ready to be sent.
type asking struct {
	message [][]byte // by destination
	bare    bool
	status  int
	may     map[string]bool // nil: any
}

func newAsking(a requests.Ask, l requests.Load) (made asking) {
	method := cmp.Or(a.Method, http.MethodGet)
	made.bare, made.status = method == http.MethodHead, cmp.Or(a.Status, http.StatusOK)
	for _, to := range l.To {
		r := requests.Request{To: to, Host: a.Host, Path: a.Path, Headers: slices.Clone(a.Headers), Keep: true}
		if l.Size > 0 {
			r.Headers = append(r.Headers, requests.Header{Name: sizeHeader, Value: strconv.Itoa(l.Size)})
		}
		made.message = append(made.message, message(r, method))
	}
	if len(a.Backends) > 0 {
		made.may = map[string]bool{}
		for _, b := range a.Backends {
			made.may[b] = true
		}
	}
	return made
}

// fault is how an answer differs from what was wanted.
type fault struct {
	stranger bool   // who answered may not
	what     string // the name of who did, or else what came
}

// judge says how an answer differs from what was wanted; nil: it does not.
func (a *asking) judge(r *reading) *fault {
	switch {
	case r.status != a.status && len(r.backend) == 0:
		return &fault{what: fmt.Sprintf("status %d, of no backend", r.status)}
	case r.status != a.status:
		return &fault{what: fmt.Sprintf("status %d", r.status)}
	case a.may != nil && !a.may[string(r.backend)]:
		return &fault{stranger: true, what: string(r.backend)}
	}
	return nil
}

func newPresser(o order) (p *presser, err error) {
	l := o.Load
	highest := (l.Duration + 2*l.Timeout).Seconds() + 1
	p = &presser{order: o, made: time.Now(), poll: -1, wake: -1, free: newLanes(l.Connections), home: -1, buffer: make([]byte, 256<<10), clear: make([]byte, 64<<10),
		under: metrics.NewHistogram(1e-6, highest), lateness: metrics.NewHistogram(1e-6, highest), connects: metrics.NewHistogram(1e-6, highest)}
	for _, a := range l.Mix {
		p.asks = append(p.asks, newAsking(a, l))
	}
	for i := range l.Connections + l.Idle {
		c := &lane{fd: -1, from: (o.Offset + i) % len(l.From), to: (o.Offset + i) / len(l.From) % len(l.To), idle: i >= l.Connections}
		p.all = append(p.all, c)
	}
	if l.TLS {
		server := l.Server
		if server == "" {
			if server = l.Mix[0].Host; server != "" {
				if host, _, err := net.SplitHostPort(server); err == nil {
					server = host
				}
			}
		}
		p.tls = &tls.Config{ServerName: server, InsecureSkipVerify: true, NextProtos: []string{"http/1.1"}}
	}
	if p.poll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	if p.wake, err = unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC); err != nil {
		return nil, os.NewSyscallError("eventfd", err)
	}
	return p, os.NewSyscallError("epoll_ctl", unix.EpollCtl(p.poll, unix.EPOLL_CTL_ADD, p.wake, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(p.wake)}))
}

func (p *presser) now() int64 { return int64(time.Since(p.made)) + 1 }

func (p *presser) rouse() { _, _ = unix.Write(p.wake, []byte{1, 0, 0, 0, 0, 0, 0, 0}) }

// enter moves the thread into an origin's namespace. A process that asks is in none of them for longer than it asks.
func (p *presser) enter(origin int) error {
	if p.home == origin {
		return nil
	}
	p.home = origin
	return os.NewSyscallError("setns", unix.Setns(p.order.Files[origin], unix.CLONE_NEWNET))
}

// run begins the connections, tells ready, and asks once it is told when to start, until the end of the load.
func (p *presser) run(ready func()) error {
	events := make([]unix.EpollEvent, 512)
	var told bool
	for {
		now := p.now()
		p.begins(now)
		if !told && p.settled(now) {
			told = true
			ready()
		}
		p.agree()
		p.mu.Lock()
		started, stopped := p.started, p.stopped
		p.mu.Unlock()
		if started != 0 && p.start == 0 {
			p.start, p.until = started, started+int64(p.order.Load.Duration)
			p.total = p.order.Total
		}
		if stopped && p.start > 0 && now < p.until {
			p.until = now
			p.total = min(p.total, p.dueCount(now))
		}
		if p.start > 0 {
			p.press(now)
			if p.over(p.now()) {
				return nil
			}
		}
		p.tidy(now)
		if err := p.wait(events); err != nil {
			return err
		}
	}
}

// begins begins connections at their rate, and those again that have ended in order.
func (p *presser) begins(now int64) {
	most := min(int(float64(now)/1e9*p.order.Load.ConnectRate)+1, len(p.all))
	for ; p.begun < most; p.begun++ {
		p.begin(p.all[p.begun], now)
	}
	for _, c := range p.anew {
		if c.state == away && (p.until == 0 || now < p.until || p.sent < p.total) {
			p.begin(c, now)
		}
	}
	p.anew = p.anew[:0]
}

// settled reports whether each connection has stood or has had its time.
func (p *presser) settled(now int64) bool {
	if p.begun < len(p.all) {
		return false
	}
	for _, c := range p.all {
		switch c.state {
		case connecting, securing, busy:
			if now-c.since < int64(p.order.Load.Timeout) {
				return false
			}
		}
	}
	return true
}

// dueAt is when a request is due.
func (p *presser) dueAt(n uint64) int64 {
	return p.start + int64((float64(n)+p.order.Phase)/p.order.Load.Rate*1e9)
}

// dueCount is how many are due by now.
func (p *presser) dueCount(now int64) uint64 {
	if now < p.start {
		return 0
	}
	n := uint64(max(float64(now-p.start)/1e9*p.order.Load.Rate-p.order.Phase+1, 0))
	return min(n, p.total)
}

// press sends what is due.
func (p *presser) press(now int64) {
	if now < p.start {
		return
	}
	if p.order.Load.Closed {
		for n := 0; n < atOnce && now < p.until && p.free.size > 0; n++ {
			c := p.free.pop()
			p.sent++
			p.total = p.sent
			p.second(now).Due++
			p.ask(c, now, int((p.sent-1)%uint64(len(p.asks))))
		}
		return
	}
	due := p.dueCount(now)
	for n := 0; n < atOnce && p.sent < due && p.free.size > 0; n++ {
		c := p.free.pop()
		at := p.dueAt(p.sent)
		p.second(at).Due++
		sent := p.now()
		p.record(p.lateness, sent-max(at, c.freed))
		which := int(p.sent % uint64(len(p.asks)))
		p.sent++
		p.ask(c, at, which)
	}
}

// over reports whether the load is over: its time is, and all that was due has been asked and answered, or has had its time.
func (p *presser) over(now int64) bool {
	if now < p.until {
		return false
	}
	if now > p.until+int64(p.order.Load.Timeout) {
		return true
	}
	if p.sent < p.total {
		return false
	}
	return !slices.ContainsFunc(p.all, func(c *lane) bool { return c.state == busy && !c.idle })
}

// tidy ends what has had its time, and begins connections again that have failed.
func (p *presser) tidy(now int64) {
	if now < p.tidyAt {
		return
	}
	p.tidyAt = now + tidyEvery
	timeout := int64(p.order.Load.Timeout)
	for _, c := range p.all[:p.begun] {
		switch c.state {
		case connecting, securing, busy:
			if now-c.since > timeout {
				p.lost(c, os.ErrDeadlineExceeded)
			}
		case away:
			if now >= c.since && (!c.idle || !c.stood) && (p.until == 0 || now < p.until) {
				p.begin(c, now)
			}
		}
	}
}

// wait waits for something to come or to be due, and works it off.
func (p *presser) wait(events []unix.EpollEvent) error {
	before := p.now()
	next := p.tidyAt
	if p.begun < len(p.all) {
		next = min(next, int64(float64(p.begun)/p.order.Load.ConnectRate*1e9))
	}
	if p.start > 0 && !p.order.Load.Closed && p.sent < p.total && p.free.size > 0 {
		if at := p.dueAt(p.sent); at > before {
			next = min(next, max(at, before+coalesce))
		} else {
			next = before
		}
	}
	if p.start > 0 && p.order.Load.Closed && p.free.size > 0 && before < p.until {
		next = before
	}
	left := unix.NsecToTimespec(max(next-before, 0))
	n, _, code := unix.Syscall6(unix.SYS_EPOLL_PWAIT2, uintptr(p.poll), uintptr(unsafe.Pointer(&events[0])), uintptr(len(events)), uintptr(unsafe.Pointer(&left)), 0, 0)
	if code != 0 && code != unix.EINTR {
		return os.NewSyscallError("epoll_pwait2", code)
	}
	if code != 0 {
		n = 0
	}
	now := p.now()
	p.seen = now
	if now-before < int64(20*time.Microsecond) && p.fetched > 0 {
		p.seen = p.fetched // nothing was waited for: what came may have come since the last time
	}
	p.fetched = now
	for _, e := range events[:n] {
		if int(e.Fd) == p.wake {
			_, _ = unix.Read(p.wake, make([]byte, 8))
			continue
		}
		if c := p.byFD[e.Fd]; c != nil {
			p.ready(c, e.Events)
		}
	}
	return nil
}

// second is the one that a time is in; what is before the start or after the end is in the first or last.
func (p *presser) second(at int64) *second {
	i := p.index(at)
	for len(p.seconds) <= i {
		p.seconds = append(p.seconds, second{})
	}
	return &p.seconds[i]
}

func (p *presser) index(at int64) int {
	last := max(int(p.order.Load.Duration/time.Second)-1, 0)
	return min(max(int((at-p.start)/1e9), 0), last)
}

// record adds a time to a histogram; one beyond its highest counts as that.
func (p *presser) record(h *metrics.Histogram, took int64) {
	highest := p.order.Load.Duration + 2*p.order.Load.Timeout
	_ = h.Record(min(max(float64(took)/1e9, 0), highest.Seconds())) // neither negative nor beyond the highest
}
