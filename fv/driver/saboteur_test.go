package driver

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/nodefv/nodefv/infra"
	"github.com/nodefv/nodefv/infra/targets"
	"github.com/nodefv/nodefv/metrics"
)

// measured is a target that has one gauge.
type measured struct{ targets.Target }

func (measured) Gauges() map[metrics.Gauge]metrics.Selector {
	return map[metrics.Gauge]metrics.Selector{metrics.Endpoints: {Metric: "endpoints"}}
}

func TestLieAddsToOneGauge(t *testing.T) {
	truth := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, "# TYPE endpoints gauge\nendpoints 5\nendpoints_others 7")
	}))
	defer truth.Close()
	at, err := url.Parse(truth.URL)
	if err != nil {
		t.Fatal(err)
	}
	port, err := strconv.Atoi(at.Port())
	if err != nil {
		t.Fatal(err)
	}
	d := New(infra.Handoff{Target: infra.TargetFacts{MetricsPort: port}}, io.Discard)
	d.target = measured{}
	defer func() {
		if err := d.Close(context.Background()); err != nil {
			t.Error(err)
		}
	}()
	if err := (saboteur{d}).Lie(t.Context(), metrics.HeapBytes, 1); err == nil {
		t.Error("it lies about a gauge that there is not")
	}
	if err := (saboteur{d}).Lie(t.Context(), metrics.Endpoints, 2); err != nil {
		t.Fatal(err)
	}
	got, err := d.gauges.Scrape(t.Context())
	if err != nil || got[metrics.Endpoints] != 7 {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestSaboteurTellsWhyACommandFailed(t *testing.T) {
	s := saboteur{New(infra.Handoff{}, io.Discard)}
	if out, err := s.Run(t.Context(), "sh", "-c", "echo said"); err != nil || string(out) != "said\n" {
		t.Errorf("%q, %v", out, err)
	}
	if _, err := s.Run(t.Context(), "sh", "-c", "echo why >&2; exit 3"); err == nil || !strings.Contains(err.Error(), "why") {
		t.Errorf("error %v", err)
	}
}
