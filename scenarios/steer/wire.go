package steer

import "time"

// Request is what is asked of a session over a connection, as a line of JSON.
type Request struct {
	ID    uint64 `json:"id"`
	Order *Order `json:"order,omitempty"` // nil: end the session
}

// Message is what a session says, as a line of JSON: one of its fields is set.
type Message struct {
	Answer *Answer `json:"answer,omitempty"`
	State  *State  `json:"state,omitempty"` // each half second
	Entry  *Entry  `json:"entry,omitempty"`
	Gauges *Gauges `json:"gauges,omitempty"` // each second
}

// Answer is what became of a request.
type Answer struct {
	ID    uint64 `json:"id"`
	Error string `json:"error,omitempty"`
}

// Gauges are what the agent holds. What could not be read is absent.
type Gauges struct {
	At        time.Time `json:"at"`
	Heap      *float64  `json:"heap,omitempty"` // bytes
	RSS       *float64  `json:"rss,omitempty"`  // bytes
	CPU       *float64  `json:"cpu,omitempty"`  // cores, children included
	Endpoints *float64  `json:"endpoints,omitempty"`
	InSync    *float64  `json:"inSync,omitempty"`
}

// SocketName is that of the socket in the record's folder on which a session listens.
const SocketName = "steer.sock"
