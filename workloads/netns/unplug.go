//go:build linux

package netns

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nodefv/nodefv/workloads"
)

const (
	unplugBound = time.Minute            // where ctx has no earlier deadline
	relistEvery = 250 * time.Millisecond // without an event
	patience    = 8                      // re-lists without progress before links are deleted by hand
	doomed      = 0x6e66                 // link group of host interfaces that do not go away by themselves
)

// Unplug disconnects the pods and returns once their host interfaces are gone, within ctx and at most a minute. The
// namespaces' descriptors are closed and the kernel cleans up in batches, a hundred times as fast as link by link. A
// namespace that a socket keeps alive loses its link after about two seconds all the same. An unknown pod is no
// error, one that is being plugged or unplugged is.
func (p *Plugger) Unplug(ctx context.Context, pods []workloads.Key) error {
	ctx, cancel := context.WithTimeout(ctx, unplugBound)
	defer cancel()
	taken, err := p.take(pods)
	if len(taken) > 0 {
		left, goneErr := p.remove(ctx, taken)
		p.give(taken, left)
		err = errors.Join(err, goneErr)
	}
	if err != nil {
		return fmt.Errorf("unplug: %w", err)
	}
	return nil
}

func (p *Plugger) take(pods []workloads.Key) (map[workloads.Key]*plugged, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var errs error
	taken := map[workloads.Key]*plugged{}
	for _, key := range pods {
		place, ok := p.pods[key]
		_, twice := taken[key]
		switch {
		case !ok || twice:
		case place.busy:
			errs = errors.Join(errs, fmt.Errorf("%s is being plugged or unplugged", key))
		default:
			place.busy, taken[key] = true, place
		}
	}
	return taken, errs
}

// give frees the places of pods that are gone; the others can be unplugged again.
func (p *Plugger) give(taken map[workloads.Key]*plugged, left map[string]bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for key, place := range taken {
		place.busy = false
		if !left[place.host] {
			delete(p.pods, key)
		}
	}
}

// remove closes the namespaces, waits, and returns the host interfaces that are left with the reason.
func (p *Plugger) remove(ctx context.Context, taken map[workloads.Key]*plugged) (map[string]bool, error) {
	left := make(map[string]bool, len(taken))
	for _, place := range taken {
		left[place.host] = true
	}
	var events *os.File
	var c *conn
	err := p.home.Do(func() (err error) {
		// Before the first namespace is closed, so that no event is missed.
		if events, err = subscribe(unix.NETLINK_ROUTE, unix.RTNLGRP_LINK); err != nil {
			return err
		}
		c, err = dial()
		return err
	})
	if events != nil {
		defer events.Close()
	}
	if err != nil {
		return left, err
	}
	defer c.close()
	for _, place := range taken {
		if err := place.ns.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
			return left, err
		}
	}
	return left, awaitGone(ctx, events, c, left)
}

// awaitGone deletes names from left as their links go.
func awaitGone(ctx context.Context, events *os.File, c *conn, left map[string]bool) error {
	buffer := make([]byte, 64<<10)
	started, quiet, forced := time.Now(), 0, error(nil)
	for len(left) > 0 {
		if ctx.Err() != nil {
			some := slices.Sorted(maps.Keys(left))
			return errors.Join(forced, fmt.Errorf("%d host interfaces not gone within %s, first %s: %w",
				len(left), time.Since(started).Round(time.Millisecond), some[0], ctx.Err()))
		}
		before := len(left)
		wake := time.Now().Add(relistEvery)
		if deadline, ok := ctx.Deadline(); ok && deadline.Before(wake) {
			wake = deadline
		}
		_ = events.SetReadDeadline(wake)
		n, err := events.Read(buffer)
		switch {
		case err == nil:
			err = dropDeleted(buffer[:n], left)
		case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, unix.ENOBUFS):
			err = keepExisting(c, left)
			if quiet++; quiet%patience == 0 && len(left) == before {
				forced = deleteAll(c, left)
			}
		}
		if err != nil {
			return err
		}
		if len(left) < before {
			quiet = 0
		}
	}
	return nil
}

func dropDeleted(data []byte, left map[string]bool) error {
	messages, err := syscall.ParseNetlinkMessage(data)
	if err != nil {
		return fmt.Errorf("read link events: %w", err)
	}
	for _, m := range messages {
		if m.Header.Type == unix.RTM_DELLINK {
			_, name, err := parseLink(m)
			if err != nil {
				return err
			}
			delete(left, name)
		}
	}
	return nil
}

func keepExisting(c *conn, left map[string]bool) error {
	links, err := c.links()
	if err != nil {
		return err
	}
	existing := make(map[string]bool, len(links))
	for _, name := range links {
		existing[name] = true
	}
	maps.DeleteFunc(left, func(name string, _ bool) bool { return !existing[name] })
	return nil
}

// deleteAll deletes the links as one group, which costs hardly more than deleting one.
func deleteAll(c *conn, left map[string]bool) error {
	for name := range left {
		if err := c.do(setGroup(name, doomed)); err != nil && !errors.Is(err, unix.ENODEV) {
			return err
		}
	}
	if err := c.do(deleteGroup(doomed)); err != nil && !errors.Is(err, unix.ENODEV) {
		return err
	}
	return nil
}
