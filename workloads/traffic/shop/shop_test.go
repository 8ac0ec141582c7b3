package shop

import (
	"context"
	"net"
	"testing"
	"time"
)

// TestImpatienceBuysTwice has customers give up on a shop that is slower than they are patient: a key is what keeps them from buying again.
func TestImpatienceBuysTwice(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := Open(l, 300*time.Millisecond)
	var all []Event
	for order, key := range map[string]string{"with": "k1", "without": ""} {
		c := Customer{Order: order, Key: key, Patience: 100 * time.Millisecond, Most: 2, Dial: func(ctx context.Context) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "tcp", l.Addr().String())
		}}
		defer c.Leave()
		if err := c.Enter(t.Context()); err != nil {
			t.Fatal(err)
		}
		all = append(all, c.Buy(t.Context())...)
	}
	deadline := time.Now().Add(10 * time.Second)
	for s.count() < 4 && time.Now().Before(deadline) {
		time.Sleep(10 * time.Millisecond)
	}
	events, err := s.Close()
	if err != nil {
		t.Fatal(err)
	}
	all = append(all, events...)
	for _, c := range []struct {
		order string
		what  What
		want  int
	}{{"with", Sold, 1}, {"with", Repeated, 1}, {"without", Sold, 2}, {"with", GaveUp, 2}, {"without", Receipt, 0}} {
		if got := Times(all, c.order, c.what); got != c.want {
			t.Errorf("%s a key it %s %d times, want %d: %v", c.order, c.what, got, c.want, Story(all, c.order))
		}
	}
}

func (s *Shop) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.events)
}
