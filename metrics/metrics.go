// Package metrics samples what the SUT holds (its occupancy) and judges it.
//
// It owns the words for what is measured (Gauge), the places where it is read (Source), the series of
// points, their trend, and the budgets on them. It never decides about packets or kernel state, and it knows no
// particular SUT: a Selector says where a target keeps a gauge. A Sampler is safe for concurrent use; all other
// values are plain data.
package metrics

import (
	"context"
	"time"
)

// Gauge is our word for a quantity of the SUT, whatever the SUT itself calls it. Units are in the name; a
// Gauge without a unit is a count.
type Gauge string

// The gauges that the driver reads.
const (
	Endpoints      Gauge = "endpoints"       // endpoints in the cluster, as the SUT counts them
	LocalEndpoints Gauge = "local_endpoints" // endpoints on the SUT's own node
	InSync         Gauge = "in_sync"         // 1 when the SUT has seen the whole datastore, else 0
	Chains         Gauge = "chains"          // chains that the SUT says it has in the kernel, all tables and both families
	Rules          Gauge = "rules"           // its rules there, likewise
	IPSets         Gauge = "ip_sets"         // its sets of addresses there, likewise
	Selectors      Gauge = "selectors"       // different sets that the policies in force on its node need, of either family
	HeapBytes      Gauge = "heap_bytes"      // live and not yet swept heap of the SUT's runtime
	HeapObjects    Gauge = "heap_objects"    // live and not yet swept objects there
	LiveBytes      Gauge = "live_bytes"      // what a garbage collection left of the heap, by a profile that counts every allocation
	LiveObjects    Gauge = "live_objects"    // likewise
	Goroutines     Gauge = "goroutines"
	Leaked         Gauge = "leaked_goroutines" // those that nothing can wake, by the SUT's own profile of them
	RSSBytes       Gauge = "rss_bytes"         // resident set of the agent's process
	PSSBytes       Gauge = "pss_bytes"         // proportional set; read at most every ten seconds, it stalls the process
	Threads        Gauge = "threads"
	FDs            Gauge = "fds"
	CgroupBytes    Gauge = "cgroup_bytes"        // memory charged to the SUT's cgroup, page cache included
	CPUSeconds     Gauge = "cpu_seconds"         // CPU used by the SUT's cgroup since it began, children included
	ProcessCPU     Gauge = "process_cpu_seconds" // CPU used by the agent's process alone
)

// Selector says where a target's exposition keeps a gauge: the metric of exactly that name whose labels include
// Labels; several matching series add up. If OneWhen is set the gauge is 1 when the value equals it and 0 otherwise.
type Selector struct {
	Metric  string
	Labels  map[string]string
	OneWhen *float64
}

// Snapshot is what one scrape read.
type Snapshot map[Gauge]float64

// Source is a place where gauges are read. Scrape must be safe for concurrent use and must end when ctx does.
type Source interface {
	Name() string
	Scrape(ctx context.Context) (Snapshot, error)
}

// Phase says to which part of a run a point belongs.
type Phase struct {
	Scenario string `json:"scenario,omitempty"` // absent: it is between scenarios
	Step     string `json:"step,omitempty"`     // of the scenario
	Cycle    int    `json:"cycle,omitempty"`    // of the step, from 1
	// Settled marks a reading taken on purpose after the target was asked to release what it can; budgets
	// are judged on such points.
	Settled bool `json:"settled,omitempty"`
}

// Gap is a scrape that failed; it is recorded instead of being filled in.
type Gap struct {
	Source string `json:"source"` // its name
	Reason string `json:"reason"` // why it could not be read
}

// Point is one sample of all sources.
type Point struct {
	At time.Time `json:"at"` // the scrapes began
	Phase
	Values Snapshot `json:"values"` // by gauge
	Gaps   []Gap    `json:"gaps,omitempty"`
}
