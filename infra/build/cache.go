package build

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// driverGrace is how long an old driver stays: another process may be making an image of it.
const driverGrace = time.Hour

// entry returns the cache's folder for a key, filled by make if it is not there.
func (b *Builder) entry(ctx context.Context, kind, key string, make func(tmp string) error) (string, error) {
	parent, err := b.cacheDir(kind)
	if err != nil {
		return "", err
	}
	dir := filepath.Join(parent, key)
	if exists(dir) {
		return dir, nil
	}
	unlock, err := lock(ctx, dir+".lock")
	if err != nil {
		return "", err
	}
	defer unlock()
	if exists(dir) {
		return dir, nil
	}
	// A process that was killed may have left its half; under the lock nobody works on it.
	tmp := dir + ".partial"
	if err := os.RemoveAll(tmp); err != nil {
		return "", err
	}
	defer os.RemoveAll(tmp)
	if err := os.Mkdir(tmp, 0o755); err != nil {
		return "", err
	}
	if err := make(tmp); err != nil {
		return "", err
	}
	if ctx.Err() != nil {
		return "", context.Cause(ctx)
	}
	return dir, os.Rename(tmp, dir)
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
		if err == nil && e.IsDir() && e.Name() != key && time.Since(info.ModTime()) > driverGrace {
			os.RemoveAll(filepath.Join(parent, e.Name()))
			os.Remove(filepath.Join(parent, e.Name()+".lock"))
		}
	}
}

// lock takes the file's lock, which ends with the process at the latest.
func lock(ctx context.Context, path string) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	for {
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return func() { f.Close() }, nil
		}
		if err != syscall.EWOULDBLOCK && err != syscall.EINTR {
			f.Close()
			return nil, fmt.Errorf("lock %s: %w", path, err)
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
