//go:build linux

package netns

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"

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
	outputs, err := runAll(ctx, tools)
	if err != nil {
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

// runAll runs the tools side by side. A process is born in the namespace of the thread that starts it, so all are started by
// the caller's.
func runAll(ctx context.Context, tools []dump) ([]bytes.Buffer, error) {
	outputs, complaints := make([]bytes.Buffer, len(tools)), make([]bytes.Buffer, len(tools))
	running := make([]*exec.Cmd, 0, len(tools))
	var failed error
	for i, d := range tools {
		cmd := exec.CommandContext(ctx, d.args[0], d.args[1:]...)
		cmd.Stdout, cmd.Stderr = &outputs[i], &complaints[i]
		if err := cmd.Start(); err != nil {
			failed = errors.Join(failed, fmt.Errorf("%v: %w", d.args, err))
			break
		}
		running = append(running, cmd)
	}
	for i, cmd := range running {
		if err := cmd.Wait(); err != nil {
			failed = errors.Join(failed, fmt.Errorf("%v: %w: %s", tools[i].args, err, bytes.TrimSpace(complaints[i].Bytes())))
		}
	}
	return outputs, failed
}
