package page

import (
	"encoding/json"
	"math"
	"strconv"
)

// Seconds is a time since the run began. In JSON it is exact to the millisecond.
type Seconds float64

// MarshalJSON writes milliseconds as a fraction.
func (s Seconds) MarshalJSON() ([]byte, error) {
	return strconv.AppendFloat(nil, math.Round(float64(s)*1000)/1000, 'f', -1, 64), nil
}

// Points are what was sampled in the run: series over the same times.
type Points struct {
	Began   int64     `json:"began"` // the run, in milliseconds since 1970
	Times   []Seconds `json:"times"` // ascending
	Series  []Series  `json:"series"`
	Gaps    []int     `json:"gaps"`    // which of the points lack something that could not be read
	Settled []int     `json:"settled"` // which of the points were taken once the target had come to rest
}

// Series are the values of one gauge.
type Series struct {
	Name   string `json:"name"`  // as in the record
	Title  string `json:"title"` // for people
	Unit   string `json:"unit"`  // "bytes", "seconds", "cores" or "": a count
	Values Values `json:"values"`
}

// Values has one value for each time; NaN where there is none.
type Values []float64

// MarshalJSON writes null where there is no value.
func (v Values) MarshalJSON() ([]byte, error) {
	out := append(make([]byte, 0, 8*len(v)+2), '[')
	for i, x := range v {
		if i > 0 {
			out = append(out, ',')
		}
		if math.IsNaN(x) {
			out = append(out, "null"...)
		} else {
			out = strconv.AppendFloat(out, x, 'g', -1, 64)
		}
	}
	return append(out, ']'), nil
}

// Timeline is what went on for a time: lanes of bars, the rate of changes, and below them all series of the run for that time.
type Timeline struct {
	From  Seconds `json:"from"`
	To    Seconds `json:"to"`
	Lanes []Lane  `json:"lanes"`
	Rates Rates   `json:"rates"`
	Marks []Bar   `json:"marks"` // that are drawn over every plot
	// Measured are plots of what was measured in that time, one for each name.
	Measured []Measures `json:"measured,omitempty"`
}

// Measures are values of what was measured, over the times at which what was measured began.
type Measures struct {
	Title string    `json:"title"`
	Unit  string    `json:"unit"` // as in Series, or as it is shown
	Lines []Measure `json:"lines"`
	More  int       `json:"more,omitempty"` // lines that are not shown
}

// Measure are the values of one combination of labels.
type Measure struct {
	Name   string    `json:"name"`
	Times  []Seconds `json:"times"` // ascending
	Values Values    `json:"values"`
	Apart  bool      `json:"apart,omitempty"` // each stands for itself; else they are one quantity over time
}

// Lane is a row of bars.
type Lane struct {
	Name string `json:"name"`
	Bars []Bar  `json:"bars"`
}

// Bar is something that took from one time to another, which may be the same. Its kind names its colour: a verdict, "step", "operation",
// "excused", "event" or "gap".
type Bar struct {
	From, To Seconds
	Kind     string
	Text     string
	Label    bool // the text is written on the bar, where there is room
}

// MarshalJSON writes a bar as a list, for there are many.
func (b Bar) MarshalJSON() ([]byte, error) {
	list := []any{b.From, b.To, b.Kind, b.Text}
	if b.Label {
		list = append(list, 1)
	}
	return json.Marshal(list)
}

// Rates is how many objects were changed a second, in equal parts of the time.
type Rates struct {
	Width  Seconds `json:"width"`
	Values Values  `json:"values"`
}
