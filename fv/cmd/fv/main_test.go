package main

import (
	"context"
	"errors"
	"fmt"
	"syscall"
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

func TestSignalled(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(signalError{syscall.SIGINT})
	told := &harness.InterruptedError{Where: "in pod churn, cycle 3", Told: true}
	for name, c := range map[string]struct {
		ctx  context.Context
		err  error
		want int
		says string
	}{
		"nothing was cut short":   {ctx, nil, exitPass, ""},
		"told already":            {ctx, ended(metrics.Inconclusive, told), 130, ""},
		"a failure before it":     {ctx, ended(metrics.Fail, told), 130, ""},
		"a session's usual end":   {ctx, &judgedError{ended(metrics.Fail, nil)}, exitFail, ""},
		"not told yet":            {ctx, &harness.InterruptedError{Where: "before anything was started"}, 130, "interrupted before anything was started"},
		"and something is left":   {ctx, errors.Join(told, errors.New("sweep: broken")), 130, told.Error() + "\nsweep: broken"},
		"no signal, but an error": {t.Context(), errors.New("broken"), exitInconclusive, "broken"},
	} {
		err := signalled(c.ctx, c.err)
		if got := exitCode(err); got != c.want {
			t.Errorf("%s: exit code %d, want %d", name, got, c.want)
		}
		if err != nil && err.Error() != c.says {
			t.Errorf("%s: says %q, want %q", name, err, c.says)
		}
	}
}
