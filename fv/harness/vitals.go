package harness

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nodefv/nodefv/infra"
	"github.com/nodefv/nodefv/metrics"
	"github.com/nodefv/nodefv/metrics/report"
)

// vitalsEvery is how often the machine's processors are looked at: an engine needs some milliseconds to tell what its containers used.
const vitalsEvery = 2 * time.Second

// watchMachine writes down what the machine's processors do, until ctx ends.
func (s *session) watchMachine(ctx context.Context, env *infra.Environment) {
	ours := func(ctx context.Context) (map[string]time.Duration, error) {
		used, err := env.CPU(ctx)
		if err != nil {
			return used, err
		}
		used["harness"], err = ownCPU()
		return used, err
	}
	metrics.NewProcessors(ours).Run(ctx, vitalsEvery, func(v metrics.Vitals) {
		_ = s.journal.Write(report.Entry{Vitals: &v}) // the last write reports the error
	})
}

// ownCPU is what this process has used of the processors.
func ownCPU() (time.Duration, error) {
	var used unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &used); err != nil {
		return 0, fmt.Errorf("getrusage: %w", err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano()), nil
}
