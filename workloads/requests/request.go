// Package requests says what HTTP requests are wanted, one by one or as a load, and what became of them. It is data and pure functions
// of it; package traffic/web makes the requests.
package requests

import (
	"net/netip"
	"time"

	"github.com/nodefv/nodefv/workloads"
)

// BackendHeader is the header by which an answer names the pod that gave it, as namespace/name.
const BackendHeader = "Fv-Backend"

// Headers by which a request says what it wants of a backend: how many bytes the answer's body has, and which status.
const (
	SizeHeader   = "Fv-Size"
	StatusHeader = "Fv-Status"
)

// Header is one header of a request.
type Header struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Request is one HTTP/1.1 request. What is zero has the value that the field's comment names.
type Request struct {
	From   workloads.Key  `json:"from,omitzero"`   // the pod that asks; the zero Key is the node
	Source netip.Addr     `json:"source,omitzero"` // invalid: the kernel chooses
	To     netip.AddrPort `json:"to"`

	TLS    bool   `json:"tls,omitempty"`    // any certificate is taken, see Answer.Certificate
	Server string `json:"server,omitempty"` // the name that TLS asks for (SNI); Host without its port

	Method  string        `json:"method,omitempty"` // GET
	Host    string        `json:"host,omitempty"`   // To, in words
	Path    string        `json:"path,omitempty"`   // with its query, sent as it is; "/"
	Headers []Header      `json:"headers,omitempty"`
	Body    []byte        `json:"body,omitempty"`
	Due     time.Time     `json:"due,omitzero"`     // not to be sent before; at once
	Timeout time.Duration `json:"timeout,omitzero"` // of all of it, from when it is begun; 10 s
	Keep    bool          `json:"keep,omitempty"`   // use a connection that stands, and let it stand
}

// Answer is what became of a request: either its Status or its Failure is set.
type Answer struct {
	Due      time.Time `json:"due"`               // when it was begun, if it says nothing else
	Sent     time.Time `json:"sent,omitzero"`     // its last byte was given to the kernel; zero: it never was
	First    time.Time `json:"first,omitzero"`    // the answer's first byte came; zero: none did
	Answered time.Time `json:"answered,omitzero"` // it was answered, or failed

	Status  int     `json:"status,omitempty"`
	Backend string  `json:"backend,omitempty"` // who answered, by BackendHeader; empty: it does not say, so no backend of ours
	Size    int64   `json:"size,omitempty"`    // of the body, as far as it came
	Failure Failure `json:"failure,omitempty"`
	Why     string  `json:"why,omitempty"` // of the failure, in the kernel's or a library's words

	Certificate []byte `json:"certificate,omitempty"` // what was served, the leaf in DER
	Reused      bool   `json:"reused,omitempty"`      // the connection stood before
	Again       bool   `json:"again,omitempty"`       // a connection that had stood was closed before a byte came, and it was asked once more on a new one
}

// Failure is how a request failed.
type Failure string

// The failures. Answer.Sent and Answer.First tell how far it had come.
const (
	Refused     Failure = "refused"        // the connection, by a reset or ICMP
	Unreachable Failure = "unreachable"    // the kernel knows no way
	Reset       Failure = "reset"          // the connection, by the other side
	Closed      Failure = "closed"         // the connection, in order, before the answer was complete
	TimedOut    Failure = "timed out"      // there was no complete answer in time
	Handshake   Failure = "TLS handshake"  // TLS could not be agreed on
	Garbled     Failure = "garbled"        // what came is no answer
	Other       Failure = "another error"  // Answer.Why has it
	Own         Failure = "not made"       // for want of something on our side: says nothing of whom was asked
	GaveUp      Failure = "given up by us" // the asker's context ended: says nothing either
)

// Ours reports whether the failure says nothing of whom was asked.
func (f Failure) Ours() bool { return f == Own || f == GaveUp }

// Took is how long the answer or failure took, from when the request was due.
func (a Answer) Took() time.Duration { return a.Answered.Sub(a.Due) }

// Served is what a backend has done.
type Served struct {
	Requests    uint64    `json:"requests"`
	Last        time.Time `json:"last,omitzero"` // request; zero: there was none
	Connections int       `json:"connections"`   // that stand
}
