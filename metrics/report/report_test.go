package report

import (
	"bytes"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/perf/benchfmt"

	"github.com/nodefv/nodefv/metrics"
)

var update = flag.Bool("update", false, "write the golden files anew")

func at(seconds float64) time.Time {
	return time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC).Add(time.Duration(seconds * float64(time.Second)))
}

// measurements are two of one name, one that is invalid, and one with a histogram.
func measurements() []metrics.Measurement {
	cut := func(protocol string, without int, ms ...float64) metrics.Measurement {
		m := metrics.Measurement{Name: "established flows cut", Doc: "What becomes of them.", Unit: metrics.Seconds, Labels: []metrics.Label{{Name: "operation", Value: "policy|added"}, {Name: "protocol", Value: protocol}}, Without: without}
		for _, v := range ms {
			m.Samples = append(m.Samples, metrics.Sample{At: at(12), Value: v / 1000, Resolution: 0.01})
		}
		return m
	}
	many := metrics.Measurement{Name: "round trips", Unit: metrics.Seconds, Histogram: metrics.NewHistogram(1e-6, 1)}
	for i := range 1000 {
		if err := many.Histogram.Record(float64(i) / 1e5); err != nil {
			panic(err)
		}
	}
	return []metrics.Measurement{cut("TCP", 1, 40, 60), cut("UDP", 2), cut("SCTP", 0, 12), many, {Name: "left over", Samples: []metrics.Sample{{At: at(13), Value: 3}}}}
}

