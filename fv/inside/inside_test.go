package inside

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/nodefv/nodefv/scenarios/effects"
	"github.com/nodefv/nodefv/workloads"
)

// told is a wire that remembers what it was called with.
type told struct {
	calls    []any
	outcomes effects.Outcomes
	fails    error
	hangs    chan struct{} // Connect waits for it; nil: it does not
}

func (w *told) Plug(_ context.Context, pods []workloads.Plug) error {
	w.calls = append(w.calls, pods)
	return w.fails
}

func (w *told) Unplug(_ context.Context, pods []workloads.Key) error {
	w.calls = append(w.calls, pods)
	return w.fails
}

func (w *told) Readdress(pods []workloads.Plug) error {
	w.calls = append(w.calls, pods)
	return w.fails
}

func (w *told) Connect(_ context.Context, flows []effects.Flow) (effects.Outcomes, error) {
	if w.hangs != nil {
		<-w.hangs
	}
	w.calls = append(w.calls, flows)
	return w.outcomes, w.fails
}

// served is a client of the wire, over a socket whose path is longer than a socket's may be.
func served(t *testing.T, w Wire) (*Client, net.Listener) {
	t.Helper()
	short, err := os.MkdirTemp("", "fv")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(short) })
	l, err := net.Listen("unix", filepath.Join(short, "s"))
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- Serve(l, w) }()
	t.Cleanup(func() {
		l.Close()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	long := filepath.Join(t.TempDir(), strings.Repeat("long/", 30))
	if err := os.MkdirAll(filepath.Dir(long), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(short, long); err != nil {
		t.Fatal(err)
	}
	c, err := Dial(t.Context(), filepath.Join(long, "s"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c, l
}

var (
	key  = workloads.Key{Namespace: "a", Name: "b"}
	plug = []workloads.Plug{{Pod: key, HostInterface: "veth0", IPs: []netip.Addr{netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("fd00::1")}}}
	flow = effects.Flow{
		From: effects.End{Key: key, Addr: plug[0].IPs[0]}, To: effects.End{Addr: plug[0].IPs[1], Remote: true}, Protocol: corev1.ProtocolTCP, Port: 80,
	}
)

func TestCallsArriveAsTheyWereMade(t *testing.T) {
	w := &told{outcomes: effects.Outcomes{flow: {Kind: effects.ConnectedFrom, Seen: "10.0.0.9"}}}
	c, _ := served(t, w)
	got, err := c.Connect(t.Context(), []effects.Flow{flow})
	if err != nil || !reflect.DeepEqual(got, w.outcomes) {
		t.Errorf("connect: %v, %v", got, err)
	}
	if err := errors.Join(c.Plug(t.Context(), plug), c.Unplug(t.Context(), []workloads.Key{key}), c.Readdress(plug)); err != nil {
		t.Error(err)
	}
	if want := []any{[]effects.Flow{flow}, plug, []workloads.Key{key}, plug}; !reflect.DeepEqual(w.calls, want) {
		t.Errorf("got  %+v\nwant %+v", w.calls, want)
	}
}

func TestErrorsComeBack(t *testing.T) {
	c, _ := served(t, &told{fails: errors.New("no room")})
	_, err := c.Connect(t.Context(), nil)
	for i, err := range []error{err, c.Plug(t.Context(), plug), c.Unplug(t.Context(), nil), c.Readdress(plug)} {
		if fmt.Sprint(err) != "no room" {
			t.Errorf("call %d: %v", i, err)
		}
	}
}

func TestCallEndsWithItsContext(t *testing.T) {
	w := &told{hangs: make(chan struct{})}
	defer close(w.hangs)
	c, _ := served(t, w)
	cause := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(cause)
	if _, err := c.Connect(ctx, nil); !errors.Is(err, cause) {
		t.Errorf("error %v", err)
	}
}

func TestCallAfterTheEnd(t *testing.T) {
	c, _ := served(t, &told{})
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if err := c.Plug(t.Context(), plug); err == nil || !strings.Contains(err.Error(), "has ended") {
		t.Errorf("error %v", err)
	}
}
