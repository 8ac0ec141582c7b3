package lifecycle

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestUnwindRunsAllLastInFirstOut(t *testing.T) {
	var u Undo
	var order []string
	broken := errors.New("broken")
	for _, name := range []string{"network", "etcd", "apiserver"} {
		u.Push(name, func(context.Context) error {
			order = append(order, name)
			if name == "etcd" {
				return broken
			}
			return nil
		})
	}
	err := u.Unwind(t.Context())
	if want := []string{"apiserver", "etcd", "network"}; !slices.Equal(order, want) {
		t.Errorf("order %v, want %v", order, want)
	}
	if !errors.Is(err, broken) || err.Error() != "etcd: broken" {
		t.Errorf("error %v", err)
	}
	if err := u.Unwind(t.Context()); err != nil || len(order) != 3 {
		t.Errorf("a second unwind did something: %v, %v", err, order)
	}
}

func TestWaitNamesBoundAndCause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		refused := errors.New("connection refused")
		err := Wait(t.Context(), "apiserver", 30*time.Second, func(context.Context) error { return refused })
		if err == nil || err.Error() != "apiserver not ready within 30s (last: connection refused)" {
			t.Errorf("error %v", err)
		}
	})
}

func TestWaitKeepsTheCauseBeforeTheBound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tries := 0
		err := Wait(t.Context(), "apiserver", time.Second, func(ctx context.Context) error {
			if tries++; tries == 1 {
				return errors.New("connection refused")
			}
			<-ctx.Done() // a connection that hangs
			return ctx.Err()
		})
		if err == nil || err.Error() != "apiserver not ready within 1s (last: connection refused)" {
			t.Errorf("error %v", err)
		}
	})
}

func TestWaitEndsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		err := Wait(t.Context(), "etcd", time.Minute, func(context.Context) error { return Stop(errors.New("it exited")) })
		if err == nil || err.Error() != "etcd: it exited" {
			t.Errorf("error %v", err)
		}
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(errors.New("interrupted"))
		err = Wait(ctx, "etcd", time.Minute, func(context.Context) error { return errors.New("not yet") })
		if err == nil || !strings.Contains(err.Error(), "interrupted") {
			t.Errorf("error %v", err)
		}
		if time.Since(begun) != 0 {
			t.Errorf("it took %v", time.Since(begun))
		}
	})
}
