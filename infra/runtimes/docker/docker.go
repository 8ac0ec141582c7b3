// Package docker runs containers on a Docker engine, from images that it builds, pulls and prunes.
//
// It owns everything of the engine's that has a label fv.run. It knows neither what the containers are for nor in which order they go.
package docker

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/versions"
	"github.com/docker/docker/client"
	"golang.org/x/sync/errgroup"

	"github.com/nodefv/nodefv/infra"
	"github.com/nodefv/nodefv/infra/build"
	"github.com/nodefv/nodefv/infra/lifecycle"
)

// The labels of everything that a run makes.
const (
	labelRun   = "fv.run"
	labelRole  = "fv.role"
	labelOwner = "fv.owner" // the process that made it
	labelState = "fv.state" // the folder of what a later process needs
)

// oldestAPI is the engine API of Docker 19.03, the oldest on which a process namespace can be joined and unmasked as
// needed here.
const oldestAPI = "1.40"

// Runtime runs containers on a Docker engine. It is safe for concurrent use.
type Runtime struct {
	Images *Images
	client *client.Client

	networks sync.Mutex // so that a run's network is made once
}

// New reaches the engine that the environment names (DOCKER_HOST), or the local one. Its errors are one line that
// says what to do.
func New(ctx context.Context, builder *build.Builder, overrides map[string]string) (*Runtime, error) {
	c, err := client.NewClientWithOpts(client.FromEnv, client.WithAPIVersionNegotiation())
	if err != nil {
		return nil, fmt.Errorf("set up the Docker client: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	ping, err := c.Ping(ctx)
	switch {
	case errors.Is(err, os.ErrPermission):
		return nil, fmt.Errorf("no permission to use the Docker engine at %s: join the group docker (usermod -aG docker $USER, then log in again) or use sudo", c.DaemonHost())
	case err != nil:
		return nil, fmt.Errorf("no Docker engine answers at %s: start it (systemctl start docker) or set DOCKER_HOST: %w", c.DaemonHost(), err)
	case versions.LessThan(ping.APIVersion, oldestAPI):
		return nil, fmt.Errorf("the Docker engine speaks API %s, %s is needed: upgrade it to 19.03 or later", ping.APIVersion, oldestAPI)
	}
	return &Runtime{client: c, Images: &Images{Client: c, Builder: builder, Overrides: overrides}}, nil
}

// Name returns "docker".
func (d *Runtime) Name() string { return "docker" }

// Prepare makes sure that the engine has the component's image.
func (d *Runtime) Prepare(ctx context.Context, component string) error {
	_, _, err := d.Images.Mounted(ctx, component)
	return err
}

// Describe returns the engine's version and API.
func (d *Runtime) Describe(ctx context.Context) (name, version string, err error) {
	v, err := d.client.ServerVersion(ctx)
	if err != nil {
		return "", "", fmt.Errorf("ask for the engine's version: %w", err)
	}
	return d.Name(), fmt.Sprintf("%s (API %s)", v.Version, d.client.ClientVersion()), nil
}

func labels(run, role string) map[string]string {
	state, _ := infra.StateFolder(run) // without a home nothing is kept
	return map[string]string{labelRun: run, labelRole: role, labelOwner: string(lifecycle.Self()), labelState: state}
}

func name(run, role string) string { return "fv-" + run + "-" + role }

// network makes the run's bridge network if there is none.
func (d *Runtime) network(ctx context.Context, run string) (string, error) {
	d.networks.Lock()
	defer d.networks.Unlock()
	name := "fv-" + run
	_, err := d.client.NetworkInspect(ctx, name, network.InspectOptions{})
	if err == nil {
		return name, nil
	}
	if !cerrdefs.IsNotFound(err) {
		return "", fmt.Errorf("look up network %s: %w", name, err)
	}
	_, err = d.client.NetworkCreate(ctx, name, network.CreateOptions{Driver: "bridge", Labels: labels(run, "network")})
	if err != nil {
		return "", fmt.Errorf("make network %s: %w; if no address pool is free, remove unused networks (docker network prune) or widen default-address-pools in the engine's configuration", name, err)
	}
	return name, nil
}

// Find returns the container of a role in a run, running or not.
func (d *Runtime) Find(ctx context.Context, run, role string) (infra.Container, error) {
	info, err := d.client.ContainerInspect(ctx, name(run, role))
	if cerrdefs.IsNotFound(err) {
		return nil, fmt.Errorf("container %s: %w", name(run, role), os.ErrNotExist)
	}
	if err != nil {
		return nil, fmt.Errorf("inspect container %s: %w", name(run, role), err)
	}
	return newContainer(d.client, info), nil
}

func ours(run string) filters.Args {
	if run == "" {
		return filters.NewArgs(filters.Arg("label", labelRun))
	}
	return filters.NewArgs(filters.Arg("label", labelRun+"="+run))
}

// Runs lists the runs of which containers or networks are left.
func (d *Runtime) Runs(ctx context.Context) ([]infra.RunInfo, error) {
	networks, err := d.client.NetworkList(ctx, network.ListOptions{Filters: ours("")})
	if err != nil {
		return nil, fmt.Errorf("list networks: %w", err)
	}
	containers, err := d.client.ContainerList(ctx, container.ListOptions{All: true, Filters: ours("")})
	if err != nil {
		return nil, fmt.Errorf("list containers: %w", err)
	}
	var runs []infra.RunInfo
	index := map[string]int{}
	see := func(labels map[string]string, created time.Time) *infra.RunInfo {
		run := labels[labelRun]
		i, ok := index[run]
		if !ok {
			i = len(runs)
			index[run] = i
			runs = append(runs, infra.RunInfo{Run: run, Created: created, Owner: lifecycle.Owner(labels[labelOwner]), State: labels[labelState]})
		}
		return &runs[i]
	}
	for _, n := range networks {
		see(n.Labels, n.Created)
	}
	for _, c := range containers {
		see(c.Labels, time.Unix(c.Created, 0)).Containers++
	}
	return runs, nil
}

// Sweep removes containers first, then networks, by their labels.
func (d *Runtime) Sweep(ctx context.Context, run string) error {
	containers, err := d.client.ContainerList(ctx, container.ListOptions{All: true, Filters: ours(run)})
	if err != nil {
		return fmt.Errorf("list containers: %w", err)
	}
	var group errgroup.Group
	group.SetLimit(8)
	for _, c := range containers {
		group.Go(func() error { return remove(ctx, d.client, c.ID) })
	}
	if err := group.Wait(); err != nil {
		return err
	}
	networks, err := d.client.NetworkList(ctx, network.ListOptions{Filters: ours(run)})
	if err != nil {
		return fmt.Errorf("list networks: %w", err)
	}
	var failed []error
	for _, n := range networks {
		if err := d.client.NetworkRemove(ctx, n.ID); err != nil && !cerrdefs.IsNotFound(err) {
			failed = append(failed, fmt.Errorf("remove network %s: %w", n.Name, err))
		}
	}
	return errors.Join(failed...)
}
