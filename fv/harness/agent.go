package harness

import (
	"context"
	"path/filepath"
	"strings"

	"github.com/nodefv/nodefv/infra"
	"github.com/nodefv/nodefv/infra/targets"
)

// buildCheckout builds the agent from the checkout, if one was given.
func (h *Harness) buildCheckout(ctx context.Context, o Options) error {
	if o.Agent.Source == "" {
		return nil
	}
	made, err := h.builder.FromSource(ctx, o.Agent.Component, o.Agent.Source)
	if err != nil {
		return err
	}
	h.builder.Overrides[o.Agent.Component], h.manifests = made.Binary, made.Exports
	return nil
}

// making is how an environment with these options is made.
func (h *Harness) making(o Options) infra.Making {
	return infra.Making{Runtime: h.runtime.Name(), Binaries: h.builder.Overrides, Agent: o.Agent}
}

// agentManifests are those of the checkout, those that were given, or else of the release that is built, whoever's binary or image is run.
func (h *Harness) agentManifests(ctx context.Context, agent targets.Component, o Options) ([]string, error) {
	if !agent.CRDs {
		return nil, nil
	}
	if h.manifests != nil {
		return h.manifests, nil
	}
	if from, ok := strings.CutPrefix(o.Agent.CRDs, InImage); ok {
		dir, err := h.docker.Images.Files(ctx, agent.Name, from)
		return []string{dir}, err
	}
	if o.Agent.CRDs != "" {
		return []string{o.Agent.CRDs}, nil
	}
	built, err := h.builder.Artifact(ctx, agent.Name)
	return []string{filepath.Join(built.Dir, "manifests")}, err
}

// builtRelease is the release of a component that is built here; empty: it is the user's own.
func (h *Harness) builtRelease(component string) string {
	if h.cfg.Images[component] != "" || h.builder.Overrides[component] != "" {
		return ""
	}
	return h.builder.Release(component)
}

// newTarget makes the SUT's side of the harness.
func (h *Harness) newTarget(ctx context.Context, o Options) (targets.Target, error) {
	info, err := targets.Find(o.Target)
	if err != nil {
		return nil, usage(err)
	}
	manifests, err := h.agentManifests(ctx, info.Agent(), o)
	if err != nil {
		return nil, usage(err)
	}
	target, err := targets.New(o.Target, targets.Options{
		Version: h.builtRelease(info.Agent().Name), DataPlane: o.DataPlane, Extras: o.Extras, Manifests: manifests, Command: h.cfg.Commands[info.Agent().Name],
		Settings: o.Settings, Env: o.Env, Memory: o.Memory,
	})
	return target, usage(err)
}
