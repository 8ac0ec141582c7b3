package infra

import "encoding/json"

// ImpairOrder is what `fv impair` asks of the driver that is at work on the node (see ControlEnv): to make a link worse, to say what is in
// force, to end that, or to list what there is to impair.
type ImpairOrder struct {
	Do      string          `json:"do"`                // set, show, clear or list
	Pod     string          `json:"pod,omitempty"`     // namespace/name, or Uplink or API; show and clear: empty means all
	Name    string          `json:"name,omitempty"`    // of the impairment
	Both    bool            `json:"both,omitempty"`    // set: in both directions, by the names Name-out and Name-in
	Replace bool            `json:"replace,omitempty"` // set: what is not said is not as it was but nothing
	Classic string          `json:"classic,omitempty"` // set: a filter as tcpdump -ddd prints it
	Asked   json.RawMessage `json:"asked,omitempty"`   // set: an impair.Impairment of which what is not said stays as it was
}

// What stands for a pod in an order that is about the node's own links.
const (
	Uplink = "uplink" // all that the node and its pods say to others and hear of them
	API    = "api"    // what the agent says to the API server and hears of it
)
