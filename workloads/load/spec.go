// Package load says what continuous traffic is wanted, and what became of it: messages, connections and times in which
// nothing was answered. It is data and no more; package traffic/continuous makes the traffic.
package load

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/nodefv/nodefv/workloads"
)

// Protocol is what messages travel in.
type Protocol string

// The protocols. UDP loses, duplicates and reorders; the others only stall and end.
const (
	TCP  Protocol = "tcp"
	UDP  Protocol = "udp"
	HTTP Protocol = "http" // 1.1, with connections that are kept
)

// Spec is the traffic that is wanted. What is zero has the value that the field's comment names.
type Spec struct {
	Pairs   []Pair          `json:"pairs"`   // connections are spread over them evenly
	Servers []workloads.Key `json:"servers"` // the pods that answer, on all ports of the pairs; the zero Key is the node

	Protocol    Protocol      `json:"protocol"`           // TCP
	Connections int           `json:"connections"`        // 1
	Rate        float64       `json:"rate"`               // messages a second, of all connections together; 100
	Size        int           `json:"size"`               // bytes of a message's payload; 64, and at least MinSize
	Duration    time.Duration `json:"duration"`           // from when all connections were begun; 0: until Stop
	Closed      bool          `json:"closed,omitempty"`   // closed loop: a connection sends when it has its answer, and Rate is not heeded
	Idle        bool          `json:"idle,omitempty"`     // connections say nothing until the end, and then prove by one message that they live
	Capacity    bool          `json:"capacity,omitempty"` // try first what it could be at most: see Report.Capacity

	ConnectRate    float64       `json:"connectRate"`         // connections begun a second; 5000
	ConnectTimeout time.Duration `json:"connectTimeout"`      // 5 s
	Reconnects     int           `json:"reconnects"`          // how often at most one connection is begun again after it ended; 0: never
	ReconnectWait  time.Duration `json:"reconnectWait"`       // from its end; 100 ms
	Elsewhere      bool          `json:"elsewhere,omitempty"` // one that is begun again is to any of the pairs from its source, as drawn, whose server is there
	Seed           uint64        `json:"seed,omitempty"`      // of what is drawn
	Late           time.Duration `json:"late"`                // an answer that comes later after its message was due is late; 100 ms
	GiveUp         time.Duration `json:"giveUp"`              // a datagram without an answer for so long is lost, and the end waits so long; 1 s
}

// Pair is where a connection comes from and what it is to.
type Pair struct {
	From   workloads.Key  `json:"from"`   // the zero Key is the node
	Source netip.Addr     `json:"source"` // invalid: the kernel chooses
	To     netip.AddrPort `json:"to"`     // a server's address, or one that leads to servers
}

// MinSize is the smallest message: it says whose it is and which.
const MinSize = 16

const maxUDP = 65_507 // the payload of the largest IPv4 datagram

// WithDefaults returns the spec with what is zero filled in.
func (s Spec) WithDefaults() Spec {
	def(&s.Protocol, TCP)
	def(&s.Connections, 1)
	def(&s.Rate, 100)
	def(&s.Size, 64)
	def(&s.ConnectRate, 5000)
	def(&s.ConnectTimeout, 5*time.Second)
	def(&s.ReconnectWait, 100*time.Millisecond)
	def(&s.Late, 100*time.Millisecond)
	def(&s.GiveUp, time.Second)
	return s
}

func def[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// Check says what is wrong with the traffic that is wanted, all at once.
func (s Spec) Check() error {
	s = s.WithDefaults()
	var errs []error
	wrong := func(bad bool, format string, args ...any) {
		if bad {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	wrong(len(s.Pairs) == 0, "nobody to talk: there is no pair")
	wrong(s.Protocol != TCP && s.Protocol != UDP && s.Protocol != HTTP, "protocol %q: must be %s, %s or %s", s.Protocol, TCP, UDP, HTTP)
	wrong(s.Connections < 0, "%d connections", s.Connections)
	wrong(!(s.Rate > 0 && s.Rate < 1e7), "a rate of %g messages a second", s.Rate)
	wrong(!(s.ConnectRate > 0), "%g connections a second", s.ConnectRate)
	wrong(s.Size < MinSize, "messages of %d bytes: they have at least %d", s.Size, MinSize)
	wrong(s.Protocol == UDP && s.Size > maxUDP, "datagrams of %d bytes: they have at most %d", s.Size, maxUDP)
	wrong(s.Reconnects < 0 || s.Duration < 0 || s.ConnectTimeout < 0 || s.ReconnectWait < 0 || s.Late < 0 || s.GiveUp < 0, "a time or number is negative")
	wrong(s.Idle && s.Closed, "idle connections have no loop that could be closed")
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("traffic: %w", err)
	}
	return nil
}

// Interval is how far the messages of one connection are apart by the clock; 0: no clock says.
func (s Spec) Interval() time.Duration {
	if s.Idle || s.Closed {
		return 0
	}
	return time.Duration(float64(s.Connections) / s.Rate * float64(time.Second))
}
