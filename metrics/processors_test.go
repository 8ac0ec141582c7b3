package metrics

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"
)

func procStatLine(v ...int) string {
	return strings.TrimSpace("cpu  "+strings.Trim(fmt.Sprint(v), "[]")) + "\ncpu0 1 2\n"
}

func threadLine(pid, parent, ticks int) string {
	return fmt.Sprintf("%d (kworker/0:1 x)) S %d 0 0 0 -1 69238880 0 0 0 0 0 %d 0 0 20 0 1 0 1 0 0\n", pid, parent, ticks)
}

// TestProcessors has two processors for ten seconds: 20 s, of which 4 s are idle, 1 s is stolen, 2 s are interrupts and a thread of the kernel's.
func TestProcessors(t *testing.T) {
	root := t.TempDir()
	write(t, root, map[string]string{
		"stat": procStatLine(1000, 0, 500, 2000, 100, 50, 50, 10, 999, 999), "9/stat": threadLine(9, kthreadd, 100), "10/stat": threadLine(10, 1, 0),
		"pressure/cpu": "some avg10=0.00 avg60=0.00 avg300=0.00 total=1000000\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=77\n",
		"pressure/io":  "some avg10=0.00 avg60=0.00 avg300=0.00 total=77\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0\n",
	})
	used := map[string]time.Duration{"agent": time.Second, "driver": 2 * time.Second}
	p := NewProcessors(func(context.Context) (map[string]time.Duration, error) { return used, nil })
	p.root = root
	if v, ok := p.Span(t.Context()); ok {
		t.Errorf("a span without a beginning: %+v", v)
	}
	write(t, root, map[string]string{
		"stat": procStatLine(1900, 100, 900, 2300, 200, 100, 100, 110, 999, 999), "9/stat": threadLine(9, kthreadd, 200), "10/stat": threadLine(10, 1, 900),
		"pressure/cpu": "some avg10=0.00 avg60=0.00 avg300=0.00 total=9000000\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=77\n",
	})
	used = map[string]time.Duration{"agent": 4 * time.Second, "driver": time.Second, "etcd": time.Second} // the driver was started again
	v, ok := p.Span(t.Context())
	m := v.Machine
	// Busy are 9 + 1 + 4 = 14 s; ours 3 + 1, and what etcd used before it was first seen counts as well.
	if !ok || !near(m.Capacity, 19) || !near(m.Idle, 4) || !near(m.Steal, 1) || !near(m.Ours, 4) || !near(m.Foreign, 14-4-1) || !near(m.Pressure["cpu"], 8) {
		t.Errorf("got %v %+v", ok, m)
	}
	if len(v.Lacks) != 1 || v.Lacks[0].Source != "pressure" || !strings.Contains(v.Lacks[0].Reason, "memory") {
		t.Errorf("lacks %v", v.Lacks)
	}
}

func TestProcessorsWithoutTheirUsers(t *testing.T) {
	root := t.TempDir()
	p := NewProcessors(func(context.Context) (map[string]time.Duration, error) { return nil, errors.New("no engine") })
	p.root = root
	write(t, root, map[string]string{"stat": procStatLine(0, 0, 0, 0, 0, 0, 0, 0, 0, 0)})
	p.Span(t.Context())
	write(t, root, map[string]string{"stat": procStatLine(100, 0, 0, 0, 0, 0, 0, 0, 0, 0)})
	if v, ok := p.Span(t.Context()); !ok || v.Machine.Foreign != 0 || len(v.Lacks) != 2 || v.Lacks[0].Reason != "no engine" {
		t.Errorf("what is not known of ours may not count as others': %v %+v %v", ok, v.Machine, v.Lacks)
	}
}

func TestProcessorsOfThisMachine(t *testing.T) {
	p := NewProcessors(func(context.Context) (map[string]time.Duration, error) { return nil, nil })
	p.Span(t.Context())
	for end := time.Now().Add(50 * time.Millisecond); time.Now().Before(end); { // something to count
	}
	if v, ok := p.Span(t.Context()); !ok || v.Machine.Capacity <= 0 {
		t.Errorf("got %v %+v", ok, v.Machine)
	}
}

func near(a, b float64) bool { return math.Abs(a-b) < 1e-9 }
