package docker

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/client"

	"github.com/nodefv/nodefv/infra/build"
)

const (
	// labelComponent is on each image of ours and says what it holds.
	labelComponent = "fv.component"
	repository     = "nodefv/"
	keyLen         = 12
	programFolder  = "/usr/local/bin"
	debianImage    = "debian:bookworm-slim"
	// registryBound is how long a registry may take to answer at all before the base comes from the machine's mirror.
	registryBound = 5 * time.Second
)

// Images makes sure that the engine has the image of a component. It is safe for concurrent use.
type Images struct {
	Client    *client.Client
	Builder   *build.Builder
	Overrides map[string]string // images that the user gave, by component; they are never built nor removed

	making sync.Mutex // components share the base
}

// Mounted returns the image in which a component runs, as Ensure does, and the folder of the host that is mounted at programFolder there;
// empty: none. That is the driver's: it is compiled often, and an image of each would fill the engine's disk.
func (i *Images) Mounted(ctx context.Context, component string) (ref, programs string, err error) {
	if component != build.Driver {
		ref, err = i.Ensure(ctx, component)
		return ref, "", err
	}
	artifact, err := i.Builder.Artifact(ctx, component)
	if err != nil {
		return "", "", err
	}
	ref, err = i.Ensure(ctx, build.Base)
	return ref, filepath.Join(artifact.Dir, "bin"), err
}

// Ensure returns a reference to the component's image, which the engine has from then on: the user's, pulled if it is not
// local, or ours, built if it is absent or its sources have changed.
func (i *Images) Ensure(ctx context.Context, component string) (ref string, err error) {
	if given := i.Overrides[component]; given != "" {
		return given, i.pull(ctx, component, given)
	}
	ref, err = i.ref(component)
	if err != nil {
		return "", err
	}
	if ok, err := i.has(ctx, ref); ok || err != nil {
		return ref, err
	}
	i.making.Lock()
	defer i.making.Unlock()
	unlock, err := i.Builder.Lock(ctx, component, "images") // another process would make the same at the same time
	if err != nil {
		return "", fmt.Errorf("image of %s: %w", component, err)
	}
	defer unlock()
	return ref, i.make(ctx, component, ref)
}

// ref returns the name that the component's image has as its sources, and those of what it stands on, are now.
func (i *Images) ref(component string) (string, error) {
	key, err := i.Builder.Key(component)
	if err != nil {
		return "", err
	}
	onBase, err := i.onBase(component)
	if err != nil {
		return "", err
	}
	if onBase {
		base, err := i.baseKey()
		if err != nil {
			return "", err
		}
		sum := sha256.Sum256([]byte(key + base))
		key = hex.EncodeToString(sum[:])
	}
	return repository + component + ":" + key[:keyLen], nil
}

func (i *Images) baseKey() (string, error) {
	if given := i.Overrides[build.Base]; given != "" {
		return given, nil
	}
	return i.Builder.Key(build.Base)
}

// onBase says whether the component's Dockerfile starts from the base image.
func (i *Images) onBase(component string) (bool, error) {
	data, err := os.ReadFile(filepath.Join(i.Builder.Root, "docker", component, "Dockerfile"))
	if err != nil {
		return false, fmt.Errorf("image of %s: %w", component, err)
	}
	return strings.Contains(string(data), "${BASE}"), nil
}

func (i *Images) has(ctx context.Context, ref string) (bool, error) {
	_, err := i.Client.ImageInspect(ctx, ref)
	if cerrdefs.IsNotFound(err) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("look for image %s: %w", ref, err)
	}
	return true, nil
}

// make makes one image of ours; i.making is held.
func (i *Images) make(ctx context.Context, component, ref string) error {
	if ok, err := i.has(ctx, ref); ok || err != nil {
		return err
	}
	if component == build.Base {
		return i.makeBase(ctx, ref)
	}
	onBase, err := i.onBase(component)
	if err != nil {
		return err
	}
	args := map[string]*string{}
	if onBase {
		base := i.Overrides[build.Base]
		if base != "" {
			err = i.pull(ctx, build.Base, base)
		} else if base, err = i.ref(build.Base); err == nil {
			err = i.make(ctx, build.Base, base)
		}
		if err != nil {
			return err
		}
		args["BASE"] = &base
	}
	return i.buildImage(ctx, component, ref, args)
}

// makeBase builds the base image from Debian's if that is to be had, and imports a root file system otherwise.
func (i *Images) makeBase(ctx context.Context, ref string) error {
	var pulled error
	if ok, err := i.has(ctx, debianImage); err != nil {
		return err
	} else if !ok {
		pulled = i.fetch(ctx, build.Base, debianImage, registryBound)
	}
	if pulled == nil {
		if pulled = i.buildImage(ctx, build.Base, ref, nil); pulled == nil {
			return nil
		}
	}
	if ctx.Err() != nil {
		return fmt.Errorf("image of %s: %w", build.Base, context.Cause(ctx))
	}
	tar, _, err := i.Builder.Rootfs(ctx)
	if err != nil {
		return fmt.Errorf("image of %s: %w (and not from %s: %w)", build.Base, err, debianImage, pulled)
	}
	return i.importRootfs(ctx, tar, ref)
}

func (i *Images) importRootfs(ctx context.Context, tar, ref string) error {
	defer i.Builder.Step(build.Base, "import image")()
	f, err := os.Open(tar)
	if err != nil {
		return fmt.Errorf("import %s: %w", ref, err)
	}
	defer f.Close()
	out, err := i.Client.ImageImport(ctx, image.ImportSource{Source: f, SourceName: "-"}, ref, image.ImportOptions{
		Changes: []string{
			"ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
			"LABEL " + labelComponent + "=" + build.Base,
		},
	})
	if err == nil {
		defer out.Close()
		err = readStream(out)
	}
	if err != nil {
		return fmt.Errorf("import %s: %w", ref, err)
	}
	return nil
}
