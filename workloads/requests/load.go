package requests

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/nodefv/nodefv/workloads"
)

// Load is many requests that are wanted, at a constant rate, whatever becomes of them. What is zero has the value that the field's comment
// names.
type Load struct {
	From []Origin         `json:"from,omitempty"` // connections are spread over them evenly; the node
	To   []netip.AddrPort `json:"to"`             // and over these, such as several proxies
	Mix  []Ask            `json:"mix"`            // what is asked, in turn

	Connections int           `json:"connections"`       // that are kept and ask; 1
	Idle        int           `json:"idle,omitempty"`    // besides, that ask once as they are begun, and then only stay open
	Rate        float64       `json:"rate,omitempty"`    // requests a second, of all connections together
	Closed      bool          `json:"closed,omitempty"`  // closed loop: a connection asks when it is answered, and Rate is not heeded. Latency then hides what a stall delays.
	Size        int           `json:"size,omitempty"`    // bytes of an answer's body; the backend's own
	TLS         bool          `json:"tls,omitempty"`     // each connection makes a whole handshake
	Server      string        `json:"server,omitempty"`  // the name that TLS asks for; the host of the first of the mix
	Duration    time.Duration `json:"duration"`          // from when all connections stand
	Timeout     time.Duration `json:"timeout,omitempty"` // without an answer a request has failed, and its connection is closed; 5 s
	ConnectRate float64       `json:"connectRate"`       // connections begun a second; 5000
	Processes   int           `json:"processes"`         // that ask, one thread each; as many as the limit of open files needs
}

// Origin is where connections come from.
type Origin struct {
	Pod    workloads.Key `json:"pod,omitzero"`    // the zero Key is the node
	Source netip.Addr    `json:"source,omitzero"` // invalid: the kernel chooses
}

// Ask is what is asked, and who may answer.
type Ask struct {
	Method   string   `json:"method,omitempty"` // GET
	Host     string   `json:"host,omitempty"`   // where the connection is to
	Path     string   `json:"path,omitempty"`   // "/"
	Headers  []Header `json:"headers,omitempty"`
	Status   int      `json:"status,omitempty"`   // that is wanted; 200
	Backends []string `json:"backends,omitempty"` // that may answer, as BackendHeader names them; empty: any
}

// WithDefaults returns the load with what is zero filled in, but for Processes.
func (l Load) WithDefaults() Load {
	def(&l.Connections, 1)
	def(&l.Timeout, 5*time.Second)
	def(&l.ConnectRate, 5000)
	if len(l.From) == 0 {
		l.From = []Origin{{}}
	}
	return l
}

func def[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// Check says what is wrong with the load that is wanted, all at once.
func (l Load) Check() error {
	l = l.WithDefaults()
	var errs []error
	wrong := func(bad bool, format string, args ...any) {
		if bad {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	wrong(len(l.To) == 0, "nobody to ask: no address is named")
	wrong(len(l.Mix) == 0, "nothing to ask: the mix is empty")
	wrong(l.Connections < 1 || l.Idle < 0, "%d connections, %d idle", l.Connections, l.Idle)
	wrong(!l.Closed && !(l.Rate > 0 && l.Rate < 1e7), "a rate of %g requests a second", l.Rate)
	wrong(!(l.ConnectRate > 0), "%g connections a second", l.ConnectRate)
	wrong(l.Duration < time.Second, "a duration of %v: it has at least a second", l.Duration)
	wrong(l.Timeout < 0 || l.Size < 0 || l.Processes < 0, "a time or number is negative")
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("load of requests: %w", err)
	}
	return nil
}

// Ports is how many connections one source may have to one destination, at most, by the range of ports that the kernel takes them from.
func (l Load) Ports() int {
	l = l.WithDefaults()
	ways := len(l.From) * len(l.To)
	return (l.Connections + l.Idle + ways - 1) / ways
}
