package harness

import (
	"context"
	"errors"
	"fmt"

	"github.com/nodefv/nodefv/metrics/report"
)

// InterruptedError is the end of what was cut short by the end of its context.
type InterruptedError struct {
	Where string // such as "in pod churn, cycle 3"
	Told  bool   // the session has said so already
	Cause error  // with which the context ended
}

func (e *InterruptedError) Error() string { return "interrupted " + e.Where }
func (e *InterruptedError) Unwrap() error { return e.Cause }

// atStart is where it was as long as the driver was not started.
const atStart = "during the start of the environment"

// cutShort is what an error comes to if the context has ended: where that was.
func cutShort(ctx context.Context, err error, where string) error {
	if cause := context.Cause(ctx); err != nil && cause != nil {
		return &InterruptedError{Where: where, Cause: cause}
	}
	return err
}

// interrupted tells the user where the session was cut short, and returns that.
func (s *session) interrupted(ctx context.Context, where string) error {
	fmt.Fprintf(s.out, "\ninterrupted %s\n", where)
	return &InterruptedError{Where: where, Told: true, Cause: context.Cause(ctx)}
}

// place is where the driver was when its record ended: the step that began last.
func place(rec report.Record) string {
	if len(rec.Scenarios) == 0 {
		return "before the first scenario"
	}
	sc := rec.Scenarios[len(rec.Scenarios)-1]
	if len(sc.Steps) == 0 {
		return "in " + sc.Name
	}
	step := sc.Steps[len(sc.Steps)-1]
	if step.Cycle > 1 {
		return fmt.Sprintf("in %s, cycle %d", sc.Name, step.Cycle)
	}
	return fmt.Sprintf("in %s, step %q", sc.Name, step.Name)
}

// withCleanup is err with what failed while everything was removed.
func withCleanup(err, cleanup error) error {
	if cleanup == nil {
		return err
	}
	return errors.Join(err, cleanup)
}
