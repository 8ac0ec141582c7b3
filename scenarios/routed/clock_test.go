package routed

import (
	"context"
	"errors"
	"testing"
)

// TestStatusIsNotLookedAtForLonger wants nobody to look at a status any more once what was timed has failed.
func TestStatusIsNotLookedAtForLonger(t *testing.T) {
	why, ended := errors.New("the API server is gone"), false
	err := (&Proxied{}).Time(t.Context(), nil, Timed{
		Operation: "route added",
		Do:        func(context.Context) error { return why },
		Status: func(ctx context.Context) (bool, error) {
			<-ctx.Done()
			ended = true
			return false, ctx.Err()
		},
	})
	if !errors.Is(err, why) || !ended {
		t.Errorf("%v, ended %v", err, ended)
	}
}
