package report

import "time"

// The words of a ViolationClass.
const (
	IPv4    = "IPv4"
	IPv6    = "IPv6"
	Dropped = "dropped"
	Passed  = "passed"
)

// ViolationClass is what known issues tell violations apart by.
type ViolationClass struct {
	Family   string `json:"family,omitempty"`   // "IPv4" or "IPv6"
	Protocol string `json:"protocol,omitempty"` // "TCP" or "UDP"; of requests "HTTP" or "HTTPS"
	Met      string `json:"met,omitempty"`      // what became of the packets: "dropped" or "passed"; of requests "wrong backend", a status or how it failed
	After    string `json:"after,omitempty"`    // the change before it, such as "delete pod"
	// Within bounds how long one lasted, in seconds: see Lasting. Absent: it is not told.
	Within int `json:"within,omitempty"`
}

// Lasting is the bound of what lasted so long: the least power of two, in seconds. So violations of many lengths are of few classes.
func Lasting(long time.Duration) int {
	for bound := 1; ; bound *= 2 {
		if long <= time.Duration(bound)*time.Second {
			return bound
		}
	}
}

// matches reports whether violations of the class are as a pattern says.
func (c ViolationClass) matches(pattern ViolationClass) bool {
	agrees := func(is, wanted string) bool { return wanted == "" || is == wanted }
	short := pattern.Within == 0 || c.Within > 0 && c.Within <= pattern.Within
	return short && agrees(c.Family, pattern.Family) && agrees(c.Protocol, pattern.Protocol) && agrees(c.Met, pattern.Met) && agrees(c.After, pattern.After)
}

// ViolationCount says how many violations of a class there are.
type ViolationCount struct {
	ViolationClass
	Violations int `json:"violations"` // rows of packets
	Packets    int `json:"packets"`    // in all of them
}

// Violation is a row of packets of one flow, or of requests of one route, that met a verdict that was not legal.
type Violation struct {
	ViolationClass
	Flow    FlowEnds      `json:"flow"`              // of all packets
	Request string        `json:"request,omitempty"` // that was asked again and again; then what is told of packets is told of these requests
	Legal   string        `json:"legal"`             // the one verdict that was legal when they were sent: "dropped" or "passed"; of requests what may have answered
	Answers []string      `json:"answers,omitempty"` // of requests, what answered instead, at most 20
	Packets int           `json:"packets"`           // how many they are
	Times   []Packet      `json:"times,omitempty"`   // of the first of them, at most 20
	Changes []ModelChange `json:"changes,omitempty"` // of the model, begun before the first packet and not long in force, at most 20, in their order
}

// FlowEnds is who talked with whom.
type FlowEnds struct {
	From     FlowEnd `json:"from"`     // who sent it
	To       FlowEnd `json:"to"`       // to whom
	Protocol string  `json:"protocol"` // "TCP" or "UDP"
	Port     int     `json:"port"`     // of the receiver
}

// FlowEnd is one end of a flow.
type FlowEnd struct {
	Pod    string `json:"pod"`              // namespace/name, or "node"
	Addr   string `json:"addr"`             // its address
	Remote bool   `json:"remote,omitempty"` // it is on another node
}

// Packet says when a packet was on its way.
type Packet struct {
	Sent time.Time `json:"sent"` // before it was given to the kernel
	Gone time.Time `json:"gone"` // after that; of one by UDP that arrived, after it arrived
}

// ModelChange is one of the model, and when it held.
type ModelChange struct {
	Verb         string    `json:"verb"`                  // such as "delete pod"
	Parts        int       `json:"parts"`                 // how many pods, namespaces and policies it moved
	Concerns     []string  `json:"concerns,omitempty"`    // those of them that the verdict on the flow follows from, such as "Pod a/b", at most 20
	Begun        time.Time `json:"begun"`                 // the write began
	Acknowledged time.Time `json:"acknowledged,omitzero"` // the API had it; absent: it was still being written, or the agent was away
	InForce      time.Time `json:"in_force,omitzero"`     // it was seen to hold; absent: not yet
}
