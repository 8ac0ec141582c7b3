package main

import (
	"errors"
	"fmt"
	"testing"

	"github.com/nodefv/nodefv/fv/harness"
	"github.com/nodefv/nodefv/metrics"
)

func TestExitCodes(t *testing.T) {
	broken := errors.New("broken")
	for name, c := range map[string]struct {
		err  error
		want int
	}{
		"passed":                      {ended(metrics.Pass, nil), exitPass},
		"passed, and something broke": {ended(metrics.Pass, broken), exitInconclusive},
		"failed":                      {ended(metrics.Fail, nil), exitFail},
		"failed, and told why":        {ended(metrics.Fail, broken), exitFail},
		"inconclusive":                {ended(metrics.Inconclusive, nil), exitInconclusive},
		"skipped":                     {ended(metrics.Skip, nil), exitInconclusive},
		"misused":                     {ended(metrics.Inconclusive, fmt.Errorf("start: %w", &harness.UsageError{Err: broken})), exitUsage},
		"wrong flags":                 {usage(broken), exitUsage},
		"a program's own":             {&exitError{code: 42}, 42},
	} {
		if got := exitCode(c.err); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
}
