//go:build linux

package netns

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/nodefv/nodefv/workloads/kernel"
)

// Census counts what the kernel holds: the rules, sets, routes, links, neighbours and tracked connections of the current namespace, the mounts, namespaces
// and descriptors of a process, and the machine's eBPF objects, which are left out where they can't be read. Names do not tell what changes by
// itself, such as the state of a neighbour.
func Census(ctx context.Context, b kernel.Backend, pid int) (kernel.Census, error) {
	programmed, err := Programmed(ctx, b)
	if err != nil {
		return nil, err
	}
	c := programmed.Census()
	for _, count := range []func(kernel.Census) error{countLinks, countConnections, countBPF, func(c kernel.Census) error { return countProcess(c, pid) }} {
		if err := count(c); err != nil {
			return nil, fmt.Errorf("take a census: %w", err)
		}
	}
	return c, nil
}

// countLinks counts links, and the routes, policy rules and neighbours that lead to them.
func countLinks(c kernel.Census) error {
	links, err := whole(netlink.LinkList)
	if err != nil {
		return fmt.Errorf("list links: %w", err)
	}
	names := map[int]string{}
	c[kernel.Links], c[kernel.RouteEntries], c[kernel.PolicyRules], c[kernel.Neighbours] = map[string]int{}, map[string]int{}, map[string]int{}, map[string]int{}
	for _, l := range links {
		names[l.Attrs().Index] = l.Attrs().Name
		c.Add(kernel.Links, l.Attrs().Name)
	}
	for _, family := range []int{unix.AF_INET, unix.AF_INET6} {
		routes, err := whole(func() ([]netlink.Route, error) {
			return netlink.RouteListFiltered(family, &netlink.Route{Table: unix.RT_TABLE_UNSPEC}, netlink.RT_FILTER_TABLE)
		})
		if err != nil {
			return fmt.Errorf("list routes: %w", err)
		}
		for _, r := range routes {
			to := "default"
			if r.Dst != nil {
				to = r.Dst.String()
			}
			c.Add(kernel.RouteEntries, fmt.Sprintf("%s dev %s table %d type %d proto %d metric %d", to, names[r.LinkIndex], r.Table, r.Type, r.Protocol, r.Priority))
		}
		rules, err := whole(func() ([]netlink.Rule, error) { return netlink.RuleList(family) })
		if err != nil {
			return fmt.Errorf("list policy rules: %w", err)
		}
		for _, r := range rules {
			c.Add(kernel.PolicyRules, fmt.Sprintf("family %d %s", family, r.String()))
		}
		neighbours, err := whole(func() ([]netlink.Neigh, error) { return netlink.NeighList(0, family) })
		if err != nil {
			return fmt.Errorf("list neighbours: %w", err)
		}
		for _, n := range neighbours {
			c.Add(kernel.Neighbours, fmt.Sprintf("%s dev %s", n.IP, names[n.LinkIndex]))
		}
	}
	return nil
}

func countConnections(c kernel.Census) error {
	c[kernel.Connections] = map[string]int{}
	return eachTracked(func(_, _ netip.Addr, told string) { c.Add(kernel.Connections, told) })
}

// countProcess counts what a process holds.
func countProcess(c kernel.Census, pid int) error {
	dir := filepath.Join("/proc", strconv.Itoa(pid))
	c[kernel.Mounts], c[kernel.Namespaces], c[kernel.Descriptors] = map[string]int{}, map[string]int{}, map[string]int{}
	if err := eachLine(filepath.Join(dir, "mountinfo"), func(line string) {
		words := strings.Fields(line) // proc_pid_mountinfo(5): the fields after the dash are type, source, options
		_, after, ok := strings.Cut(line, " - ")
		if kind := strings.Fields(after); ok && len(words) > 4 && len(kind) > 0 {
			c.Add(kernel.Mounts, kind[0]+" on "+words[4])
			if kind[0] == "nsfs" {
				c.Add(kernel.Namespaces, "mounted on "+words[4])
			}
		}
	}); err != nil {
		return err
	}
	sockets, err := socketKinds(dir)
	if err != nil {
		return err
	}
	entries, err := os.ReadDir(filepath.Join(dir, "fd"))
	if err != nil {
		return err
	}
	for _, e := range entries {
		to, err := os.Readlink(filepath.Join(dir, "fd", e.Name()))
		if errors.Is(err, fs.ErrNotExist) {
			continue // it was closed meanwhile
		}
		if err != nil {
			return err
		}
		kind, inode, special := strings.Cut(to, ":[")
		switch {
		case !special || strings.HasPrefix(to, "/"):
			kind = to
		case kind == "socket":
			kind = "socket " + sockets[strings.TrimSuffix(inode, "]")]
		case kind == "anon_inode":
			kind = strings.TrimSuffix(inode, "]")
		case kind != "pipe":
			c.Add(kernel.Namespaces, "open "+to)
			kind = "namespace " + kind
		}
		c.Add(kernel.Descriptors, strings.TrimSpace(kind))
	}
	return nil
}

// socketInodes is where, in the tables below /proc/<pid>/net, a line tells a socket's inode.
var socketInodes = map[string]int{"tcp": 9, "tcp6": 9, "udp": 9, "udp6": 9, "raw": 9, "raw6": 9, "unix": 6, "netlink": 9, "packet": 8}

// socketKinds returns the protocol of each socket in the namespace of a process, by inode. Tables that the kernel does not have are left out.
func socketKinds(dir string) (map[string]string, error) {
	kinds := map[string]string{}
	for table, at := range socketInodes {
		err := eachLine(filepath.Join(dir, "net", table), func(line string) {
			if words := strings.Fields(line); len(words) > at {
				kinds[words[at]] = table
			}
		})
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	return kinds, nil
}

func eachLine(path string, do func(string)) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		do(lines.Text())
	}
	return lines.Err()
}
