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

// rootfsOptions make a root file system small.
var rootfsOptions = []string{
	"--variant=minbase",
	"--dpkgopt=force-unsafe-io", // nobody needs a half of it after a power cut
	"--dpkgopt=path-exclude=/usr/share/doc/*",
	"--dpkgopt=path-exclude=/usr/share/man/*",
	"--dpkgopt=path-exclude=/usr/share/info/*",
	"--dpkgopt=path-exclude=/usr/share/locale/*",
	// Without it the package usrmerge comes in, and with it all of Perl: 50 MB.
	"--hook-dir=/usr/share/mmdebstrap/hooks/maybe-merged-usr",
	// The mirror stays on this machine: an image outlives it.
	`--customize-hook=rm -rf "$1"/etc/apt/sources.list "$1"/etc/apt/sources.list.d/* "$1"/etc/apt/apt.conf.d/99mmdebstrap "$1"/var/lib/apt/* "$1"/var/cache/* "$1"/var/log/*`,
	"--skip=cleanup/apt",
}

// Rootfs returns a tar of a Debian root file system with the packages that docker/base/packages names, and its key. It is of
// the machine's own release, from the mirrors and with the network settings that its apt uses.
func (b *Builder) Rootfs(ctx context.Context) (tarPath, key string, err error) {
	key, err = b.Key(Base)
	if err != nil {
		return "", "", err
	}
	dir, err := b.Entry(ctx, "rootfs", key, func(tmp string) error { return b.bootstrap(ctx, tmp) })
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
	sources, err := b.aptSources(ctx, suite)
	if err != nil {
		return err
	}
	list := filepath.Join(dir, "sources.list")
	if err := os.WriteFile(list, []byte(strings.Join(sources, "\n")+"\n"), 0o644); err != nil {
		return err
	}
	defer os.Remove(list)
	args := append([]string{"--include=" + strings.Join(strings.Fields(string(packages)), ",")}, rootfsOptions...)
	for _, option := range aptNetwork(ctx) {
		args = append(args, "--aptopt="+option)
	}
	args = append(args, suite, filepath.Join(dir, "rootfs.tar"), list)
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
		return errors.New("no mmdebstrap: sudo apt-get install -y mmdebstrap uidmap")
	}
	defer b.Step(Base, "install mmdebstrap")()
	return aptInstall(ctx, []string{"install", "-y", "--no-install-recommends", "mmdebstrap", "gpg"})
}

func aptGet(ctx context.Context, args ...string) error {
	args = append([]string{"-q", "-o", "DPkg::Lock::Timeout=60"}, args...)
	return run(ctx, "/", []string{"DEBIAN_FRONTEND=noninteractive"}, "apt-get", args...)
}

// aptSources returns the distribution's own sources among those that apt has, as lines of a sources.list.
func (b *Builder) aptSources(ctx context.Context, suite string) ([]string, error) {
	sources, err := indexTargets(ctx, suite)
	if err != nil || len(sources) > 0 {
		return sources, err
	}
	// Whose a source is stands in its index, which machines made to be small lack.
	missing := fmt.Errorf("apt has no index of its own distribution's release %q: sudo apt-get update", suite)
	if os.Geteuid() != 0 {
		return nil, missing
	}
	defer b.Step(Base, "apt-get update")()
	stale := aptGet(ctx, "update")
	if sources, err = indexTargets(ctx, suite); err == nil && len(sources) == 0 {
		err = errors.Join(missing, stale)
	}
	return sources, err
}

func indexTargets(ctx context.Context, suite string) ([]string, error) {
	out, err := exec.CommandContext(ctx, "apt-get", "indextargets",
		"--format", "$(RELEASE) $(REPO_URI) $(COMPONENT) $(ORIGIN)", "Created-By: Packages").Output()
	if err != nil {
		return nil, fmt.Errorf("ask apt-get for its sources: %w", err)
	}
	return parseSources(string(out), suite), nil
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
