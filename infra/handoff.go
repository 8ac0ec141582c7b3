package infra

import (
	"encoding/json"
	"fmt"
	"os"
)

// HandoffVersion is the layout of a Handoff; the driver refuses another.
const HandoffVersion = 2

// HandoffEnv names the environment variable that holds the path of the handoff in the driver's container.
const HandoffEnv = "FV_HANDOFF"

// ControlEnv names the variable whose value is an order to the driver that is at work on this node. A driver that is started with it passes
// the order on, prints the answer and ends; as JSON if the variable ControlJSONEnv names is set.
const (
	ControlEnv     = "FV_CONTROL"
	ControlJSONEnv = "FV_CONTROL_JSON"
)

// Handoff is the whole contract between harness and driver: one JSON file.
type Handoff struct {
	Version    int               `json:"version"`
	Run        string            `json:"run"`
	Seed       uint64            `json:"seed"`
	Kubeconfig string            `json:"kubeconfig"` // path in the driver's container
	Node       string            `json:"node"`
	NodeAddr   string            `json:"node_addr"`
	Etcd       string            `json:"etcd"` // path of an EtcdAccess in the driver's container
	Target     TargetFacts       `json:"target"`
	Out        string            `json:"out"`                   // directory for the record, in the driver's container
	Parameters map[string]string `json:"parameters,omitempty"`  // scenario parameters set by the user
	Command    string            `json:"command"`               // repeats the run; {focus} stands where a scenario's name goes
	Fault      string            `json:"fault,omitempty"`       // of scenarios/faults: the suite is that fault and nothing else
	Fuzz       json.RawMessage   `json:"fuzz,omitempty"`        // of scenarios/fuzz: the suite is that order and nothing else
	Traffic    json.RawMessage   `json:"traffic,omitempty"`     // of workloads/load: the suite is that order and nothing else
	Steer      json.RawMessage   `json:"steer,omitempty"`       // of scenarios/steer: the suite is that stage and nothing else
	Leak       json.RawMessage   `json:"leak,omitempty"`        // of scenarios/leak: the suite is that order and nothing else
	Obeyed     bool              `json:"obeyed,omitempty"`      // the harness does what the driver asks for: AskRestart, AskStop, AskStart, AskDeath
	Releases   []string          `json:"releases,omitempty"`    // of the agent, that the harness can start (AskStartAs), first the one that runs
	QuickFirst bool              `json:"quick_first,omitempty"` // scenarios that take long come last
	Live       bool              `json:"live"`                  // write status lines (LivePrefix) on stdout
}

// LivePrefix begins a line of the driver's output that is a status for the live line and nothing else.
const LivePrefix = "\x1ffv-live "

// ReadHandoff reads and checks the handoff at path.
func ReadHandoff(path string) (Handoff, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return Handoff{}, fmt.Errorf("read handoff: %w", err)
	}
	var h Handoff
	if err := json.Unmarshal(data, &h); err != nil {
		return Handoff{}, fmt.Errorf("read handoff %s: %w", path, err)
	}
	if h.Version != HandoffVersion {
		return Handoff{}, fmt.Errorf("handoff %s has version %d, this driver reads %d: rebuild harness and driver together", path, h.Version, HandoffVersion)
	}
	return h, nil
}
