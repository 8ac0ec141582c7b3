package build

import (
	"context"
	"crypto/sha256"
	"fmt"
	"path"
	"path/filepath"
	"strings"
)

// Program builds a static program of this project, such as "./fv/cmd/fv", and returns its path. One that is up to date is left alone.
func (b *Builder) Program(ctx context.Context, pkg string) (string, error) {
	programs, err := b.cacheDir("programs")
	if err != nil {
		return "", err
	}
	name := path.Base(pkg)
	dir := fmt.Sprintf("%.6x", sha256.Sum256([]byte(b.Root))) // other checkouts have other ones
	file := filepath.Join(programs, dir, name)
	unlock, err := b.Lock(ctx, name, "program-"+dir+"-"+name)
	if err != nil {
		return "", fmt.Errorf("build %s: %w", name, err)
	}
	defer unlock()
	b.building.Lock()
	defer b.building.Unlock()
	defer b.Step(name, "go build")()
	args := append([]string{"build"}, strings.Fields(buildFlags)...)
	if err := run(ctx, b.Root, buildEnv, "go", append(args, "-ldflags", ldflags, "-o", file, pkg)...); err != nil {
		return "", fmt.Errorf("build %s: %w", name, err)
	}
	return file, nil
}