// sample is a record with something of everything in it.
func sample() Record {
	point := func(s float64, scenario, step string, v metrics.Snapshot) metrics.Point {
		return metrics.Point{At: at(s), Phase: metrics.Phase{Scenario: scenario, Step: step}, Values: v}
	}
	return Record{
		Schema: Schema, Verdict: metrics.Fail, Reason: "1 pass, 2 fail, 1 inconclusive, 1 skip",
		Run: Run{
			ID: "r1", Started: at(0), Ended: at(100), Seed: 42, Command: "fv run --target felix --seed 42 --focus {focus}",
			Target: "felix", Runtime: "docker", Unexcused: "the agent's version is not known", Versions: map[string]string{"felix": "v3.31.0", "etcd": "v3.6.5"},
			Machine: Machine{Kernel: "6.18.5", OS: "Debian 12", Arch: "amd64", CPU: "Some CPU @ 2.0GHz", CPUs: 2, MemoryBytes: 8 << 30},
		},
		Scenarios: []Scenario{
			{
				Name: "local endpoints", Started: at(10), Ended: at(20.25), Verdict: metrics.Pass, Reason: "120 facts agreed", Source: "scenarios/local.go:12",
				Steps: []Step{{Name: "create", Started: at(10.5), Ended: at(12)}, {Name: "delete", Started: at(12), Ended: at(14)}},
				Findings: []Finding{
					{
						At: at(19), Kind: Expectation, Name: "never wrong", Facts: 48, Packets: &PacketCounts{Judged: 4000, Strict: 3990, Crowded: 2},
						Violations: []ViolationCount{{ViolationClass{IPv6, "UDP", Dropped, "delete pod", 0}, 1, 3}},
						Excused: []Excused{{Issue: "IPv6 routes remade", Reference: "docs/findings.md#x", Violations: 1, Packets: 3, Examples: []Difference{{
							Fact: "a/b > c/d udp6/80", Want: "no packet dropped", Got: "3 packets were dropped", From: at(18), Until: at(18.02),
							Violation: &Violation{
								ViolationClass: ViolationClass{IPv6, "UDP", Dropped, "delete pod", 0}, Legal: Passed, Packets: 3, Times: []Packet{{at(18), at(18)}, {at(18.01), at(18.01)}, {at(18.02), at(18.02)}},
								Flow:    FlowEnds{FlowEnd{Pod: "a/b", Addr: "fd00::1"}, FlowEnd{Pod: "c/d", Addr: "fd00::2", Remote: true}, "UDP", 80},
								Changes: []ModelChange{{Verb: "delete pod", Parts: 1, Concerns: []string{"Pod a/b"}, Begun: at(17.5), Acknowledged: at(17.6)}},
							},
						}}}},
					},
					{At: at(20), Kind: Expectation, Name: "never wrong", Note: "of up to 8 streams no packet was judged"},
				},
				Measurements: measurements(),
			},
			{
				Name: "policy|churn", Started: at(21), Ended: at(30), Verdict: metrics.Fail, Reason: "connections differ", Steps: []Step{{Name: "churn", Cycle: 2, Started: at(22), Ended: at(29)}},
				Findings: []Finding{
					{At: at(25), Kind: Expectation, Name: "in sync", Facts: 1},
					{
						At: at(29), Kind: Expectation, Name: "connections", Step: "churn", Cycle: 2, Facts: 100, Bound: 5 * time.Second, Differing: 3,
						Differences: []Difference{{Fact: "a/b to c/d:80", Want: "dropped", Got: "connected", Aspect: Packets}, {Fact: "a/b to e/f:80", Want: "dropped"}},
					},
					{
						At: at(29), Kind: Expectation, Name: "kernel", Step: "churn", Cycle: 2, Facts: 200, Bound: 5 * time.Second, Differing: 70,
						Differences: []Difference{
							{Fact: "set a: 10.0.0.1", Want: "pod a/b", Aspect: Members, Kind: Set, Subject: "set a", Part: "10.0.0.1", Alike: 69},
							{Fact: "set a: 10.0.0.2", Want: "pod a/c", Aspect: Members, Kind: Set, Subject: "set a", Part: "10.0.0.2", Alike: 69},
							{Fact: "gauge members", Want: "agrees", Got: "says 1, there are 70", Aspect: Counts},
						},
					},
				},
			},
			{Name: "it's dead", Started: at(31), Ended: at(40), Verdict: metrics.Fail, Reason: "the SUT died"},
			{
				Name: "interrupted", Started: at(41), Verdict: metrics.Inconclusive, Reason: "it did not end: the driver stopped first",
				Findings: []Finding{{At: at(42), Kind: Harness, Name: "plug", Error: "no\nveth <x>"}},
			},
			{Name: "dual stack", Started: at(41), Skipped: "felix lacks ipv6", Verdict: metrics.Skip, Reason: "felix lacks ipv6"},
		},
		Points: []metrics.Point{
			point(5, "", "", metrics.Snapshot{metrics.HeapBytes: 8 << 20}),
			point(11, "local endpoints", "create", metrics.Snapshot{metrics.HeapBytes: 9 << 20, metrics.RSSBytes: 74 << 20, metrics.CPUSeconds: 1}),
			point(12.5, "local endpoints", "delete", metrics.Snapshot{metrics.HeapBytes: 11 << 20, metrics.RSSBytes: 75 << 20, metrics.CPUSeconds: 3.5}),
			point(13, "local endpoints", "create", metrics.Snapshot{metrics.HeapBytes: 10 << 20, metrics.CPUSeconds: 4}),
			point(32, "it's dead", "kill", metrics.Snapshot{metrics.CPUSeconds: 10}),
			point(33, "it's dead", "kill", metrics.Snapshot{metrics.CPUSeconds: 0.5}),
			point(34, "it's dead", "kill", metrics.Snapshot{metrics.CPUSeconds: 1.5}),
		},
		Events: []Event{
			{At: at(8), Container: "typha", What: "exited", ExitCode: 1},
			{At: at(15), Container: "agent", What: "exited", Asked: true},
			{At: at(35), Container: "agent", What: "exited", ExitCode: 137, OOM: true, Log: []string{"\x1b[31mpanic:\x1b[0m boom", "goroutine 1```"}},
		},
	}
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs (go test -update writes it anew):\n%s", path, got)
	}
}

