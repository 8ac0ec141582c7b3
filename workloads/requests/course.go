package requests

import "github.com/nodefv/nodefv/metrics"

// Courses are how a load went, second by second, and its latency by percentile.
func (r Report) Courses(name string) []metrics.Course {
	latency := metrics.Course{Name: name + ": latency", Doc: "From when requests were due, of the answers of each second.", Unit: metrics.Seconds, Began: r.Began, Every: 1,
		Curves: []metrics.Curve{{Name: "P50"}, {Name: "P99"}, {Name: "max"}}}
	rate := metrics.Course{Name: name + ": throughput", Doc: "Requests of each second.", Unit: "1/s", Began: r.Began, Every: 1,
		Curves: []metrics.Curve{{Name: "right"}, {Name: "due"}, {Name: "bad"}}}
	for i, s := range r.Seconds {
		at := float64(i + 1)
		if m := (metrics.Measurement{Histogram: s.Latency}); m.N() > 0 {
			for j, q := range []float64{0.5, 0.99, 1} {
				latency.Curves[j].Add(at, m.Quantile(q))
			}
		}
		for j, v := range []uint64{s.Right, s.Due, s.Bad} {
			rate.Curves[j].Add(at, float64(v))
		}
	}
	all := []metrics.Course{latency, rate}
	if p := r.Latency.Quantiles(); len(p.Curves) > 0 {
		p.Name = name + ": " + p.Name
		all = append(all, p)
	}
	return all
}
