package infra

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"k8s.io/client-go/tools/clientcmd"
)

// Access is how a running environment is reached.
type Access struct {
	Run        string `json:"run"`
	Server     string `json:"server"`     // URL of the API server
	Kubeconfig string `json:"kubeconfig"` // path of the administrator's
	Node       string `json:"node"`       // its name in the API
	Addr       string `json:"addr"`       // of the node
	Metrics    string `json:"metrics"`    // URL of the agent's
	Inside     bool   `json:"inside"`     // reached from inside alone: by fv exec
}

// Access returns how the environment is reached.
func (e *Environment) Access() Access {
	return accessTo(e.runtime, e.run, e.server, e.kubeconfigPath(), e.container(RoleNode).Addr(), e.facts())
}

// AccessOf returns how a run's environment is reached that may be of another process; an error if it is not up, or another user's.
func AccessOf(ctx context.Context, rt Runtime, r RunInfo) (Access, error) {
	facts, err := r.Facts()
	if err != nil {
		return Access{}, err
	}
	state, err := r.state()
	if err != nil {
		return Access{}, err
	}
	kubeconfig := filepath.Join(state, kubeconfigFile)
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return Access{}, fmt.Errorf("read kubeconfig: %w", err)
	}
	node, err := rt.Find(ctx, r.Run, RoleNode)
	if err != nil {
		return Access{}, err
	}
	return accessTo(rt, r.Run, config.Host, kubeconfig, node.Addr(), facts), nil
}

func accessTo(rt Runtime, run, server, kubeconfig string, node netip.Addr, facts TargetFacts) Access {
	_, inside := rt.(Dialer)
	return Access{Run: run, Server: server, Kubeconfig: kubeconfig, Node: nodeName, Addr: node.String(), Metrics: facts.metricsURL(node), Inside: inside}
}

// String tells a person.
func (a Access) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "run         %s\nAPI server  %s\nkubeconfig  %s\nnode        %s (%s)\nmetrics     %s\n", a.Run, a.Server, a.Kubeconfig, a.Node, a.Addr, a.Metrics)
	if a.Inside {
		fmt.Fprintf(&b, "from inside alone: bin/fv exec -t --run %s -- bash\n", a.Run) // and from there alone
	}
	fmt.Fprintf(&b, "removed by  bin/fv down %s\n", a.Run)
	return b.String()
}

// state is the run's state folder, which may be in another user's home.
func (r RunInfo) state() (string, error) {
	if r.State != "" {
		return r.State, nil
	}
	return StateFolder(r.Run)
}

// Facts returns how the run's target was started; an error if its state folder can't be read.
func (r RunInfo) Facts() (TargetFacts, error) {
	var facts TargetFacts
	state, err := r.state()
	if err != nil {
		return facts, err
	}
	data, err := os.ReadFile(filepath.Join(state, factsFile))
	if err != nil {
		return facts, fmt.Errorf("read how run %s was started: %w", r.Run, err)
	}
	return facts, json.Unmarshal(data, &facts)
}

// User returns the number of the user who made the run; false if it can't be known from here.
func (r RunInfo) User() (uint32, bool) {
	state, err := r.state()
	if err != nil {
		return 0, false
	}
	info, err := os.Stat(state)
	if err != nil {
		return 0, false
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, false
	}
	return stat.Uid, true
}
