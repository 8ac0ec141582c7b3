package docker

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/client"
	"github.com/docker/docker/pkg/stdcopy"

	"github.com/nodefv/nodefv/infra/build"
)

func TestReadStreamFindsTheErrorInASuccessfulAnswer(t *testing.T) {
	err := readStream(strings.NewReader(`{"stream":"Step 1"}{"stream":"no such file\n"}{"errorDetail":{"message":"boom"},"error":"boom"}`))
	if err == nil || err.Error() != "boom\nStep 1\nno such file" {
		t.Errorf("got %v", err)
	}
	if err := readStream(strings.NewReader(`{"status":"Pulling"}{"aux":{"ID":"sha256:1"}}`)); err != nil {
		t.Errorf("a good stream: %v", err)
	}
	if err := readStream(strings.NewReader(`{"stream":"cut o`)); err == nil {
		t.Error("a stream that was cut off is no success")
	}
}

func TestRefFollowsTheBase(t *testing.T) {
	root := t.TempDir()
	write(t, filepath.Join(root, "docker/base/Dockerfile"), "FROM debian\n")
	write(t, filepath.Join(root, "docker/node/Dockerfile"), "ARG BASE\nFROM ${BASE}\n")
	write(t, filepath.Join(root, "docker/etcd/Dockerfile"), "FROM scratch\n")
	i := &Images{Builder: &build.Builder{Root: root}}
	refs := func() (node, etcd string) {
		node, err1 := i.ref(build.Node)
		etcd, err2 := i.ref(build.Etcd)
		if err := errors.Join(err1, err2); err != nil {
			t.Fatal(err)
		}
		return node, etcd
	}
	node, etcd := refs()
	write(t, filepath.Join(root, "docker/base/packages"), "iptables\n")
	node2, etcd2 := refs()
	if node2 == node {
		t.Error("a changed base leaves the images that stand on it")
	}
	if etcd2 != etcd {
		t.Error("a changed base changes an image that does not stand on it")
	}
}

func TestEnsureOfAnImageThatIsNotToBeHad(t *testing.T) {
	i := engineImages(t)
	i.Overrides = map[string]string{"felix": "localhost:1/felix:none"}
	_, err := i.Ensure(t.Context(), "felix")
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{"localhost:1/felix:none", "felix", "docker pull"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q lacks %q", err, want)
		}
	}
	if strings.Contains(err.Error(), "\n") {
		t.Errorf("more than one line: %q", err)
	}
}

// coldBuild is what the components take at most on a machine that has built none of them.
const coldBuild = 20 * time.Minute

func TestImagesOfAllComponents(t *testing.T) {
	if end, ok := t.Deadline(); ok && time.Until(end) < coldBuild {
		t.Skipf("components may have to be built: go test -timeout %v", coldBuild+10*time.Minute)
	}
	i := engineImages(t)
	probes := []struct {
		component string
		command   []string
		want      string
	}{
		{build.Base, []string{"iptables-nft", "--version"}, "nf_tables"},
		{build.Base, []string{"iptables-legacy", "--version"}, "legacy"},
		{build.Base, []string{"ipset", "--version"}, "ipset v"},
		{build.Base, []string{"nft", "--version"}, "nftables v"},
		{build.Base, []string{"conntrack", "--version"}, "conntrack v"},
		{build.Base, []string{"ip", "-V"}, "iproute2"},
		{build.Base, []string{"tc", "-V"}, "iproute2"},
		{"felix", []string{"ls", "-d", "/var/run/calico", "/var/lib/calico", "/etc/calico"}, "/etc/calico"},
		{build.Etcd, []string{"etcd", "--version"}, "etcd Version: 3."},
		{build.Kubernetes, []string{"kube-apiserver", "--version"}, "Kubernetes v1."},
		{build.Kubernetes, []string{"kube-controller-manager", "--version"}, "Kubernetes v1."},
		{build.Kubernetes, []string{"kube-proxy", "--version"}, "Kubernetes v1."},
		{"felix", []string{"calico-felix", "--version"}, "v3."},
		{"typha", []string{"calico-typha", "--version"}, "v3."},
		{build.Node, []string{"sh", "-c", "timeout --preserve-status -s TERM 1 fv-pause; echo ended $?"}, "ended 0"},
	}
	for _, p := range probes {
		start := time.Now()
		ref, err := i.Ensure(t.Context(), p.component)
		if err != nil {
			t.Fatalf("%s: %v", p.component, err)
		}
		t.Logf("%s %s after %v", p.component, ref, time.Since(start).Round(time.Millisecond))
		if out := runImage(t, i.Client, ref, p.command); !strings.Contains(out, p.want) {
			t.Errorf("%s: %q says %q, want %q", ref, p.command, out, p.want)
		}
	}
	start := time.Now()
	for _, p := range probes {
		if _, err := i.Ensure(t.Context(), p.component); err != nil {
			t.Fatal(err)
		}
	}
	if d := time.Since(start); d > time.Second {
		t.Errorf("ensuring what is there took %v", d)
	}
	list, err := i.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, img := range list {
		t.Logf("%-12s %s %d MB current=%v", img.Component, img.Ref, img.Size>>20, img.Current)
	}
}

