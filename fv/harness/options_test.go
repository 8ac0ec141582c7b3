package harness

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nodefv/nodefv/infra"
	"github.com/nodefv/nodefv/infra/targets"
	"github.com/nodefv/nodefv/workloads/load"
)

func TestCheckAgentRefusesTwo(t *testing.T) {
	info := targets.All()[slices.IndexFunc(targets.All(), func(i targets.Info) bool { return len(i.Agent().Releases) > 1 })]
	agent := info.Agent()
	release := agent.Releases[0]
	for name, c := range map[string]struct {
		agent    infra.Choice
		binaries map[string]string
		images   map[string]string
		refused  string
	}{
		"nothing":                  {},
		"a release":                {agent: infra.Choice{Component: agent.Name, Release: release}},
		"a release and a binary":   {infra.Choice{Component: agent.Name, Release: release}, map[string]string{agent.Name: "/bin/true"}, nil, "both choose"},
		"a checkout and an image":  {infra.Choice{Component: agent.Name, Source: "/src"}, nil, map[string]string{agent.Name: "mine:1"}, "both choose"},
		"a checkout with CRDs":     {infra.Choice{Component: agent.Name, Source: "/src", CRDs: "/crds"}, nil, nil, "leave --crds out"},
		"CRDs of no image":         {infra.Choice{CRDs: InImage + "/crds"}, nil, nil, ImageVariable(agent)},
		"CRDs of an image":         {agent: infra.Choice{CRDs: InImage + "/crds"}, images: map[string]string{agent.Name: "mine:1"}},
		"a release nobody builds":  {infra.Choice{Component: agent.Name, Release: "v0"}, nil, nil, "there are " + agent.Releases[0]},
		"a release of another one": {infra.Choice{Component: "another", Release: "v1"}, nil, nil, "--target"},
	} {
		o := Options{Target: info.Name, Agent: c.agent, Binaries: c.binaries}
		err := checkAgent(o, agent, c.images)
		if (err != nil) != (c.refused != "") || err != nil && !strings.Contains(err.Error(), c.refused) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestRepeatRun(t *testing.T) {
	o := Options{
		Target: "agent", DataPlane: "nftables", Extras: []string{"proxy"}, Runtime: RuntimeLocal, Binaries: map[string]string{"etcd": "/bin/etcd"},
		Agent: infra.Choice{Component: "agent", Release: "v2"},
	}
	s := Suite{Seed: 7, Focus: "^churn$", Labels: "!slow", Params: map[string]string{"rate": "5", "cycles": "3"}}
	want := "bin/fv run --seed 7 --target agent --dataplane nftables --proxy --runtime local --etcd-binary '/bin/etcd' --agent-version 'v2' --cycles 3 --rate 5 --focus {focus}"
	if got := repeatRun(o, s); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestRepeatTraffic(t *testing.T) {
	lost, p99 := uint64(0), 20*time.Millisecond
	order := load.Order{
		Pods: 3, Spec: load.Spec{Protocol: load.UDP, Connections: 20, Rate: 2000, Duration: time.Minute, Closed: true}, Budget: load.Budget{Lost: &lost, P99: &p99},
	}
	want := "bin/fv traffic --pods 3 --protocol udp --connections 20 --rate 2000 --size 64 --for 1m0s --connect-rate 5000 --reconnects 0 " +
		"--reconnect-wait 100ms --late 100ms --give-up 1s --closed --max-lost 0 --p99 20ms"
	if got := repeatTraffic(order); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
