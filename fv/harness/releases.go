package harness

import (
	"cmp"
	"context"

	"github.com/nodefv/nodefv/infra/build"
	"github.com/nodefv/nodefv/infra/targets"
)

// releases are those of the agent that can be started in each other's place, the one that runs first, with what makes one and returns its
// component. There are none for an agent of the user's own, or one that has no others.
func (h *Harness) releases(o Options) ([]string, func(ctx context.Context, release string) (component string, err error)) {
	info, err := targets.Find(o.Target)
	if err != nil {
		return nil, nil
	}
	agent := info.Agent()
	if len(agent.Releases) < 2 || o.Agent.Source != "" || h.cfg.Images[agent.Name] != "" || h.builder.Overrides[agent.Name] != "" {
		return nil, nil
	}
	chosen := cmp.Or(o.Agent.Release, agent.Releases[len(agent.Releases)-1])
	all := []string{chosen}
	for _, r := range agent.Releases {
		if r != chosen {
			all = append(all, r)
		}
	}
	return all, func(ctx context.Context, release string) (string, error) {
		component := agent.Name
		if release != chosen {
			component = build.At(agent.Name, release)
		}
		return component, h.runtime.Prepare(ctx, component)
	}
}
