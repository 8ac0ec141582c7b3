package fvtest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

const module = "github.com/nodefv/nodefv"

// checkout returns the folder of this project's sources: the one that was given, or the one that the go command finds for the module that
// is being tested.
func checkout(ctx context.Context, given string) (string, error) {
	if given != "" {
		abs, err := filepath.Abs(given)
		if err != nil {
			return "", err
		}
		return abs, complete(abs)
	}
	out, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", module).Output()
	var failed *exec.ExitError
	switch {
	case errors.Is(err, exec.ErrNotFound):
		return "", errors.New("no go command in PATH, which builds the agent: install Go (https://go.dev/dl) or add its bin folder to PATH")
	case errors.As(err, &failed):
		return "", fmt.Errorf("find the sources of %s: %s: name a checkout in Options.Checkout", module, strings.TrimSpace(string(failed.Stderr)))
	case err != nil:
		return "", fmt.Errorf("find the sources of %s: %w", module, err)
	}
	dir := strings.TrimSpace(string(out))
	return dir, complete(dir)
}

// complete refuses a folder that lacks what components are built from. Each is a module of its own, and the go command leaves those out of
// what it downloads.
func complete(dir string) error {
	if _, err := os.Stat(filepath.Join(dir, "docker", "etcd", "go.mod")); err != nil {
		return fmt.Errorf("%q is no checkout of %s (it has no docker/etcd/go.mod): clone the repository and name it in go.mod, `replace %s => ../nodefv`, or in Options.Checkout", dir, module, module)
	}
	return nil
}
