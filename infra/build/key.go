package build

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// Key returns the digest that names a component as its sources are now; it builds nothing. It covers the files of the component's
// folder and the architecture, and beyond them the binary if that is given, as the driver's is, or the Go version and build flags.
func (b *Builder) Key(component string) (string, error) {
	h := sha256.New()
	fmt.Fprintln(h, component, runtime.GOARCH)
	if component != Driver { // it has no folder
		folder := b.folder(component)
		if _, err := os.Stat(filepath.Join(folder, "Dockerfile")); err != nil {
			return "", fmt.Errorf("no component %q: %w", component, err)
		}
		if err := hashFolder(h, folder); err != nil {
			return "", fmt.Errorf("key of %s: %w", component, err)
		}
	}
	if err := b.hashOrigin(h, component); err != nil {
		return "", fmt.Errorf("key of %s: %w", component, err)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// hashOrigin hashes what decides a component's content and is not in its folder.
func (b *Builder) hashOrigin(h io.Writer, component string) error {
	if component == Base {
		fmt.Fprintln(h, osRelease("VERSION_CODENAME"), rootfsOptions)
	}
	if given := b.given(component); given != "" {
		err := hashFile(h, given)
		if component == Driver && errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("no test driver at %s: build it with go test -c -o bin/fv.test ./fv", given)
		}
		return err
	}
	if !exists(filepath.Join(b.folder(component), "go.mod")) {
		return nil
	}
	r, err := readRecipe(b.folder(component))
	if err != nil {
		return err
	}
	version := r.Toolchain
	if version == "" {
		version, err = b.toolchain()
	}
	fmt.Fprintln(h, version, buildFlags, ldflags, buildEnv)
	return err
}

func hashFolder(h io.Writer, folder string) error {
	return filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasPrefix(d.Name(), ".") {
			return err
		}
		rel, err := filepath.Rel(folder, path)
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		fmt.Fprintf(h, "%s %d\n", filepath.ToSlash(rel), info.Size())
		return hashFile(h, path)
	})
}

func hashFile(h io.Writer, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.Copy(h, f)
	return err
}
