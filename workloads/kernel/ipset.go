package kernel

import (
	"bufio"
	"fmt"
	"io"
	"strings"
)

// ReadIPSets adds what `ipset save` printed. Of each set family and members are kept.
func (s *State) ReadIPSets(r io.Reader) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 64<<10), longestLine)
	ids, members := map[string]ID{}, map[string][]string{}
	for lines.Scan() {
		verb, rest, _ := strings.Cut(lines.Text(), " ")
		name, rest, _ := strings.Cut(rest, " ")
		switch verb {
		case "":
		case "create":
			id := ID{Family: IPv4, Name: name}
			if strings.Contains(rest, " family inet6 ") {
				id.Family = IPv6
			}
			ids[name] = id
		case "add":
			member, _, _ := strings.Cut(rest, " ")
			members[name] = append(members[name], member)
		default:
			return fmt.Errorf("read IP sets: no line of a dump: %q", lines.Text())
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("read IP sets: %w", err)
	}
	for name, id := range ids {
		for i, m := range members[name] {
			members[name][i] = member(m)
		}
		s.Sets[id] = Set{Members: members[name]}
	}
	return nil
}

// member writes "10.0.0.1,tcp:80" as "10.0.0.1 tcp 80".
func member(m string) string {
	addr, port, ok := strings.Cut(m, ",")
	if !ok {
		return m
	}
	if proto, number, ok := strings.Cut(port, ":"); ok {
		return addr + " " + proto + " " + number
	}
	return addr + " " + port
}
