package build

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// givenGrace is how long an entry of a binary that was given, and has changed since, stays: another process may be making an
// image of it.
const givenGrace = time.Hour

// partial stands between an entry's key and a number in the name of a folder that is being filled.
const partial = ".partial"

// Entry returns the cache's folder for a key, filled by fill if it is not there.
func (b *Builder) Entry(ctx context.Context, kind, key string, fill func(tmp string) error) (string, error) {
	parent, err := b.cacheDir(kind)
	if err != nil {
		return "", err
	}
	dir := filepath.Join(parent, key)
	if exists(dir) {
		return dir, nil
	}
	unlock, err := b.lock(ctx, kind, dir+".lock")
	if err != nil {
		return "", err
	}
	defer unlock()
	if exists(dir) {
		return dir, nil
	}
	removeHalves(dir)
	// A new name each time: what a killed process started may still be writing under the last one.
	tmp, err := os.MkdirTemp(parent, key+partial)
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(tmp)
	if err := fill(tmp); err != nil {
		return "", err
	}
	if ctx.Err() != nil {
		return "", context.Cause(ctx)
	}
	if err := os.Chmod(tmp, 0o755); err != nil {
		return "", err
	}
	if err := os.Rename(tmp, dir); err != nil && !exists(dir) {
		return "", err
	}
	return dir, nil
}

// removeHalves removes what killed processes left of an entry whose lock is held; what it can't remove does no harm.
func removeHalves(dir string) {
	halves, _ := filepath.Glob(dir + partial + "*")
	for _, half := range halves {
		os.RemoveAll(half)
	}
}

func (b *Builder) cacheDir(kind string) (string, error) {
	cache := b.Cache
	if cache == "" {
		user, err := os.UserCacheDir()
		if err != nil {
			return "", fmt.Errorf("find a cache directory: %w", err)
		}
		cache = filepath.Join(user, "nodefv")
	}
	dir := filepath.Join(cache, kind)
	return dir, os.MkdirAll(dir, 0o755)
}

// dropOld removes a kind's entries other than key that nobody can be using any more; what it can't remove, it leaves.
func (b *Builder) dropOld(kind, key string) {
	parent, err := b.cacheDir(kind)
	if err != nil {
		return
	}
	entries, _ := os.ReadDir(parent)
	for _, e := range entries {
		info, err := e.Info()
		if err == nil && e.IsDir() && e.Name() != key && time.Since(info.ModTime()) > givenGrace {
			os.RemoveAll(filepath.Join(parent, e.Name()))
			os.Remove(filepath.Join(parent, e.Name()+".lock"))
		}
	}
}

// Lock keeps other processes with the same cache from doing what goes by this name, until unlock is called or this process ends.
// The component is who waits, in reports, if it must. What several goroutines of this process do, the caller keeps apart.
func (b *Builder) Lock(ctx context.Context, component, name string) (unlock func(), err error) {
	dir, err := b.cacheDir("locks")
	if err != nil {
		return nil, err
	}
	return b.lock(ctx, component, filepath.Join(dir, name+".lock"))
}

// lock takes the file's lock, which ends with the process at the latest.
func (b *Builder) lock(ctx context.Context, component, path string) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	waited := func() {}
	defer func() { waited() }()
	for tries := 0; ; tries++ {
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return func() { f.Close() }, nil
		}
		if err != syscall.EWOULDBLOCK && err != syscall.EINTR {
			f.Close()
			return nil, fmt.Errorf("lock %s: %w", path, err)
		}
		if tries == 1 {
			waited = b.Step(component, "wait for another process")
		}
		select {
		case <-ctx.Done():
			f.Close()
			return nil, fmt.Errorf("wait for another build (%s): %w", path, context.Cause(ctx))
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
