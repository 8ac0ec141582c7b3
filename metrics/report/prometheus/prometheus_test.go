package prometheus

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nodefv/nodefv/metrics"
	"github.com/nodefv/nodefv/metrics/report"
)

var recordDir = flag.String("record", "", "folder of a record that is imported, instead of one that is made up")

// tool finds a program of Prometheus, or skips the test.
func tool(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err == nil {
		return path
	}
	why := name + " is not here: apt-get install prometheus"
	if slices.Contains(strings.Split(os.Getenv("FV_REQUIRE"), ","), "prometheus") {
		t.Fatal(why)
	}
	t.Skip(why)
	return ""
}

// record is one of five minutes in which everything was read and measured.
func record(t *testing.T) report.Record {
	t.Helper()
	if *recordDir != "" {
		rec, err := report.ReadFile(filepath.Join(*recordDir, report.JSON{}.File()))
		if err != nil {
			t.Fatal(err)
		}
		return rec
	}
	begun := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	at := func(seconds int) time.Time { return begun.Add(time.Duration(seconds) * time.Second) }
	sc := report.Scenario{
		Name: "churn", Started: at(1), Ended: at(299), Verdict: metrics.Pass, Validity: "degraded: the clock was set",
		Measurements: []metrics.Measurement{{
			Name: "enforcement", Unit: metrics.Seconds, Labels: []metrics.Label{{Name: "operation", Value: "policy added"}, {Name: "verdict", Value: "deny"}},
			Samples: []metrics.Sample{{At: at(20), Value: 0.04}, {At: at(30), Value: 0.06}},
		}},
	}
	rec := report.Record{Schema: report.Schema, Run: report.Run{ID: "made-up", Started: begun, Ended: at(300)}, Scenarios: []report.Scenario{sc}}
	gauges := []metrics.Gauge{
		metrics.HeapBytes, metrics.RSSBytes, metrics.CPUSeconds, metrics.Goroutines, metrics.Threads, metrics.FDs, metrics.Endpoints, metrics.LocalEndpoints, metrics.Rules,
		metrics.Chains, metrics.IPSets,
	}
	for i := range 300 {
		p := metrics.Point{At: at(i), Phase: metrics.Phase{Scenario: "churn", Step: "churn"}, Values: metrics.Snapshot{}}
		for _, g := range gauges {
			p.Values[g] = float64(1000 + i)
		}
		rec.Points = append(rec.Points, p)
		v := metrics.Vitals{At: at(i), Took: time.Second}
		driver, machine := v, v
		driver.Driver, machine.Machine = &metrics.DriverVitals{Lost: time.Second / 10, CPU: 0.2}, &metrics.MachineVitals{Capacity: 2, Ours: 1, Foreign: 0.5, Steal: 0.1}
		rec.Vitals = append(rec.Vitals, driver, machine)
	}
	return rec
}

// dashboard is what of docs/grafana-dashboard.json asks something.
type dashboard struct {
	Panels []struct {
		Title   string
		Targets []struct{ Expr string }
	}
	Templating struct {
		List []struct{ Name, Definition string }
	}
	Annotations struct{ List []struct{ Name, Expr string } }
}

// TestEveryPanelHasData imports a run as the docs say, and wants data for every query of the dashboard, and the record's own figures.
func TestEveryPanelHasData(t *testing.T) {
	rec := record(t)
	server := serve(t, rec)
	text, err := os.ReadFile("../../../docs/grafana-dashboard.json")
	if err != nil {
		t.Fatal(err)
	}
	var d dashboard
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	if len(d.Panels) == 0 {
		t.Fatal("the dashboard has no panels")
	}
	asked := func(what, expr string) {
		expr = strings.NewReplacer("$run", ".*", "$scenario", ".*").Replace(expr)
		if n := len(server.series(t, rec, expr)); n == 0 {
			t.Errorf("%s: no data for %s", what, expr)
		} else {
			t.Logf("%s: %d series", what, n)
		}
	}
	for _, p := range d.Panels {
		for _, target := range p.Targets {
			asked(p.Title, target.Expr)
		}
	}
	for _, v := range d.Templating.List {
		if v.Definition != "" {
			selector, _, _ := strings.Cut(strings.TrimPrefix(v.Definition, "label_values("), ", ")
			asked("variable "+v.Name, selector)
		}
	}
	for _, a := range d.Annotations.List {
		if report.Degraded(rec.Validity) || *recordDir == "" {
			asked("annotation "+a.Name, a.Expr)
		}
	}
	if n := len(server.series(t, rec, `fv_no_such_gauge`)); n != 0 {
		t.Errorf("there are %d series of what is not in the record: the other answers mean nothing", n)
	}
	last := 0.0
	for _, p := range rec.Points {
		if v, ok := p.Values[metrics.RSSBytes]; ok {
			last = max(last, v)
		}
	}
	got := server.series(t, rec, "max(max_over_time(fv_rss_bytes[24h]))")
	if n := len(got); n != 1 || got[0].Values[len(got[0].Values)-1][1] != fmt.Sprint(int(last)) {
		t.Errorf("the highest RSS is %v, want %.0f", got, last)
	}
}

// prometheus is a server, by its address.
type prometheus string

// serve imports a record and starts a server on it, which ends with the test.
func serve(t *testing.T, rec report.Record) prometheus {
	t.Helper()
	server, promtool, dir := tool(t, "prometheus"), tool(t, "promtool"), t.TempDir()
	om, data := filepath.Join(dir, "metrics.om"), filepath.Join(dir, "data")
	file, err := os.Create(om)
	if err == nil {
		err = report.OpenMetrics{}.Write(file, rec)
	}
	if err != nil {
		t.Fatal(err)
	}
	_ = file.Close()
	if out, err := exec.Command(promtool, "tsdb", "create-blocks-from", "openmetrics", om, data).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := listener.Addr().String()
	_ = listener.Close()
	cmd := exec.Command(server, "--storage.tsdb.path", data, "--storage.tsdb.retention.time", "10y", "--config.file", "/dev/null", "--web.listen-address", addr)
	var log strings.Builder
	cmd.Stdout, cmd.Stderr, cmd.SysProcAttr = &log, &log, &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { _ = cmd.Wait(); close(ended) }()
	t.Cleanup(func() { _ = cmd.Process.Kill(); <-ended })
	p := prometheus("http://" + addr)
	for {
		if response, err := http.Get(string(p) + "/-/ready"); err == nil {
			_ = response.Body.Close()
			if response.StatusCode == http.StatusOK {
				return p
			}
		}
		select {
		case <-ended:
			t.Fatalf("prometheus ended: %s", log.String())
		case <-t.Context().Done():
			t.Fatal("prometheus is not ready")
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// series is one answer: pairs of a time and a value.
type series struct {
	Metric map[string]string
	Values [][2]any
}

// series asks a query over the time of the run.
func (p prometheus) series(t *testing.T, rec report.Record, query string) []series {
	t.Helper()
	from, to := rec.Points[0].At, rec.Points[len(rec.Points)-1].At.Add(time.Minute)
	ask := url.Values{"query": {query}, "start": {fmt.Sprint(from.Unix())}, "end": {fmt.Sprint(to.Unix())}, "step": {"5"}}
	response, err := http.PostForm(string(p)+"/api/v1/query_range", ask)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	var answer struct {
		Status, Error string
		Data          struct{ Result []series }
	}
	if err := json.Unmarshal(body, &answer); err != nil || answer.Status != "success" {
		t.Fatalf("%s: %v %s", query, err, body)
	}
	return answer.Data.Result
}
