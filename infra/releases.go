package infra

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// OfferReleases lets a driver ask for other releases of the agent (AskMake, AskStartAs). make makes what a release is started from, if that
// is absent, and returns the component.
func (e *Environment) OfferReleases(releases []string, make func(ctx context.Context, release string) (component string, err error)) {
	e.releases, e.makeAgent = releases, make
}

// agentOf makes what a release of the agent is started from.
func (e *Environment) agentOf(ctx context.Context, release string) (component string, err error) {
	if !slices.Contains(e.releases, release) {
		return "", fmt.Errorf("there is no release %q of the agent; there are: %s", release, strings.Join(e.releases, ", "))
	}
	return e.makeAgent(ctx, release)
}

// startRelease starts the agent that was stopped, in another release, with the same files and the same environment.
func (e *Environment) startRelease(ctx context.Context, release string) error {
	component, err := e.agentOf(ctx, release)
	if err != nil {
		return err
	}
	e.become(component)
	return e.startAgent(ctx)
}

// become makes the agent one of another component once it is started again.
func (e *Environment) become(component string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	spec := e.specs[RoleAgent]
	if spec.Component == component {
		return
	}
	switch e.original {
	case "":
		e.original = spec.Component
	case component:
		e.original = ""
	}
	spec.Component = component
	e.specs[RoleAgent] = spec
}

// backToOriginal makes the agent again what it was before the driver asked for other releases. The environment may be used again.
func (e *Environment) backToOriginal(ctx context.Context) error {
	e.mu.Lock()
	original := e.original
	e.mu.Unlock()
	if original == "" {
		return nil
	}
	e.become(original)
	ctx, cancel := context.WithTimeoutCause(context.WithoutCancel(ctx), askBound, fmt.Errorf("it took more than %v", askBound))
	defer cancel()
	if err := e.restartAsked(ctx, RoleAgent); err != nil {
		return fmt.Errorf("start the agent's own release again: %w", err)
	}
	return nil
}
