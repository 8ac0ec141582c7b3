package build

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestParseSources(t *testing.T) {
	got := parseSources(`bookworm http://a/debian/ main Debian
bookworm http://a/debian/ main Debian
bookworm-security http://a/security/ main Debian
bookworm-backports http://a/debian/ main Debian
nodistro http://b/ main . nodistro
bookworm http://c/ main Other
`, "bookworm")
	want := []string{"deb http://a/debian/ bookworm main", "deb http://a/security/ bookworm-security main"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// debian puts stand-ins for a Debian machine's tools in front of PATH; mmdebstrap is a shell script, of which $tar is the target.
func debian(t *testing.T, mmdebstrap string) *Builder {
	t.Helper()
	b := &Builder{Root: t.TempDir(), Cache: t.TempDir()}
	write(t, b.Root, "docker/base/Dockerfile", "FROM debian\n")
	write(t, b.Root, "docker/base/packages", "iptables\nipset\n")
	bin := t.TempDir()
	for name, script := range map[string]string{
		"apt-get":    "echo " + osRelease("VERSION_CODENAME") + " http://mirror/debian/ main Debian",
		"apt-config": `echo 'Acquire::http::Proxy "http://proxy";'; echo 'Acquire::Retries "3";'`,
		"mmdebstrap": `for list; do tar=$last; last=$list; done; ` + mmdebstrap,
	} {
		write(t, bin, name, "#!/bin/sh\n"+script+"\n")
		if err := os.Chmod(filepath.Join(bin, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	return b
}

func TestRootfs(t *testing.T) {
	b := debian(t, `echo "$@" >"$tar"; cat "$list" >>"$tar"`)
	tar, key, err := b.Rootfs(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(tar)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"--include=iptables,ipset ", `--aptopt=Acquire::http::Proxy "http://proxy" `, "\ndeb http://mirror/debian/ "} {
		if !strings.Contains(string(data), want) {
			t.Errorf("%q lacks %q", data, want)
		}
	}
	if strings.Contains(string(data), "Retries") {
		t.Error("settings that are not of the network are passed on")
	}
	if left, _ := os.ReadDir(filepath.Dir(tar)); len(left) != 1 {
		t.Errorf("besides the tar there is %v", left)
	}
	write(t, b.Root, "docker/base/packages", "iptables\n")
	if _, other, err := b.Rootfs(t.Context()); err != nil || other == key {
		t.Errorf("other packages: key %s, %v", other, err)
	}
}

func TestFailedRootfsLeavesNothing(t *testing.T) {
	b := debian(t, `echo half >"$tar"; echo "no space left on device" >&2; exit 25`)
	_, _, err := b.Rootfs(t.Context())
	if err == nil || !strings.Contains(err.Error(), "no space left on device") {
		t.Errorf("got %v", err)
	}
	left, err := filepath.Glob(filepath.Join(b.Cache, "rootfs", "*"))
	if err != nil || len(left) != 1 || !strings.HasSuffix(left[0], ".lock") {
		t.Errorf("left %v, %v", left, err)
	}
}
