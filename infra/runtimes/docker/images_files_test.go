package docker

import (
	"archive/tar"
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/container"

	"github.com/nodefv/nodefv/infra/build"
	"github.com/nodefv/nodefv/infra/lifecycle"
)

func TestUnpackFlat(t *testing.T) {
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	for name, kind := range map[string]byte{
		"crds/": tar.TypeDir, "crds/a.yaml": tar.TypeReg, "crds/link": tar.TypeSymlink, "crds/more/": tar.TypeDir, "crds/more/b.yaml": tar.TypeReg,
	} {
		h := &tar.Header{Name: name, Typeflag: kind, Mode: 0o600}
		if kind == tar.TypeReg {
			h.Size = int64(len(name))
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if kind == tar.TypeReg {
			_, _ = w.Write([]byte(name))
		}
	}
	_ = w.Close()
	dir := t.TempDir()
	if err := unpackFlat(&archive, dir); err != nil {
		t.Fatal(err)
	}
	got, _ := filepath.Glob(filepath.Join(dir, "*"))
	if data, _ := os.ReadFile(filepath.Join(dir, "a.yaml")); len(got) != 1 || string(data) != "crds/a.yaml" {
		t.Errorf("got %v, a.yaml holds %q", got, data)
	}
	if err := unpackFlat(&bytes.Buffer{}, dir); err == nil {
		t.Error("an archive without a file: no error")
	}
}

func TestFilesOfAnImage(t *testing.T) {
	i := engineImages(t)
	dir, err := i.Files(t.Context(), build.Base, "/etc/debian_version")
	if err != nil {
		t.Fatal(err)
	}
	if data, err := os.ReadFile(filepath.Join(dir, "debian_version")); err != nil || len(data) == 0 {
		t.Errorf("got %q, %v", data, err)
	}
	if _, err := i.Files(t.Context(), build.Base, "/not/there"); err == nil || !strings.Contains(err.Error(), "/not/there") {
		t.Errorf("a path that is not there: %v", err)
	}
	all, err := i.Client.ContainerList(t.Context(), container.ListOptions{All: true, Filters: ours("")})
	if err != nil {
		t.Fatal(err)
	}
	if slices.ContainsFunc(all, func(c container.Summary) bool { return c.Labels[labelRun] == "files-"+string(lifecycle.Self()) }) {
		t.Error("a container is left")
	}
}
