package docker

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"

	"github.com/nodefv/nodefv/infra/lifecycle"
)

// Files returns a folder that holds what the component's image has at a path: the file, or the files right below the folder. It is
// kept in the builder's cache. Nothing of the image is run.
func (i *Images) Files(ctx context.Context, component, from string) (dir string, err error) {
	ref, err := i.Ensure(ctx, component)
	if err != nil {
		return "", err
	}
	info, err := i.Client.ImageInspect(ctx, ref)
	if err != nil {
		return "", fmt.Errorf("look for image %s: %w", ref, err)
	}
	key := fmt.Sprintf("%x", sha256.Sum256([]byte(info.ID+from)))[:keyLen]
	dir, err = i.Builder.Entry(ctx, "image-files", key, func(tmp string) error { return i.copyOut(ctx, ref, from, tmp) })
	if err != nil {
		return "", fmt.Errorf("take %s from image %s: %w", from, ref, err)
	}
	return dir, nil
}

// copyOut copies files of an image into a folder. The engine reads them from a container only, which is never started; if this process is
// killed before it is removed, the next run removes it.
func (i *Images) copyOut(ctx context.Context, ref, from, to string) (err error) {
	run := "files-" + string(lifecycle.Self())
	made, err := i.Client.ContainerCreate(ctx, &container.Config{Image: ref, Cmd: []string{"-"}, Labels: labels(run, "files")}, nil, nil, nil, "")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, remove(context.WithoutCancel(ctx), i.Client, made.ID)) }()
	archive, _, err := i.Client.CopyFromContainer(ctx, made.ID, from)
	if cerrdefs.IsNotFound(err) {
		return errors.New("there is nothing of that name in it")
	}
	if err != nil {
		return err
	}
	defer archive.Close()
	return unpackFlat(archive, to)
}

// unpackFlat writes an archive's files, but none below a folder of its one folder.
func unpackFlat(archive io.Reader, to string) error {
	files := 0
	for r := tar.NewReader(archive); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		if name := path.Clean(h.Name); h.Typeflag != tar.TypeReg || path.Dir(path.Dir(name)) != "." {
			continue
		}
		files++
		f, err := os.OpenFile(filepath.Join(to, path.Base(h.Name)), os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o644)
		if err != nil {
			return err
		}
		_, err = io.Copy(f, r)
		if err = errors.Join(err, f.Close()); err != nil {
			return err
		}
	}
	if files == 0 {
		return errors.New("it holds no file")
	}
	return nil
}
