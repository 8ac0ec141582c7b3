package docker

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/api/types/network"

	"github.com/nodefv/nodefv/infra"
	"github.com/nodefv/nodefv/infra/build"
)

// engine returns the runtime and a run of the test's own, of which nothing may be left when it ends.
func engine(t *testing.T) (*Runtime, string) {
	t.Helper()
	images := engineImages(t)
	d := &Runtime{Images: images, client: images.Client}
	run := fmt.Sprintf("test-%d-%d", os.Getpid(), time.Now().UnixNano()%1e6)
	t.Cleanup(func() {
		if err := d.Sweep(context.Background(), run); err != nil {
			t.Error(err)
		}
	})
	return d, run
}

// left lists what the engine has of a run, by its labels.
func left(t *testing.T, d *Runtime, run string) []string {
	t.Helper()
	containers, err := d.client.ContainerList(t.Context(), container.ListOptions{All: true, Filters: ours(run)})
	if err != nil {
		t.Fatal(err)
	}
	networks, err := d.client.NetworkList(t.Context(), network.ListOptions{Filters: ours(run)})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, c := range containers {
		names = append(names, c.Names...)
	}
	for _, n := range networks {
		names = append(names, n.Name)
	}
	return names
}

func TestDockerStartThatFailsLeavesNothing(t *testing.T) {
	d, run := engine(t)
	spec := infra.Spec{Run: run, Role: infra.RoleNode, Component: build.Node, Command: []string{"no-such-program"}}
	if _, err := d.Start(t.Context(), spec); !errors.Is(err, infra.ErrNoProgram) || !strings.Contains(err.Error(), "no-such-program") {
		t.Errorf("error %v", err)
	}
	if names := left(t, d, run); !slices.Equal(names, []string{"fv-" + run}) { // the network is the run's, not the container's
		t.Errorf("left %v", names)
	}
}

// TestDriverThatIsCompiledAgain wants the new one to run, and no image for it.
func TestDriverThatIsCompiledAgain(t *testing.T) {
	d, run := engine(t)
	d.Images.Builder.Cache = t.TempDir() // it is dropped with it
	if err := d.Prepare(t.Context(), build.Base); err != nil {
		t.Fatal(err)
	}
	before, err := d.client.ImageList(t.Context(), image.ListOptions{All: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, says := range []string{"one", "two"} {
		write(t, d.Images.Builder.Driver, "#!/bin/sh\necho "+says+"\n")
		c, err := d.Start(t.Context(), infra.Spec{Run: run, Role: infra.RoleDriver, Component: build.Driver, Command: []string{"fv.test"}})
		if err != nil {
			t.Fatal(err)
		}
		var log bytes.Buffer
		if err := c.Logs(t.Context(), &log, true); err != nil || log.String() != says+"\n" {
			t.Errorf("the driver says %q, %v; want %q", log.String(), err, says)
		}
		if err := c.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	}
	after, err := d.client.ImageList(t.Context(), image.ListOptions{All: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, img := range after {
		old := func(i image.Summary) bool { return i.ID == img.ID }
		if component := img.Labels[labelComponent]; !slices.ContainsFunc(before, old) && (component == build.Driver || component == build.Base) {
			t.Errorf("image %v of %d bytes is new", img.RepoTags, img.Size)
		}
	}
}
