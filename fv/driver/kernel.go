package driver

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/nodefv/nodefv/workloads"
	"github.com/nodefv/nodefv/workloads/impair"
	"github.com/nodefv/nodefv/workloads/kernel"
	"github.com/nodefv/nodefv/workloads/netns"
)

// openKernel takes hold of the node's network namespace, in which this process runs.
func (d *Driver) openKernel(ctx context.Context) (err error) {
	if d.addr, err = netip.ParseAddr(d.handoff.NodeAddr); err != nil {
		return fmt.Errorf("the node's address: %w", err)
	}
	watching, stop := context.WithCancel(context.Background())
	d.undo.Push("end the watch of the kernel", func(context.Context) error { stop(); return nil })
	if d.watcher, err = netns.Watch(watching); err != nil {
		return err
	}
	if d.wire, err = NewWire(ctx, d.addr, !d.target.Presentation().Routes); err != nil {
		return err
	}
	d.undo.Push("unplug all", d.wire.Close)
	if d.HasFeature(workloads.OwnWay) {
		if d.wire.api, err = apiServer(d.config.Host); err != nil {
			return err
		}
	}
	deaf, err := d.wire.listen()
	if err != nil {
		return err
	}
	d.undo.Push("obey no more", func(context.Context) error { return deaf() })
	return nil
}

// node is the kernel of the node's namespace.
type node struct{ backend kernel.Backend }

func (node) Routes() (map[string]string, error) { return netns.Routes() }

// Links leaves out the devices of impairments of the node's own links, which whoever set them ends.
func (node) Links() ([]string, error) {
	all, err := netns.Links()
	return slices.DeleteFunc(all, func(name string) bool { return strings.HasPrefix(name, impair.DevicePrefix) }), err
}

func (n node) Programmed(ctx context.Context) (*kernel.State, error) {
	return netns.Programmed(ctx, n.backend)
}
