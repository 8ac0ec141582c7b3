package harness

import (
	"strings"
	"testing"

	"github.com/nodefv/nodefv/scenarios/leak"
)

// TestChurnOfTargets wants each target to be asked for what it can do alone, and to be told what that is.
func TestChurnOfTargets(t *testing.T) {
	for _, c := range []struct {
		target, churn string
		can           bool
	}{
		{"felix", "local-pods", true}, {"felix", "agent-restarts", true}, {"felix", "routes", false},
		{"traefik", "routes", true}, {"contour", "endpoints-of-routes", true}, {"traefik", "local-pods", false}, {"contour", "everything", false},
	} {
		err := possible(Options{Target: c.target}, leak.Order{Churn: c.churn})
		if (err == nil) != c.can {
			t.Errorf("%s by %s: %v", c.churn, c.target, err)
		}
		if err != nil && (!strings.Contains(err.Error(), "it can do: ") || strings.Contains(err.Error(), "\n")) {
			t.Errorf("%s by %s is refused with: %v", c.churn, c.target, err)
		}
	}
}
