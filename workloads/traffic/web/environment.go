//go:build linux

package web

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/nodefv/nodefv/metrics/report"
	"github.com/nodefv/nodefv/workloads/requests"
)

// Environment says what of the machine bounds a load that is made from the client's node, and what of the process that is asked, if About was
// told of it. Without a load (nil) it says less.
func (c *Client) Environment(l *requests.Load) (e report.Environment, err error) {
	c.mu.Lock()
	about := c.about
	c.mu.Unlock()
	pid := 0
	if about != nil {
		if pid, err = about(); err != nil {
			return e, err
		}
	}
	err = c.node.Do(func() (err error) {
		e, err = Environment(l, pid)
		return err
	})
	return e, err
}

// About says how to find the number of the process that is asked.
func (c *Client) About(process func() (int, error)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.about = process
}

// Environment says what of the machine bounds a load (nil: none) that is made from the current namespace, and what of the process pid, which is
// asked (0: it is not known).
func Environment(l *requests.Load, pid int) (e report.Environment, err error) {
	e.At = time.Now()
	if e.Settings, err = settings(l, pid); err == nil {
		e.Counters, err = counters()
	}
	if err != nil {
		return e, fmt.Errorf("read what bounds a load: %w", err)
	}
	return e, nil
}

// bound is a setting, and how much of it a load needs.
type bound struct {
	name, doc string
	needs     func(requests.Load) int
}

// all is how many connections a load has.
func all(l requests.Load) int { return l.Connections + l.Idle }

// bounds are the settings that matter. What is begun a second may come all at once: the backlog has to take what comes within a tenth of one.
var bounds = []bound{
	{"net.core.somaxconn", "connections that wait to be taken, for each listening socket", burst},
	{"net.ipv4.tcp_max_syn_backlog", "connections that are being begun, for each listening socket", burst},
	{"net.ipv4.ip_local_port_range", "connections from one address to one address and port", requests.Load.Ports},
	{"net.netfilter.nf_conntrack_max", "connections that are tracked: those of the clients and those of the proxy", func(l requests.Load) int { return 2 * all(l) }},
	{"fs.file-max", "open files of the machine: four ends for each connection through a proxy", func(l requests.Load) int { return 4 * all(l) }},
	{"net.core.netdev_max_backlog", "packets that wait for a processor", func(requests.Load) int { return 0 }},
	{"net.ipv4.tcp_tw_reuse", "whether ports of connections that have ended are taken again", func(requests.Load) int { return 0 }},
	{"net.ipv4.tcp_mem", "pages of all sockets' memory", func(requests.Load) int { return 0 }},
}

func burst(l requests.Load) int {
	return min(all(l), int(l.ConnectRate/10))
}

// settings reads them in the current namespace. What the kernel does not have, such as tracking, is left out.
func settings(l *requests.Load, pid int) (all []report.Setting, err error) {
	for _, b := range bounds {
		text, err := os.ReadFile("/proc/sys/" + strings.ReplaceAll(b.name, ".", "/"))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		s := report.Setting{Name: b.name, Doc: b.doc, Value: strings.Join(strings.Fields(string(text)), " ")}
		s.Has = amount(b.name, s.Value)
		if l != nil {
			s.Needs = uint64(b.needs(l.WithDefaults()))
		}
		if s.Lacks() {
			s.Command = mend(s)
		}
		all = append(all, s)
	}
	for _, of := range []struct {
		who string
		pid int
	}{{"the client's process", os.Getpid()}, {"the process that is asked", pid}} {
		s, err := openFiles(of.who, of.pid, l)
		if err != nil {
			return nil, err
		}
		if s.Name != "" {
			all = append(all, s)
		}
	}
	return all, nil
}

// amount is what a value amounts to.
func amount(name, value string) uint64 {
	words := strings.Fields(value)
	if len(words) == 0 {
		return 0
	}
	first, _ := strconv.ParseUint(words[0], 10, 64) // what is no number bounds nothing
	last, _ := strconv.ParseUint(words[len(words)-1], 10, 64)
	if name == "net.ipv4.ip_local_port_range" {
		return last - first + 1
	}
	return last
}

func mend(s report.Setting) string {
	if s.Name == "net.ipv4.ip_local_port_range" {
		return "sysctl -w net.ipv4.ip_local_port_range='1024 65535', or more addresses to ask from"
	}
	return fmt.Sprintf("sysctl -w %s=%d", s.Name, s.Needs)
}

// openFiles is the limit of a process. Our clients spread over processes, so theirs is told and not compared.
func openFiles(who string, pid int, l *requests.Load) (s report.Setting, err error) {
	if pid == 0 {
		return s, nil
	}
	text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "limits"))
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil // it has ended
	}
	if err != nil {
		return s, err
	}
	for line := range strings.Lines(string(text)) {
		words := strings.Fields(strings.TrimPrefix(line, "Max open files"))
		if !strings.HasPrefix(line, "Max open files") || len(words) < 2 {
			continue
		}
		s = report.Setting{Name: "open files of " + who, Doc: "its connections, and others", Value: words[0] + ", at most " + words[1], Has: amount("", words[0])}
		if l != nil && pid != os.Getpid() {
			// Each connection that asks may have one to a backend.
			if s.Needs = uint64(2*l.Connections + l.Idle); s.Lacks() {
				s.Command = fmt.Sprintf("prlimit --pid %d --nofile=%d, or ulimit -n before it begins", pid, s.Needs)
			}
		}
	}
	return s, nil
}

// limits are the kernel's counters of limits that were hit, by the table below /proc/net that has them.
var limits = map[string][]string{
	"netstat": {"ListenOverflows", "ListenDrops", "TCPReqQFullDoCookies", "TCPReqQFullDrop", "SyncookiesSent", "TCPAbortOnMemory", "TCPMemoryPressures", "TCPTimeWaitOverflow", "TCPBacklogDrop", "TCPRcvQDrop"},
	"snmp":    {"AttemptFails", "InErrs"},
}

// counters reads them in the current namespace.
func counters() (map[string]uint64, error) {
	found := map[string]uint64{}
	for table, names := range limits {
		text, err := os.ReadFile("/proc/thread-self/net/" + table)
		if err != nil {
			return nil, err
		}
		values := tabled(string(text))
		for _, n := range names {
			if v, ok := values[n]; ok {
				found[n] = v
			}
		}
	}
	return found, tracked(found)
}

// tabled reads a table whose lines come in pairs: names, then values.
func tabled(text string) map[string]uint64 {
	values := map[string]uint64{}
	lines := strings.Split(text, "\n")
	for i := 0; i+1 < len(lines); i += 2 {
		names, numbers := strings.Fields(lines[i]), strings.Fields(lines[i+1])
		for j := 1; j < len(names) && j < len(numbers); j++ {
			if v, err := strconv.ParseUint(numbers[j], 10, 64); err == nil {
				values[names[j]] = v
			}
		}
	}
	return values
}

// tracked adds what connection tracking had no room for, of all processors.
func tracked(to map[string]uint64) error {
	text, err := os.ReadFile("/proc/thread-self/net/stat/nf_conntrack")
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	names := strings.Fields(lines[0])
	for _, line := range lines[1:] {
		for j, word := range strings.Fields(line) {
			if j < len(names) && (names[j] == "drop" || names[j] == "early_drop" || names[j] == "insert_failed") {
				v, err := strconv.ParseUint(word, 16, 64)
				if err != nil {
					return fmt.Errorf("read nf_conntrack's statistics: %w", err)
				}
				to["conntrack "+names[j]] += v
			}
		}
	}
	return nil
}
