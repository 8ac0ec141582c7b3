package docker

import (
	"archive/tar"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	dockerbuild "github.com/docker/docker/api/types/build"
	"github.com/docker/docker/api/types/image"

	"github.com/nodefv/nodefv/infra/build"
)

// outputTail is how many of a failed build's last lines go into its error.
const outputTail = 20

// buildImage builds the component's image with the engine's classic builder, which needs neither a registry nor BuildKit.
func (i *Images) buildImage(ctx context.Context, component, ref string, args map[string]*string) error {
	artifact, err := i.Builder.Artifact(ctx, component)
	if err != nil {
		return err
	}
	defer i.Builder.Step(component, "build image")()
	name, _ := build.Split(component)
	r, w := io.Pipe()
	defer r.Close()
	go func() { w.CloseWithError(writeContext(w, artifact)) }()
	res, err := i.Client.ImageBuild(ctx, r, dockerbuild.ImageBuildOptions{
		Version:     dockerbuild.BuilderV1,
		Tags:        []string{ref},
		BuildArgs:   args,
		Labels:      map[string]string{labelComponent: name},
		Remove:      true,
		ForceRemove: true,
	})
	if err == nil {
		defer res.Body.Close()
		err = readStream(res.Body)
	}
	if err != nil {
		return fmt.Errorf("build image %s: %w", ref, err)
	}
	return nil
}

// writeContext writes the artifact's folder as a build context. Times are left out, so that equal files give equal layers.
func writeContext(w io.Writer, artifact build.Artifact) error {
	out := tar.NewWriter(w)
	err := filepath.Walk(artifact.Dir, func(path string, info os.FileInfo, err error) error {
		if err != nil || path == artifact.Dir {
			return err
		}
		return addFile(out, artifact.Dir, path, info)
	})
	if err != nil {
		return fmt.Errorf("pack %s: %w", artifact.Dir, err)
	}
	return out.Close()
}

func addFile(out *tar.Writer, root, path string, info os.FileInfo) error {
	var link string
	if info.Mode()&os.ModeSymlink != 0 {
		var err error
		if link, err = os.Readlink(path); err != nil {
			return err
		}
	}
	h, err := tar.FileInfoHeader(info, link)
	if err != nil {
		return err
	}
	rel, err := filepath.Rel(root, path)
	if err != nil {
		return err
	}
	h.Name = filepath.ToSlash(rel)
	h.ModTime, h.Uid, h.Gid, h.Uname, h.Gname = time.Unix(0, 0), 0, 0, "", ""
	if err := out.WriteHeader(h); err != nil || !info.Mode().IsRegular() {
		return err
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.Copy(out, f)
	return err
}

// pull makes sure that an image of the user's is local.
func (i *Images) pull(ctx context.Context, component, ref string) error {
	if ok, err := i.has(ctx, ref); ok || err != nil {
		return err
	}
	err := i.fetch(ctx, component, ref, 0)
	if err != nil {
		return fmt.Errorf("image %s for %s is not local and can't be pulled (%w): docker pull or docker load it, or check its name", ref, component, err)
	}
	return nil
}

// fetch pulls an image; a bound above 0 is how long the registry may take to answer.
func (i *Images) fetch(ctx context.Context, component, ref string, bound time.Duration) error {
	defer i.Builder.Step(component, "pull "+ref)()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	if bound > 0 {
		late := time.AfterFunc(bound, func() { cancel(fmt.Errorf("no answer from the registry within %v", bound)) })
		defer late.Stop()
		return i.transfer(ctx, ref, func() { late.Stop() })
	}
	return i.transfer(ctx, ref, func() {})
}

// transfer pulls ref and calls answered once the registry has.
func (i *Images) transfer(ctx context.Context, ref string, answered func()) error {
	out, err := i.Client.ImagePull(ctx, ref, image.PullOptions{})
	if err == nil {
		defer out.Close()
		err = readStream(&firstRead{Reader: out, do: answered})
	}
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// firstRead calls do at the first data.
type firstRead struct {
	io.Reader
	do func()
}

func (f *firstRead) Read(p []byte) (int, error) {
	n, err := f.Reader.Read(p)
	if n > 0 {
		f.do()
	}
	return n, err
}

// readStream reads an engine's progress to its end. A failure stands in it, after a status that said success.
func readStream(r io.Reader) error {
	var lines []string
	for messages := json.NewDecoder(r); ; {
		var m struct {
			Stream string `json:"stream"`
			Error  string `json:"error"`
		}
		if err := messages.Decode(&m); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("read the engine's answer: %w", err)
		}
		if m.Error != "" {
			return errors.New(strings.TrimSpace(m.Error + "\n" + strings.Join(lines, "\n")))
		}
		if line := strings.TrimSpace(m.Stream); line != "" {
			lines = append(lines, line)
			lines = lines[max(0, len(lines)-outputTail):]
		}
	}
}
