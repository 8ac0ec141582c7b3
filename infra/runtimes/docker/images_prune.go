package docker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/image"

	"github.com/nodefv/nodefv/infra/build"
)

// Image is an image of ours that the engine has.
type Image struct {
	Component string
	Ref       string // name and tag
	Size      int64  // bytes, shared layers included
	Created   time.Time
	Current   bool // it is what Ensure would return; also true if that can't be told
	InUse     bool // a container was made from it, running or not
}

// List returns our images, ordered by component and name. An image that a user built on one of ours is not ours, though it
// inherits the label: ours have a name of ours.
func (i *Images) List(ctx context.Context) ([]Image, error) {
	found, err := i.Client.ImageList(ctx, image.ListOptions{Filters: filters.NewArgs(filters.Arg("label", labelComponent))})
	if err != nil {
		return nil, fmt.Errorf("list images: %w", err)
	}
	containers, err := i.Client.ContainerList(ctx, container.ListOptions{All: true})
	if err != nil {
		return nil, fmt.Errorf("list images in use: %w", err)
	}
	used := map[string]bool{}
	for _, c := range containers {
		used[c.ImageID] = true
	}
	var images []Image
	for _, s := range found {
		component := s.Labels[labelComponent]
		for _, tag := range s.RepoTags {
			if !strings.HasPrefix(tag, repository+component+":") {
				continue
			}
			current, err := i.ref(component)
			if component == build.Driver { // what older releases made
				current, err = "", nil
			}
			images = append(images, Image{
				Component: component, Ref: tag, Size: s.Size, Created: time.Unix(s.Created, 0),
				Current: err != nil || tag == current, InUse: used[s.ID],
			})
		}
	}
	slices.SortFunc(images, func(a, b Image) int {
		return strings.Compare(a.Component+" "+a.Ref, b.Component+" "+b.Ref)
	})
	return images, nil
}

// Prune removes those of our images that are neither current nor in use, and returns what it removed.
func (i *Images) Prune(ctx context.Context) ([]Image, error) {
	images, err := i.List(ctx)
	if err != nil {
		return nil, err
	}
	// An image on which others stand can only go after them.
	slices.SortStableFunc(images, func(a, b Image) int { return rank(a) - rank(b) })
	var removed []Image
	var failed []error
	for _, img := range images {
		if img.Current || img.InUse {
			continue
		}
		gone, err := i.remove(ctx, img.Ref)
		if err != nil {
			failed = append(failed, err)
		}
		if gone {
			removed = append(removed, img)
		}
	}
	return removed, errors.Join(failed...)
}

func rank(img Image) int {
	if img.Component == build.Base {
		return 1
	}
	return 0
}

// remove removes an image; one that has come into use meanwhile stays, which is no error.
func (i *Images) remove(ctx context.Context, ref string) (bool, error) {
	_, err := i.Client.ImageRemove(ctx, ref, image.RemoveOptions{PruneChildren: true})
	switch {
	case err == nil:
		return true, nil
	case cerrdefs.IsNotFound(err), cerrdefs.IsConflict(err):
		return false, nil
	}
	return false, fmt.Errorf("remove image %s: %w", ref, err)
}
