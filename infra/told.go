package infra

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/nodefv/nodefv/metrics"
)

// toldPrefix begins a line of the driver's output that is for the user. All else that it says is for its log.
const toldPrefix = "\x1ffv-told "

// Told is what the driver tells the user: the end of a scenario, or a remark.
type Told struct {
	Scenario string          `json:"scenario,omitempty"` // that has ended
	Verdict  metrics.Verdict `json:"verdict,omitempty"`
	Took     time.Duration   `json:"took_ns,omitempty"`
	Number   int             `json:"number,omitempty"` // of the scenario, from 1
	Of       int             `json:"of,omitempty"`     // how many there are; 0: not known
	Remark   string          `json:"remark,omitempty"`
}

// Tell writes what is told as a line of the driver's output.
func (t Told) Tell(out io.Writer) {
	data, err := json.Marshal(t)
	if err != nil {
		data, _ = json.Marshal(Told{Remark: err.Error()}) // a string is always written
	}
	fmt.Fprintf(out, "%s%s\n", toldPrefix, data)
}

// ReadTold reads such a line, which another program may have begun; false if it is none.
func ReadTold(line []byte) (t Told, ok bool) {
	_, data, ok := bytes.Cut(line, []byte(toldPrefix))
	return t, ok && json.Unmarshal(data, &t) == nil
}
