//go:build linux

package netns

import (
	"errors"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
)

// Losses are two rules of iptables in a namespace: one counts packets that arrive by a protocol on a port, and one drops a share of
// them by the match statistic. They go with the namespace.
type Losses struct {
	ns    *Namespace
	match []string
	share string
	chain string
}

// Lose makes the rules, for IPv4. It needs iptables.
func Lose(ns *Namespace, protocol string, port uint16, share float64) (*Losses, error) {
	l := &Losses{ns: ns, share: strconv.FormatFloat(share, 'f', -1, 64), chain: fmt.Sprintf("fv-%s-%d", protocol, port)}
	l.match = []string{"PREROUTING", "-p", protocol, "--dport", strconv.Itoa(int(port)), "-j", l.chain}
	for _, rule := range [][]string{
		{"-N", l.chain},
		append([]string{"-A"}, l.match...),
		{"-A", l.chain, "-m", "statistic", "--mode", "random", "--probability", l.share, "-j", "DROP"},
	} {
		if _, err := l.iptables(rule...); err != nil {
			return nil, errors.Join(err, l.Close())
		}
	}
	return l, nil
}

// Count says how many packets the rules have seen, and dropped.
func (l *Losses) Count() (seen, dropped uint64, err error) {
	text, err := l.iptables("-L", "-nvx")
	if err != nil {
		return 0, 0, err
	}
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		if len(words) < 3 {
			continue
		}
		counter := &seen
		if words[2] == "DROP" && strings.Contains(line, "statistic mode random") {
			counter = &dropped
		} else if words[2] != l.chain {
			continue
		}
		if *counter, err = strconv.ParseUint(words[0], 10, 64); err != nil {
			return 0, 0, fmt.Errorf("read counters of rules: %q: %w", line, err)
		}
	}
	return seen, dropped, nil
}

// Close removes the rules.
func (l *Losses) Close() (errs error) {
	for _, rule := range [][]string{append([]string{"-D"}, l.match...), {"-F", l.chain}, {"-X", l.chain}} {
		_, err := l.iptables(rule...)
		errs = errors.Join(errs, err)
	}
	return errs
}

// iptables works in the namespace on the table that is looked at first, before connections are tracked.
func (l *Losses) iptables(args ...string) (said string, err error) {
	err = l.ns.Do(func() error {
		out, err := exec.Command("iptables", append([]string{"-w", "10", "-t", "raw"}, args...)...).CombinedOutput()
		if said = string(out); err != nil {
			return fmt.Errorf("iptables %s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(said))
		}
		return nil
	})
	return said, err
}
