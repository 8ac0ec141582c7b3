//go:build linux

package continuous

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/nodefv/nodefv/workloads/load"
)

const ms = int64(time.Millisecond)

// accountOf sends so many messages, one each millisecond, each of which arrives and is answered within one unless alter
// has its way with it.
func accountOf(messages int, alter func(a *account, number uint64, now int64) (handled bool)) *account {
	a := &account{latencies: newHistogram(), lately: hdrhistogram.New(1, 1<<40, 3), late: 50 * ms, interval: ms}
	for i := range messages {
		now := int64(i+1) * ms
		a.take(now, true)
		if alter(a, uint64(i), now) {
			continue
		}
		a.arrive(uint64(i))
		a.answered(uint64(i), now+ms/2)
	}
	return a
}

func TestAccount(t *testing.T) {
	const messages = 1000
	for name, c := range map[string]struct {
		alter func(a *account, n uint64, now int64) bool
		want  load.Count
		hole  int64
	}{
		"all well": {func(*account, uint64, int64) bool { return false }, load.Count{}, 0},
		"lost there": {func(_ *account, n uint64, _ int64) bool { return n >= 100 && n < 180 },
			load.Count{There: load.Way{Lost: 80}}, 80 * ms},
		"lost at the end": {func(_ *account, n uint64, _ int64) bool { return n >= 990 },
			load.Count{There: load.Way{Lost: 10}}, 10 * ms},
		"lost back": {func(a *account, n uint64, _ int64) bool { return n == 5 && a.arrive(n) },
			load.Count{Back: load.Way{Lost: 1}}, ms},
		"duplicated": {func(a *account, n uint64, now int64) bool {
			if n == 5 {
				a.arrive(n)
				a.answered(n, now)
			}
			return false
		}, load.Count{There: load.Way{Duplicated: 1}, Back: load.Way{Duplicated: 1}}, 0},
		"reordered": {func(a *account, n uint64, now int64) bool {
			if n == 6 {
				a.arrive(6)
				a.answered(6, now)
				a.arrive(5)
				a.answered(5, now)
			}
			return n == 5 || n == 6
		}, load.Count{There: load.Way{Reordered: 1}, Back: load.Way{Reordered: 1}}, 0},
		"late": {func(a *account, n uint64, now int64) bool {
			if n == 5 {
				a.arrive(n)
				a.answered(n, now+51*ms)
			}
			return n == 5
		}, load.Count{Late: 1}, ms},
		"missed": {func(a *account, n uint64, _ int64) bool {
			if n == 7 || n == 9 {
				a.at(n).sent = false
			}
			return n == 7 || n == 9
		}, load.Count{Missed: 2}, ms},
	} {
		a := accountOf(messages, c.alter)
		a.settle(1<<62, false)
		c.want.Due, c.want.Sent = messages, messages-c.want.Missed
		c.want.There.Arrived = c.want.Sent - c.want.There.Lost
		c.want.Back.Arrived = c.want.There.Arrived - c.want.Back.Lost
		if a.Count != c.want || a.hole != c.hole {
			t.Errorf("%s: got %+v, hole %v; want %+v, %v", name, a.Count, time.Duration(a.hole), c.want, time.Duration(c.hole))
		}
	}
}

func TestArrivalAfterTheEnd(t *testing.T) {
	a := accountOf(10, func(_ *account, n uint64, _ int64) bool { return n == 3 })
	a.settle(8*ms, false)
	if a.arrive(3) || a.After != 1 || a.There.Lost != 1 || len(a.open) != 3 {
		t.Errorf("got %+v, %d open", a.Count, len(a.open))
	}
}

func TestStreamIsCutIntoMessages(t *testing.T) {
	for _, protocol := range []load.Protocol{load.TCP, load.HTTP} {
		s := format{protocol, 40}
		var wire []byte
		for n := range uint64(3) {
			wire = s.encodeMessage(wire, header{7, n})
		}
		for cut := range wire { // wherever the stream is cut
			stream, rest, got := wire[:cut], wire[cut:], uint64(0)
			for range 2 {
				for {
					body, length, err := s.decode(stream, s.size)
					if err != nil {
						t.Fatal(err)
					}
					if length == 0 {
						break
					}
					if h, ok := parseHeader(body); !ok || h != (header{7, got}) {
						t.Fatalf("%s, cut at %d: message %d is %+v", protocol, cut, got, h)
					}
					got, stream = got+1, stream[length:]
				}
				stream, rest = append(bytes.Clone(stream), rest...), nil
			}
			if got != 3 {
				t.Fatalf("%s, cut at %d: %d messages", protocol, cut, got)
			}
		}
	}
	s := format{protocol: load.HTTP}
	for _, garbled := range []string{"HTTP/1.1 503 Unavailable\r\nContent-Length: 20\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n", strings.Repeat("x", 9000)} {
		if _, _, err := s.decode([]byte(garbled), answerSize); err == nil {
			t.Errorf("%.30q is taken for an answer", garbled)
		}
	}
}

func TestSpecIsChecked(t *testing.T) {
	pair := []load.Pair{{}}
	if err := (load.Spec{Pairs: pair}).Check(); err != nil {
		t.Error(err)
	}
	for _, wrong := range []load.Spec{
		{}, {Pairs: pair, Protocol: "sctp"}, {Pairs: pair, Size: 3}, {Pairs: pair, Protocol: load.UDP, Size: 70_000},
		{Pairs: pair, Rate: -1}, {Pairs: pair, Duration: -1}, {Pairs: pair, Idle: true, Closed: true},
	} {
		if wrong.Check() == nil {
			t.Errorf("%+v is taken", wrong)
		}
	}
}
