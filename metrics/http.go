package metrics

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"strings"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

const (
	httpTimeout = 4 * time.Second // a program that counts every allocation, on a busy machine, may take three
	httpMaxBody = 64 << 20
)

// HTTP reads gauges from a text exposition, as Prometheus would. It is safe for concurrent use.
type HTTP struct {
	url     string
	gauges  map[Gauge]Selector
	client  *http.Client
	timeout time.Duration
}

// NewHTTP returns a source that reads gauges at url. A scrape takes four seconds and 64 MiB at most. A gauge without
// a matching series, or whose value is not a finite number, is absent from the Snapshot.
func NewHTTP(url string, gauges map[Gauge]Selector) *HTTP {
	return &HTTP{
		url: url, gauges: gauges, timeout: httpTimeout,
		client: &http.Client{
			// Compression would cost the SUT CPU that is then blamed on it, and a proxy has no business here.
			Transport:     &http.Transport{DisableCompression: true, MaxIdleConns: 2, IdleConnTimeout: time.Minute},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

// Name returns the address that is scraped.
func (h *HTTP) Name() string { return h.url }

// Scrape reads the exposition once. Its errors are one line.
func (h *HTTP) Scrape(ctx context.Context) (Snapshot, error) {
	bound, cancel := context.WithTimeout(ctx, h.timeout)
	defer cancel()
	snap, err := h.scrape(bound)
	switch {
	case err == nil:
		return snap, nil
	case ctx.Err() == nil && bound.Err() != nil:
		return nil, fmt.Errorf("scrape %s: no whole answer within %v", h.url, h.timeout)
	}
	return nil, fmt.Errorf("scrape %s: %s", h.url, oneLine(err))
}

func (h *HTTP) scrape(ctx context.Context) (Snapshot, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, h.url, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "text/plain;version=0.0.4")
	resp, err := h.client.Do(req)
	if err != nil {
		return nil, errors.Unwrap(err) // the url.Error around it only repeats the address
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("status %s", resp.Status)
	}
	snap, err := readExposition(resp.Body, httpMaxBody, h.gauges)
	if ct := resp.Header.Get("Content-Type"); err != nil && strings.HasPrefix(ct, "text/html") {
		return nil, fmt.Errorf("not a metrics endpoint: it answers with %s: %w", ct, err)
	}
	return snap, err
}

func readExposition(r io.Reader, limit int64, gauges map[Gauge]Selector) (Snapshot, error) {
	limited := &io.LimitedReader{R: r, N: limit + 1}
	families, err := parse(limited)
	switch {
	case limited.N <= 0:
		return nil, fmt.Errorf("more than %d MiB", limit>>20)
	case err != nil:
		return nil, err
	case len(families) == 0:
		return nil, errors.New("the answer holds no metric")
	}
	snap := Snapshot{}
	for gauge, sel := range gauges {
		if v, ok := sel.read(families); ok {
			snap[gauge] = v
		}
	}
	return snap, nil
}

// parse turns a panic into an error: prometheus/common v0.67.5 dereferences nil on braces without a metric name, such
// as "{}0", and a SUT that answers with nonsense must not end the driver.
func parse(r io.Reader) (families map[string]*dto.MetricFamily, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			families, err = nil, fmt.Errorf("text format parser: %v", cause)
		}
	}()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	return parser.TextToMetricFamilies(r)
}

func (s Selector) read(families map[string]*dto.MetricFamily) (float64, bool) {
	sum, found := 0.0, false
	for _, m := range families[s.Metric].GetMetric() {
		if v, ok := value(m); ok && s.matches(m) {
			sum, found = sum+v, true
		}
	}
	if !found || math.IsNaN(sum) || math.IsInf(sum, 0) {
		return 0, false
	}
	if s.OneWhen != nil {
		if sum == *s.OneWhen {
			return 1, true
		}
		return 0, true
	}
	return sum, true
}

func (s Selector) matches(m *dto.Metric) bool {
	matched := 0
	for _, l := range m.GetLabel() {
		if want, ok := s.Labels[l.GetName()]; ok && want == l.GetValue() {
			matched++
		}
	}
	return matched == len(s.Labels)
}

// value reads single numbers only: a histogram or a summary is no gauge.
func value(m *dto.Metric) (float64, bool) {
	switch {
	case m.Gauge != nil:
		return m.Gauge.GetValue(), true
	case m.Counter != nil:
		return m.Counter.GetValue(), true
	case m.Untyped != nil:
		return m.Untyped.GetValue(), true
	}
	return 0, false
}

func oneLine(err error) string {
	s := strings.Join(strings.Fields(err.Error()), " ")
	if len(s) > 300 {
		return strings.ToValidUTF8(s[:300], "") + "…"
	}
	return s
}
