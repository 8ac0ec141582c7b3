package metrics

import (
	"strings"
	"testing"
	"time"
)

func TestParseCeiling(t *testing.T) {
	for text, want := range map[string]Ceiling{
		"rss_bytes<120MiB":        {Gauge: RSSBytes, Max: 120 << 20},
		" goroutines <= 500 ":     {Gauge: Goroutines, Max: 500, Reached: true},
		"cpu_seconds<1.5s":        {Gauge: CPUSeconds, Max: 1.5},
		"enforce_deny_p99<200ms":  {Words: []string{"enforce", "deny"}, Quantile: 0.99, Max: 0.2},
		"established_flows_max<3": {Words: []string{"established", "flows"}, Quantile: 1, Max: 3},
	} {
		got, err := ParseCeiling(text)
		if err != nil || got.Gauge != want.Gauge || got.Max != want.Max || got.Quantile != want.Quantile || got.Reached != want.Reached || strings.Join(got.Words, " ") != strings.Join(want.Words, " ") {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
	}
	for text, says := range map[string]string{
		"":                        "want NAME<VALUE",
		"rss_bytes>1MiB":          "want NAME<VALUE",
		"rss_bytes<MiB":           "want NAME<VALUE",
		"feathers<1":              "no gauge feathers",
		"endpoints<10":            "no gauge endpoints",
		"rss_bytes<120ms":         "as in 120MiB",
		"rss_bytes<1.2.3MiB":      "no number",
		"goroutines<5MiB":         "as in 500",
		"cpu_seconds<1":           "as in 200ms",
		"enforce_deny_p99<200foo": "as in 200ms",
		"enforce_deny<200ms":      "_p99",
	} {
		if _, err := ParseCeiling(text); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: got %v, want %q", text, err, says)
		}
	}
}

func TestCeilingJudges(t *testing.T) {
	c, err := ParseCeiling("enforce_deny_p99<200ms")
	if err != nil {
		t.Fatal(err)
	}
	measured := func(verdict string, resolution float64, ms ...float64) Measurement {
		m := Measurement{Name: "enforcement", Unit: Seconds, Labels: []Label{{"operation", "policy added"}, {"verdict", verdict}}}
		for _, v := range ms {
			m.Samples = append(m.Samples, Sample{At: time.Now(), Value: v / 1000, Resolution: resolution})
		}
		return m
	}
	ten := []float64{100, 100, 100, 100, 100, 100, 100, 100, 100, 150}
	for name, is := range map[string]struct {
		m    Measurement
		want Verdict
	}{
		"within":           {measured("deny", 0.001, ten...), Pass},
		"above":            {measured("deny", 0.001, append(ten, 250)...), Fail},
		"at it":            {measured("deny", 0, append(ten, 200)...), Fail},
		"it can't be told": {measured("deny", 0.04, append(ten, 210)...), Inconclusive},
		"few":              {measured("deny", 0.001, 100), Inconclusive},
		"few, but above":   {measured("deny", 0.001, 300), Fail},
		"none":             {measured("deny", 0), Inconclusive},
	} {
		if !c.Of(is.m) {
			t.Errorf("%s: it is not of %v", name, is.m)
		}
		if got, why := c.Judge(is.m); got != is.want || (got != Pass) != strings.HasPrefix(why, "budget enforce_deny_p99<200ms: enforcement") {
			t.Errorf("%s: %v, %s", name, got, why)
		}
	}
	if c.Of(measured("allow", 0)) || c.Of(Measurement{Name: "established flows cut"}) {
		t.Error("it is of what has not all its words")
	}
	if other, err := ParseCeiling("enforce_deny_p99<200MiB"); err != nil || other.Of(measured("deny", 0, ten...)) {
		t.Errorf("%v: a ceiling in MiB is of seconds", err)
	}
	rss, _ := ParseCeiling("rss_bytes<120MiB")
	if v, why := rss.JudgePeak(130 << 20); v != Fail || why != "budget rss_bytes<120MiB: rss_bytes was 130.0 MiB" {
		t.Errorf("%v, %s", v, why)
	}
	if v, _ := rss.JudgePeak(119 << 20); v != Pass {
		t.Error(v)
	}
}
