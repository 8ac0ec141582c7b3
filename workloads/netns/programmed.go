//go:build linux

package netns

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/nodefv/nodefv/workloads/kernel"
)

// dump is one tool's print-out and what takes it in.
type dump struct {
	args []string
	read func(*kernel.State, io.Reader) error
}

func iptables(f kernel.Family) func(*kernel.State, io.Reader) error {
	return func(s *kernel.State, r io.Reader) error { return s.ReadIPTables(f, r) }
}

var dumps = map[kernel.Backend][]dump{
	kernel.IPTablesNFT: {
		{[]string{"iptables-nft-save"}, iptables(kernel.IPv4)}, {[]string{"ip6tables-nft-save"}, iptables(kernel.IPv6)},
		{[]string{"ipset", "save"}, (*kernel.State).ReadIPSets},
	},
	kernel.IPTablesLegacy: {
		{[]string{"iptables-legacy-save"}, iptables(kernel.IPv4)}, {[]string{"ip6tables-legacy-save"}, iptables(kernel.IPv6)},
		{[]string{"ipset", "save"}, (*kernel.State).ReadIPSets},
	},
	kernel.NFTables: {{[]string{"nft", "-j", "list", "ruleset"}, (*kernel.State).ReadNFTables}},
}

// Programmed reads what the current namespace's kernel has been programmed with: one process per kind of table, whatever the
// number of objects. What changes during the call may be half there; ctx ends it.
func Programmed(ctx context.Context, b kernel.Backend) (*kernel.State, error) {
	tools, ok := dumps[b]
	if !ok {
		return nil, fmt.Errorf("no way to read rules of %q", b)
	}
	outputs := make([]bytes.Buffer, len(tools))
	group, ctx := errgroup.WithContext(ctx)
	for i, d := range tools {
		group.Go(func() error {
			var complaints bytes.Buffer
			cmd := exec.CommandContext(ctx, d.args[0], d.args[1:]...)
			cmd.Stdout, cmd.Stderr = &outputs[i], &complaints
			if err := cmd.Run(); err != nil {
				return fmt.Errorf("%v: %w: %s", d.args, err, bytes.TrimSpace(complaints.Bytes()))
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, fmt.Errorf("read the kernel: %w", err)
	}
	s := kernel.New()
	for i, d := range tools {
		if err := d.read(s, &outputs[i]); err != nil {
			return nil, fmt.Errorf("%v: %w", d.args, err)
		}
	}
	const rpFilter = "ipv4.conf.default.rp_filter" // what a new interface begins with
	value, err := os.ReadFile("/proc/sys/net/" + strings.ReplaceAll(rpFilter, ".", "/"))
	if err != nil {
		return nil, fmt.Errorf("read the kernel: %w", err)
	}
	s.Sysctls[rpFilter] = strings.TrimSpace(string(value))
	s.Interfaces, err = Interfaces()
	return s, err
}
