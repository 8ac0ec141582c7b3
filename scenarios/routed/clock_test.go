package routed

import (
	"context"
	"errors"
	"testing"
)

// TestStatusIsNotLookedAtForLonger wants nobody to look at a status any more once what was timed is over.
func TestStatusIsNotLookedAtForLonger(t *testing.T) {
	ctx, end := context.WithCancel(t.Context())
	ended := false
	published := awaitStatus(ctx, Timed{Status: func(ctx context.Context) (bool, error) {
		<-ctx.Done()
		ended = true
		return false, ctx.Err()
	}})
	end()
	seen, told := <-published
	if _, more := <-published; !told || more || !errors.Is(seen.err, context.Canceled) || !ended {
		t.Errorf("told %v, %v, more %v, ended %v", told, seen.err, more, ended)
	}
}
