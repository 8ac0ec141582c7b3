package metrics

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

const exposition = `# HELP felix_resync_state Current datastore state.
# TYPE felix_resync_state gauge
felix_resync_state 3
# TYPE felix_cluster_num_workload_endpoints gauge
felix_cluster_num_workload_endpoints 17
# TYPE felix_cluster_num_workload_endpoints_other gauge
felix_cluster_num_workload_endpoints_other 400
# TYPE errors counter
errors{kind="a",table="x"} 1
errors{kind="a",table="y"} 2
errors{kind="b",table="x"} 4
# TYPE nan gauge
nan NaN
# TYPE latency summary
latency{quantile="0.5"} 1
latency_sum 3
latency_count 2
`

var three = 3.0

func serve(t *testing.T, h http.HandlerFunc) string {
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	return srv.URL
}

func TestHTTPReads(t *testing.T) {
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if enc := r.Header.Get("Accept-Encoding"); enc != "" {
			t.Errorf("asks for encoding %q", enc)
		}
		fmt.Fprint(w, exposition)
	})
	four := 4.0
	got, err := NewHTTP(url, map[Gauge]Selector{
		InSync:         {Metric: "felix_resync_state", OneWhen: &three},
		"not in sync":  {Metric: "felix_resync_state", OneWhen: &four},
		Endpoints:      {Metric: "felix_cluster_num_workload_endpoints"},
		LocalEndpoints: {Metric: "felix_cluster_num_workload"},
		"sum":          {Metric: "errors"},
		"kind a":       {Metric: "errors", Labels: map[string]string{"kind": "a"}},
		"kind c":       {Metric: "errors", Labels: map[string]string{"kind": "c"}},
		"no label":     {Metric: "errors", Labels: map[string]string{"kind": "a", "none": ""}},
		"nan":          {Metric: "nan"},
		"summary":      {Metric: "latency"},
	}).Scrape(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := Snapshot{InSync: 1, "not in sync": 0, Endpoints: 17, "sum": 7, "kind a": 3}
	if !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestHTTPRefuses(t *testing.T) {
	body := func(contentType, s string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", contentType)
			fmt.Fprint(w, s)
		}
	}
	for name, c := range map[string]struct {
		handler http.HandlerFunc
		want    string
	}{
		"nonsense":  {body("text/plain", "%%%\n\x00\n"), "parsing error in line 1"},
		"no name":   {body("text/plain", "{}0"), "text format parser"},
		"html":      {body("text/html", "<html>\n<body>\n"), "not a metrics endpoint"},
		"empty":     {body("text/plain", ""), "holds no metric"},
		"truncated": {body("text/plain", "a 1\nb 2"), "unexpected end of input"},
		"status":    {http.NotFound, "status 404"},
		"redirect":  {http.RedirectHandler("/x", http.StatusFound).ServeHTTP, "status 302"},
		"silent":    {func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, "no whole answer within 100ms"},
		"stalled": {func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprint(w, "a 1\n")
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		}, "no whole answer within 100ms"},
	} {
		t.Run(name, func(t *testing.T) {
			h := NewHTTP(serve(t, c.handler), nil)
			if strings.HasPrefix(c.want, "no whole answer") { // a busy machine takes its time for what answers
				h.timeout = 100 * time.Millisecond
			}
			snap, err := h.Scrape(t.Context())
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") || snap != nil {
				t.Errorf("got %v, %v, want one line with %q", snap, err, c.want)
			}
		})
	}
}

func TestHTTPUnreachable(t *testing.T) {
	srv := httptest.NewServer(http.NotFoundHandler())
	srv.Close()
	if _, err := NewHTTP(srv.URL, nil).Scrape(t.Context()); err == nil || !strings.Contains(err.Error(), "refused") {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := NewHTTP(srv.URL, nil).Scrape(ctx); err == nil || !strings.Contains(err.Error(), "canceled") {
		t.Errorf("got %v", err)
	}
}

func TestExpositionIsBounded(t *testing.T) {
	_, err := readExposition(strings.NewReader(strings.Repeat("a 1\n", 1000)), 100, nil)
	if err == nil || !strings.Contains(err.Error(), "more than") {
		t.Errorf("got %v", err)
	}
	if _, err := readExposition(strings.NewReader("a 1\n"), 4, nil); err != nil {
		t.Errorf("a body as long as the limit: %v", err)
	}
}

func FuzzReadExposition(f *testing.F) {
	for _, s := range []string{exposition, "", "<html>", "a{b=\"c\"} 1 2\n", "a 1\na 1\n", "a{\"b\"} 1\n", "{\"x.y\",l=\"1\"} 1\n", "a{} +Inf\na{} -Inf\n"} {
		f.Add(s)
	}
	gauges := map[Gauge]Selector{"a": {Metric: "a"}, "b": {Metric: "a", Labels: map[string]string{"b": "c"}}, "c": {Metric: "errors", OneWhen: &three}}
	f.Fuzz(func(t *testing.T, s string) {
		snap, err := readExposition(strings.NewReader(s), 1<<16, gauges)
		if err != nil && strings.Contains(oneLine(err), "\n") {
			t.Errorf("error of several lines: %q", err)
		}
		for g, v := range snap {
			if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
				t.Errorf("%s = %v with error %v", g, v, err)
			}
		}
	})
}

func TestOneLineIsBounded(t *testing.T) {
	if s := oneLine(errors.New(strings.Repeat("é\n", 500))); len(s) > 310 || strings.Contains(s, "\n") {
		t.Errorf("got %q", s)
	}
}
