package steer

import (
	"net/netip"
	"time"

	"github.com/nodefv/nodefv/metrics"
	"github.com/nodefv/nodefv/workloads/load"
)

// State is how all stands, in short names. Shares are from 0 to 1, times in JSON in nanoseconds. Rates and delays are of the time since the
// state before.
type State struct {
	At          time.Time      `json:"at"`
	Since       time.Duration  `json:"since"` // the session began
	Nodes       []Node         `json:"nodes"`
	Namespaces  []string       `json:"namespaces"`
	Pods        []Pod          `json:"pods"`
	Policies    []PolicyState  `json:"policies"`
	Traffic     []TrafficState `json:"traffic"`
	Links       []Link         `json:"links"`
	Connections []Connection   `json:"connections"`
	Impairments []Impaired     `json:"impairments"`
	Churn       []ChurnState   `json:"churn"`
	Away        string         `json:"away,omitempty"` // what is done to the agent now
	Trouble     string         `json:"trouble,omitempty"`
}

// Node is a node of the cluster.
type Node struct {
	Name  string     `json:"name"`
	IP    netip.Addr `json:"ip,omitzero"`
	Local bool       `json:"local"` // the agent runs there
}

// Pod is a workload.
type Pod struct {
	Name      string            `json:"name"`
	Namespace string            `json:"namespace"`
	Node      string            `json:"node"`
	IPs       []netip.Addr      `json:"ips"`
	Labels    map[string]string `json:"labels"`
	Churned   bool              `json:"churned,omitempty"` // it comes and goes
}

// PolicyState is a policy in force.
type PolicyState struct {
	Name   string `json:"name"` // namespace/name
	Churns bool   `json:"churns,omitempty"`
}

// TrafficState is traffic under way.
type TrafficState struct {
	Traffic
	Words  string `json:"words"`
	Number int    `json:"number"`         // of connections
	Over   bool   `json:"over,omitempty"` // it has ended by itself
}

// Link is who talks with whom.
type Link struct {
	From        string        `json:"from"`
	To          string        `json:"to"`
	Protocol    load.Protocol `json:"protocol"`
	Connections int           `json:"connections"`
	Standing    int           `json:"standing"`
	Verdict     Verdict       `json:"verdict"`
	Want        string        `json:"want"`
	Got         string        `json:"got"`
	Why         string        `json:"why,omitempty"`
	Impaired    bool          `json:"impaired,omitempty"`
	Path
}

// Path is how good a link or a connection is.
type Path struct {
	Rate float64       `json:"rate"` // answers a second
	Loss float64       `json:"loss"` // share of messages; of what became certain since the state before
	N    int           `json:"n"`    // answers that the delays are of
	P50  time.Duration `json:"p50"`  // from when a message was due until its answer
	P99  time.Duration `json:"p99"`
}

// Verdict is what a new connection on a link meets, beside what the policies say.
type Verdict string

// The verdicts.
const (
	Passes  Verdict = "passes"  // as it must
	Dropped Verdict = "dropped" // as it must be
	Wrong   Verdict = "wrong"   // not as the policies say, for longer than an agent needs
	Unsure  Verdict = "unsure"  // the agent may still be at work, or the path is impaired, or nothing was tried yet
)

// Connection is one of traffic.
type Connection struct {
	ID          string        `json:"id"` // traffic#number
	Traffic     string        `json:"traffic"`
	Number      int           `json:"number"`
	From        string        `json:"from"`
	To          string        `json:"to"`
	Protocol    load.Protocol `json:"protocol"`
	Local       string        `json:"local"`
	Remote      string        `json:"remote"`
	Server      string        `json:"server,omitempty"`
	Stands      bool          `json:"stands"`
	Again       int           `json:"again,omitempty"` // how often it was begun again
	Cause       load.Cause    `json:"cause,omitempty"`
	Sent        uint64        `json:"sent"`
	Answered    uint64        `json:"answered"`
	Lost        uint64        `json:"lost"`
	Retransmits uint32        `json:"retransmits,omitempty"`
	Impairment  string        `json:"impairment,omitempty"` // of this connection alone
	Path
}

// Impaired is an impairment in force.
type Impaired struct {
	Impair
	Words   string  `json:"words"`
	Foreign bool    `json:"foreign,omitempty"` // set by `fv impair`
	Ways    []Proof `json:"ways"`              // one for each direction
}

// Proof is what was done in one direction of a link, as the kernel counted it.
type Proof struct {
	Pod     string          `json:"pod"` // or which link of the node
	In      bool            `json:"in"`  // what the pod receives; else what it sends
	Packets uint64          `json:"packets"`
	Lost    uint64          `json:"lost"`
	Claims  []metrics.Claim `json:"claims"`
}

// ChurnState is churn that goes on.
type ChurnState struct {
	Churn
	Cycles int    `json:"cycles"`
	Made   int    `json:"made"`
	Error  string `json:"error,omitempty"`
}
