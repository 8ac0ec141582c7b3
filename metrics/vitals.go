package metrics

import "time"

// Vitals is how well the driver and the machine could do their work during a span of time: what may falsify the figures that were taken
// meanwhile. All numbers are of the span alone.
type Vitals struct {
	At      time.Time      `json:"at"`                // the span ended
	Took    time.Duration  `json:"took_ns"`           // its length, by a clock that never steps
	Driver  *DriverVitals  `json:"driver,omitempty"`  // as the driver saw it; absent: the harness watched
	Machine *MachineVitals `json:"machine,omitempty"` // as the harness saw it; absent: the driver watched
	Lacks   []Gap          `json:"lacks,omitempty"`   // what could not be read, told when it was first missed
}

// DriverVitals are those of the driver.
type DriverVitals struct {
	// Lost is for how long in all a goroutine that was due did not run, each time by more than Grace.
	Lost      time.Duration `json:"lost_ns,omitempty"`
	Latest    time.Duration `json:"latest_ns,omitempty"`     // the longest of these delays, and how late it was
	ClockStep time.Duration `json:"clock_step_ns,omitempty"` // how far the wall clock went ahead of the clock that never steps; slewing is left out
	CPU       float64       `json:"cpu_seconds,omitempty"`   // that its cgroup used
	Throttled time.Duration `json:"throttled_ns,omitempty"`  // for which its cgroup had used up its quota
	Throttles int           `json:"throttles,omitempty"`     // how often that was
}

// MachineVitals are what the machine's processors did. CPU is in processor seconds: of two processors there are two of them a second.
type MachineVitals struct {
	Capacity float64 `json:"capacity"`          // all there are
	Idle     float64 `json:"idle"`              // waiting for input and output included
	Steal    float64 `json:"steal,omitempty"`   // taken by the hypervisor for others
	Ours     float64 `json:"ours"`              // used by the run's containers and the harness
	Foreign  float64 `json:"foreign,omitempty"` // used by other programs; the kernel's own threads are nobody's
	// Pressure is for how many seconds some program (of memory and io: all programs) had to wait for cpu, memory or io. Absent: the kernel
	// does not say.
	Pressure map[string]float64 `json:"pressure_seconds,omitempty"`
}
