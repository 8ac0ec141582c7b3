package metrics

import (
	"fmt"
	"math"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// digits is to how many significant digits a histogram knows its values.
const digits = 3

// Histogram is many values, of each to three digits how often it came. A nil one is empty. It is not safe for concurrent use.
type Histogram struct {
	Step float64 `json:"step"` // what one of HDR's units is worth in the measurement's unit: the resolution
	HDR  HDR     `json:"hdr"`  // the counts, as HdrHistogram encodes them (V2, compressed, base64)
}

// HDR counts values that are whole numbers. As text it has HdrHistogram's compressed encoding V2 in base64, which its libraries in all languages
// read.
type HDR struct{ h *hdrhistogram.Histogram }

// NewHistogram makes a histogram for values up to highest, in multiples of step.
func NewHistogram(step, highest float64) *Histogram {
	return &Histogram{Step: step, HDR: HDR{hdrhistogram.New(1, max(int64(math.Ceil(highest/step)), 2), digits)}}
}

// Record adds a value. One that is negative or above the highest is an error.
func (h *Histogram) Record(value float64) error {
	if value < 0 {
		return fmt.Errorf("record %g: it is negative", value)
	}
	if err := h.HDR.h.RecordValue(int64(math.Round(value / h.Step))); err != nil {
		return fmt.Errorf("record %g: %w", value, err)
	}
	return nil
}

// Reset forgets all values.
func (h *Histogram) Reset() { h.HDR.h.Reset() }

func (h *Histogram) count() int {
	if h == nil || h.HDR.h == nil {
		return 0
	}
	return int(h.HDR.h.TotalCount())
}

func (h *Histogram) quantile(q float64) float64 {
	return float64(h.HDR.h.ValueAtQuantile(100*q)) * h.Step
}

// plus returns the values of both.
func (h *Histogram) plus(o *Histogram) (*Histogram, error) {
	sum := &Histogram{Step: h.Step, HDR: HDR{h.HDR.h.Clone()}}
	if o.count() == 0 {
		return sum, nil
	}
	if h.Step != o.Step {
		return nil, fmt.Errorf("the histograms count in steps of %g and %g", h.Step, o.Step)
	}
	if lost := sum.HDR.h.Merge(o.HDR.h); lost > 0 {
		return nil, fmt.Errorf("%d values are beyond the histogram's highest", lost)
	}
	return sum, nil
}

// Count returns how many values there are.
func (d HDR) Count() int64 {
	if d.h == nil {
		return 0
	}
	return d.h.TotalCount()
}

// MarshalText encodes the counts.
func (d HDR) MarshalText() ([]byte, error) {
	return d.h.Encode(hdrhistogram.V2CompressedEncodingCookieBase)
}

// UnmarshalText reads what MarshalText wrote.
func (d *HDR) UnmarshalText(text []byte) (err error) {
	if d.h, err = hdrhistogram.Decode(text); err != nil {
		return fmt.Errorf("read a histogram: %w", err)
	}
	return nil
}