// TestPruneTakesOnlyWhatIsOursAndOld runs on a fake engine, which is asked for nothing but lists and removals.
func TestPruneTakesOnlyWhatIsOursAndOld(t *testing.T) {
	root := t.TempDir()
	write(t, filepath.Join(root, "docker/etcd/Dockerfile"), "FROM scratch\n")
	write(t, filepath.Join(root, "docker/base/Dockerfile"), "FROM debian\n")
	i := &Images{Builder: &build.Builder{Root: root}}
	current, err := i.ref(build.Etcd)
	if err != nil {
		t.Fatal(err)
	}
	old := func(id, component, tag string) string {
		return `{"Id": "` + id + `", "Labels": {"fv.component": "` + component + `"}, "RepoTags": ["` + tag + `"]}`
	}
	answers := map[string]string{
		"/images/json": "[" + strings.Join([]string{
			old("a", "base", "nodefv/base:000000000000"),
			old("b", "etcd", "nodefv/etcd:000000000000"),
			old("c", "etcd", "nodefv/etcd:111111111111"),
			old("d", "etcd", current),
			old("e", "base", "somebody/felix:dev"),
			old("f", "base", "<none>:<none>"),
		}, ",") + "]",
		"/containers/json": `[{"Id": "x", "ImageID": "c"}]`,
	}
	var removed []string
	engine := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, path, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
		if r.Method == http.MethodDelete {
			removed = append(removed, strings.TrimPrefix(path, "images/"))
			w.Write([]byte("[]"))
			return
		}
		w.Write([]byte(answers["/"+path]))
	}))
	defer engine.Close()
	i.Client, err = client.NewClientWithOpts(client.WithHost("tcp://"+engine.Listener.Addr().String()), client.WithVersion("1.41"))
	if err != nil {
		t.Fatal(err)
	}
	defer i.Client.Close()
	gone, err := i.Prune(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"nodefv/etcd:000000000000", "nodefv/base:000000000000"}; !slices.Equal(removed, want) || len(gone) != len(want) {
		t.Errorf("removed %q and tells of %d, want %q", removed, len(gone), want)
	}
}

// engineImages skips where there is no engine. The driver is a stand-in.
func engineImages(t *testing.T) *Images {
	t.Helper()
	c, err := client.NewClientWithOpts(client.FromEnv, client.WithAPIVersionNegotiation())
	if err == nil {
		_, err = c.Ping(t.Context())
	}
	if err != nil {
		if slices.Contains(strings.Split(os.Getenv("FV_REQUIRE"), ","), "docker") {
			t.Fatal(err)
		}
		t.Skipf("no Docker engine: %v", err)
	}
	root, err := build.FindRoot(".")
	if err != nil {
		t.Fatal(err)
	}
	i := &Images{Client: c, Builder: &build.Builder{Root: root, Driver: standIn(t)}}
	i.Builder.Report = func(e build.Event) {
		if e.Done {
			t.Logf("%s: %s took %v", e.Component, e.Action, e.Elapsed.Round(time.Millisecond))
		}
	}
	t.Cleanup(func() { c.Close() })
	return i
}

// standIn compiles a static test binary.
func standIn(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "go.mod"), "module standin\n")
	write(t, filepath.Join(dir, "a_test.go"), "package standin\n")
	cmd := exec.Command("go", "test", "-c", "-o", "fv.test", ".")
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return filepath.Join(dir, "fv.test")
}

func runImage(t *testing.T, c *client.Client, ref string, command []string) string {
	t.Helper()
	ctx := t.Context()
	made, err := c.ContainerCreate(ctx, &container.Config{Image: ref, Entrypoint: command}, &container.HostConfig{
		NetworkMode: "none",
		CapAdd:      []string{"NET_ADMIN"}, // ipset asks the kernel even for its version
	}, nil, nil, "")
	if err != nil {
		t.Fatal(err)
	}
	defer c.ContainerRemove(context.Background(), made.ID, container.RemoveOptions{Force: true})
	if err := c.ContainerStart(ctx, made.ID, container.StartOptions{}); err != nil {
		t.Fatal(err)
	}
	ended, failed := c.ContainerWait(ctx, made.ID, container.WaitConditionNotRunning)
	select {
	case err := <-failed:
		t.Fatal(err)
	case s := <-ended:
		if s.StatusCode != 0 {
			t.Errorf("%s: %q exits %d", ref, command, s.StatusCode)
		}
	}
	logs, err := c.ContainerLogs(ctx, made.ID, container.LogsOptions{ShowStdout: true, ShowStderr: true})
	if err != nil {
		t.Fatal(err)
	}
	defer logs.Close()
	var out strings.Builder
	if _, err := stdcopy.StdCopy(&out, &out, logs); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
