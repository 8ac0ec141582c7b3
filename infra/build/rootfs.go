package build

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// Rootfs returns a tar of a Debian root file system with the packages that docker/base/packages names, and its key. It is of
// the machine's own release, from the mirrors and with the network settings that its apt uses.
func (b *Builder) Rootfs(ctx context.Context) (tarPath, key string, err error) {
	key, err = b.Key(Base)
	if err != nil {
		return "", "", err
	}
	dir, err := b.entry(ctx, "rootfs", key, func(tmp string) error { return b.bootstrap(ctx, tmp) })
	if err != nil {
		return "", "", fmt.Errorf("build a root file system: %w", err)
	}
	return filepath.Join(dir, "rootfs.tar"), key, nil
}

func (b *Builder) bootstrap(ctx context.Context, dir string) error {
	if err := b.needMmdebstrap(ctx); err != nil {
		return err
	}
	packages, err := os.ReadFile(filepath.Join(b.folder(Base), "packages"))
	if err != nil {
		return err
	}
	suite := osRelease("VERSION_CODENAME")
	sources, err := aptSources(ctx, suite)
	if err != nil {
		return err
	}
	list := filepath.Join(dir, "sources.list")
	if err := os.WriteFile(list, []byte(strings.Join(sources, "\n")+"\n"), 0o644); err != nil {
		return err
	}
	defer os.Remove(list)
	args := []string{"--variant=minbase", "--include=" + strings.Join(strings.Fields(string(packages)), ",")}
	for _, path := range []string{"doc", "man", "info", "locale"} {
		args = append(args, "--dpkgopt=path-exclude=/usr/share/"+path+"/*")
	}
	for _, option := range aptNetwork(ctx) {
		args = append(args, "--aptopt="+option)
	}
	// The mirror stays on this machine: an image outlives it.
	args = append(args, `--customize-hook=rm -rf "$1"/etc/apt/sources.list "$1"/etc/apt/sources.list.d/* "$1"/etc/apt/apt.conf.d/99mmdebstrap "$1"/var/lib/apt/* "$1"/var/cache/* "$1"/var/log/*`,
		"--skip=cleanup/apt", suite, filepath.Join(dir, "rootfs.tar"), list)
	defer b.Step(Base, "install packages with mmdebstrap")()
	return run(ctx, dir, nil, "mmdebstrap", args...)
}

// needMmdebstrap installs the tool, with the gpg by which it finds keyrings, where it may; elsewhere its error says what to do.
func (b *Builder) needMmdebstrap(ctx context.Context) error {
	if _, err := exec.LookPath("mmdebstrap"); err == nil {
		return nil
	}
	if _, err := exec.LookPath("apt-get"); err != nil {
		return errors.New("no image debian:bookworm-slim and no Debian here to make one from: docker pull debian:bookworm-slim, or docker load it")
	}
	if os.Geteuid() != 0 {
		return errors.New("no mmdebstrap: sudo apt-get install -y mmdebstrap")
	}
	defer b.Step(Base, "install mmdebstrap")()
	env := []string{"DEBIAN_FRONTEND=noninteractive"}
	if err := run(ctx, "/", env, "apt-get", "update", "-q"); err != nil {
		return err
	}
	return run(ctx, "/", env, "apt-get", "install", "-q", "-y", "--no-install-recommends", "mmdebstrap", "gpg")
}

// aptSources returns the distribution's own sources among those that apt has, as lines of a sources.list.
func aptSources(ctx context.Context, suite string) ([]string, error) {
	out, err := exec.CommandContext(ctx, "apt-get", "indextargets",
		"--format", "$(RELEASE) $(REPO_URI) $(COMPONENT) $(ORIGIN)", "Created-By: Packages").Output()
	if err != nil {
		return nil, fmt.Errorf("ask apt-get for its sources: %w", err)
	}
	sources := parseSources(string(out), suite)
	if len(sources) == 0 {
		return nil, fmt.Errorf("apt has no source of its own distribution's release %q: apt-get update", suite)
	}
	return sources, nil
}

func parseSources(targets, suite string) []string {
	var sources []string
	for line := range strings.Lines(targets) {
		f := strings.Fields(line)
		if len(f) != 4 || f[3] != "Debian" && f[3] != "Ubuntu" {
			continue
		}
		if f[0] == suite || f[0] == suite+"-updates" || f[0] == suite+"-security" {
			sources = append(sources, fmt.Sprintf("deb %s %s %s", f[1], f[0], f[2]))
		}
	}
	slices.Sort(sources)
	return slices.Compact(sources)
}

// aptNetwork returns apt's settings for proxies and certificates: a new root file system has none.
func aptNetwork(ctx context.Context) []string {
	out, _ := exec.CommandContext(ctx, "apt-config", "dump", "--no-empty", "--format", "%f \"%v\";%n", "Acquire").Output()
	var options []string
	for line := range bytes.Lines(out) {
		option := strings.TrimSpace(string(line))
		if strings.HasPrefix(strings.ToLower(option), "acquire::http") {
			options = append(options, strings.TrimSuffix(option, ";"))
		}
	}
	return options
}

func osRelease(field string) string {
	data, _ := os.ReadFile("/etc/os-release")
	for line := range strings.Lines(string(data)) {
		if value, ok := strings.CutPrefix(line, field+"="); ok {
			return strings.Trim(strings.TrimSpace(value), `"`)
		}
	}
	return ""
}
