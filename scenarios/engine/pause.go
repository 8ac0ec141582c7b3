package engine

import (
	"context"
	"time"
)

// Pause waits for so long, or until ctx ends: then its error is the cause of that.
func Pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d):
		return nil
	}
}
