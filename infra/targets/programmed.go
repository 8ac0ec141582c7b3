package targets

import (
	"github.com/nodefv/nodefv/metrics"
	"github.com/nodefv/nodefv/metrics/report"
	"github.com/nodefv/nodefv/workloads"
	"github.com/nodefv/nodefv/workloads/kernel"
)

// Programmer is what a target implements that can say what it must have put into the kernel. Its facts name pods, policies and
// rules, and are comparable as they stand: the same keys with the same values mean that all is as it must be.
type Programmer interface {
	// Fits reports whether what follows is known to hold for the release that runs.
	Fits() bool
	// Backend says how its rules and sets are read.
	Backend() kernel.Backend
	// Programmed predicts from the model alone.
	Programmed(s workloads.State) map[report.Fact]string
	// Observed tells what is there, in the words of Programmed. The state serves to name what is found.
	Observed(s workloads.State, k *kernel.State) map[report.Fact]string
	// Counted says what the target's own gauges should show of the model and of what it has programmed. Which they are does not depend on either.
	Counted(s workloads.State, k *kernel.State) map[metrics.Gauge]float64
}