func TestFormatsGolden(t *testing.T) {
	for _, f := range Formats() {
		var b bytes.Buffer
		if err := f.Write(&b, sample()); err != nil {
			t.Errorf("%s: %v", f.File(), err)
		}
		if f == (HTML{}) { // see html_test.go for what it says, and the package browser for how it looks
			continue
		}
		golden(t, f.File(), b.Bytes())
	}
	var b bytes.Buffer
	if err := Table(&b, sample(), "out/r1"); err != nil {
		t.Error(err)
	}
	golden(t, "table.txt", b.Bytes())
}

func TestFormatsTakeAnEmptyRecord(t *testing.T) {
	for _, f := range Formats() {
		if err := f.Write(io.Discard, Record{}); err != nil {
			t.Errorf("%s: %v", f.File(), err)
		}
	}
}

func TestBenchIsRead(t *testing.T) {
	var b bytes.Buffer
	if err := (Bench{}).Write(&b, sample()); err != nil {
		t.Fatal(err)
	}
	r, names := benchfmt.NewReader(&b, "results.txt"), []string{}
	for r.Scan() {
		switch res := r.Result().(type) {
		case *benchfmt.SyntaxError:
			t.Error(res)
		case *benchfmt.Result:
			names = append(names, string(res.Name))
			if v, ok := res.Value("peak-heap-bytes"); len(names) == 1 && (!ok || v != 11<<20) {
				t.Errorf("peak-heap-bytes is %v", v)
			}
			if v, ok := res.Value("sec"); len(names) == 2 && (!ok || v != 0.04) {
				t.Errorf("sec is %v", v)
			}
			if v, ok := res.Value("sec/op"); len(names) == 1 && (!ok || v != 10.25) {
				t.Errorf("sec/op is %v", v)
			}
			if res.GetConfig("target") != "felix" || len(names) == 1 && res.GetConfig("verdict") != "pass" {
				t.Errorf("configuration of %s: %v", res.Name, res.Config)
			}
		}
	}
	const cut = "Measurement/established_flows_cut/operation=policy|added/protocol="
	if got := strings.Join(names, " "); r.Err() != nil || got != strings.Join([]string{
		"Scenario/local_endpoints-2", cut + "TCP-2", cut + "TCP-2", cut + "TCP-2", cut + "UDP-2", "Measurement/round_trips-2", "Measurement/left_over-2",
		"Scenario/policy|churn-2", "Scenario/it's_dead-2",
	}, " ") {
		t.Errorf("got %s, %v", got, r.Err())
	}
}

func TestReadRefuses(t *testing.T) {
	for in, want := range map[string]string{
		`{"schema": 3, "scenarios": "of another shape"}`: "its schema is 3",
		`{}`:                             "not a record",
		`{"schema": 1, "verdict": "ok"}`: "unknown verdict",
		`<html>`:                         "invalid character",
	} {
		if _, err := Read(strings.NewReader(in)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v", in, err)
		}
	}
}

type failing struct{}

func (failing) File() string { return "failing" }
func (failing) Write(w io.Writer, _ Record) error {
	_, err := io.WriteString(w, "half")
	return errors.Join(err, errors.New("broken"))
}

func TestWriteAllLosesNothing(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "out")
	if err := WriteAll(dir, sample()); err != nil {
		t.Fatal(err)
	}
	err := writeAll(dir, sample(), append([]Format{failing{}}, Formats()...))
	if err == nil || !strings.Contains(err.Error(), "write failing: broken") {
		t.Errorf("got %v", err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != len(Formats())+2 { // plots and documents have folders
		t.Errorf("got %v, %v", entries, err)
	}
	rec, err := ReadFile(filepath.Join(dir, "run.json"))
	if err != nil || len(rec.Scenarios) != len(sample().Scenarios) || rec.Verdict != metrics.Fail {
		t.Errorf("got %+v, %v", rec, err)
	}
}
