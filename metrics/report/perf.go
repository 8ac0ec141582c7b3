package report

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"strconv"

	"github.com/nodefv/nodefv/metrics"
)

// perfFolder is where performance tooling that collects flat documents looks for them below a folder for each family (docs/reference/record.md).
const perfFolder = "artifacts/perf/benchmark_data_nodefv_"

// document is one measurement in the flat layout that such tooling sends to Elasticsearch: scalars alone, and nothing that
// the tool adds by itself.
type document struct {
	file   string
	fields map[string]any
}

// File returns a name below artifacts/perf.
func (d document) File() string { return d.file }

// Write writes JSON.
func (d document) Write(w io.Writer, _ Record) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(d.fields)
}

// perf returns a document for each scenario that ended, for what was measured in it, and for each reading that was taken at rest.
func perf(rec Record) []Format {
	var all []Format
	names := fileNames{}
	var context map[string]any
	add := func(family, name string, fields map[string]any) {
		maps.Copy(fields, context)
		all = append(all, document{perfFolder + family + "/" + names.of(family+"-"+name) + ".json", fields})
	}
	for _, sc := range rec.Scenarios {
		if sc.Duration() <= 0 {
			continue
		}
		context = rec.context(sc)
		add("scenario", sc.Name, rec.costs(sc))
		for _, m := range sc.Measurements {
			add("measurement", sc.Name+"-"+m.Name, quantities(m))
		}
		for _, p := range rec.pointsOf(sc) {
			if p.Settled {
				add("settled", fmt.Sprintf("%s-%s-%d", sc.Name, p.Step, p.Cycle), settled(p))
			}
		}
	}
	return all
}

// context is what all documents of a scenario have in common.
func (rec Record) context(sc Scenario) map[string]any {
	fields := map[string]any{
		"test_name": sc.Name, "ok": sc.Verdict == metrics.Pass, "verdict": sc.Verdict.String(), "validity": validityWord(sc.Validity),
		"target": rec.Run.Target, "target_version": brief(rec.Run.Versions[rec.Run.Target]), "runtime": rec.Run.Runtime, "run": rec.Run.ID,
		"scale_cpus": rec.Run.Machine.CPUs,
	}
	if sc.Verdict != metrics.Pass {
		fields["error"] = plain(sc.Reason)
	}
	peak := rec.occupancy(sc).peak
	for _, g := range []metrics.Gauge{metrics.Endpoints, metrics.LocalEndpoints, metrics.Rules, metrics.IPSets} {
		if v, ok := peak[g]; ok {
			fields["scale_"+string(g)] = int(v)
		}
	}
	for name, value := range rec.Run.Parameters {
		if v, err := strconv.ParseFloat(value, 64); err == nil {
			fields["scale_"+word(name)] = v
		} else {
			fields[word(name)] = value
		}
	}
	return fields
}

// costs are the scenario's time and what it cost the SUT, as results.txt has them.
func (rec Record) costs(sc Scenario) map[string]any {
	fields, o := map[string]any{"phase": "scenario", "total_ms": float64(sc.Duration().Microseconds()) / 1000}, rec.occupancy(sc)
	for _, g := range metrics.Costs {
		for of, held := range map[string]metrics.Snapshot{"peak_": o.peak, "mean_": o.mean, "end_": o.end, "settled_": o.settled} {
			if v, ok := held[g]; ok {
				fields[of+string(g)] = v
			}
		}
	}
	for _, g := range metrics.CountsUp {
		if v, ok := o.used[g]; ok {
			fields[string(g)] = v
		}
	}
	return fields
}

// quantities is what was measured, in milliseconds where it is a time.
func quantities(m metrics.Measurement) map[string]any {
	unit, factor := "", 1.0
	switch m.Unit {
	case metrics.Seconds:
		unit, factor = "_ms", 1000
	case metrics.Count:
	default:
		unit = "_" + word(string(m.Unit))
	}
	fields := map[string]any{"phase": m.Name, "n": m.N(), "without": m.Without, "doubt": m.Doubt()}
	for _, l := range m.Labels {
		fields["label_"+word(l.Name)] = l.Value
	}
	for name, q := range map[string]float64{"p50": 0.5, "p90": 0.9, "p99": 0.99, "max": 1} {
		if m.N() > 0 {
			fields[name+unit] = m.Quantile(q) * factor
		}
	}
	return fields
}

func settled(p metrics.Point) map[string]any {
	fields := map[string]any{"phase": p.Step, "iter": p.Cycle, "test_step": fmt.Sprintf("settled_%d", p.Cycle)}
	for g, v := range p.Values {
		fields[word(string(g))] = v
	}
	return fields
}
