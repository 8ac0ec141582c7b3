package kernel

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// longestLine is what a line of a dump may have, in bytes.
const longestLine = 1 << 20

// ReadIPTables adds what iptables-save or ip6tables-save printed: chains, with empty ones and the kernel's own among them.
// Sets come from ReadIPSets.
func (s *State) ReadIPTables(f Family, r io.Reader) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 64<<10), longestLine)
	table, tokens := "", []string(nil)
	for lines.Scan() {
		line := lines.Text()
		switch {
		case line == "" || line[0] == '#' || line == "COMMIT":
		case line[0] == '*':
			table = line[1:]
		case line[0] == ':':
			name, _, _ := strings.Cut(line[1:], " ")
			s.Chains[ID{f, table, name}] = Chain{}
		case strings.HasPrefix(line, "-A "):
			var err error
			if tokens, err = split(line[3:], tokens[:0]); err != nil {
				return fmt.Errorf("read %s rules: %w", f, err)
			}
			id := ID{f, table, tokens[0]}
			rule, err := parseIPTables(tokens[1:])
			if err != nil {
				return fmt.Errorf("read %s rule %q: %w", f, line, err)
			}
			c := s.Chains[id]
			c.Rules = append(c.Rules, rule)
			s.Chains[id] = c
		default:
			return fmt.Errorf("read %s rules: no line of a dump: %q", f, line)
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("read %s rules: %w", f, err)
	}
	return nil
}

// split cuts a line as a shell would: at spaces, but not inside double quotes, in which a backslash keeps a character.
func split(line string, into []string) ([]string, error) {
	for line = strings.TrimLeft(line, " "); line != ""; line = strings.TrimLeft(line, " ") {
		if line[0] != '"' {
			word, rest, _ := strings.Cut(line, " ")
			into, line = append(into, word), rest
			continue
		}
		end := 1
		for end < len(line) && line[end] != '"' {
			if line[end] == '\\' {
				end++
			}
			end++
		}
		if end >= len(line) {
			return nil, fmt.Errorf("a quote is not closed: %q", line)
		}
		into, line = append(into, strings.ReplaceAll(line[1:end], `\`, "")), line[end+1:]
	}
	if len(into) == 0 {
		return nil, fmt.Errorf("an empty rule")
	}
	return into, nil
}

// plain are the options that take one word and become a condition of these words.
var plain = map[string]string{
	"-s": "from", "-d": "to", "-i": "in", "-o": "out", "-p": "proto", "--sports": "from port", "--dports": "to port", "--sport": "from port",
	"--dport": "to port",
}

func parseIPTables(args []string) (Rule, error) {
	var r Rule
	not := ""
	for i := 0; i < len(args); i++ {
		option, value, more := args[i], "", func(n int) bool { return i+n < len(args) }
		if more(1) {
			value = args[i+1]
		}
		condition := ""
		switch {
		case option == "!":
			not = "not "
			continue
		case option == "-m":
			i++
			continue
		case option == "--comment":
			r.Comment = strings.TrimSpace(r.Comment + " " + value)
			i++
			continue
		case plain[option] != "":
			condition = plain[option] + " " + conditionValue(option, value)
			i++
		case option == "--ctstate":
			condition = "ct " + sortedList(strings.ToLower(value))
			i++
		case option == "--mark":
			mark, mask, err := parseMark(value)
			if err != nil {
				return r, err
			}
			condition = markCondition(mark, mask)
			i++
		case option == "--match-set" && more(2):
			r.Sets = append(r.Sets, SetMatch{Set: value, Not: not != "", By: setDirection[args[i+2]]})
			i += 2
			not = ""
			continue
		case option == "--set-xmark":
			mark, mask, err := parseMark(value)
			if err != nil {
				return r, err
			}
			r.Mark = Mark{Clear: mask &^ mark, Set: mark}
			i++
			continue
		case option == "-j" || option == "-g":
			r.target(option, value)
			i++
			continue
		default: // what this package has no words for stays as it is
			condition = option
			for more(1) && args[i+1][0] != '-' && args[i+1] != "!" {
				i++
				condition += " " + args[i]
			}
		}
		r.Where = append(r.Where, not+condition)
		not = ""
	}
	slices.Sort(r.Where)
	if r.Do == "" {
		r.Do = Continue
	}
	return r, nil
}

var setDirection = map[string]string{"src": "from", "dst": "to", "src,src": "from port", "dst,dst": "to port"}

func (r *Rule) target(option, value string) {
	switch value {
	case "ACCEPT", "DROP", "RETURN", "MARK":
		r.Do = Verdict(strings.ToLower(value))
		return
	}
	if option == "-g" {
		r.Do, r.Chain = Goto, value
		return
	}
	r.Do, r.Chain = Jump, value // of a target with no chain, such as NFLOG, the same
}

func conditionValue(option, value string) string {
	switch option {
	case "-s", "-d":
		return strings.TrimSuffix(strings.TrimSuffix(value, "/32"), "/128")
	case "-i", "-o":
		if rest, ok := strings.CutSuffix(value, "+"); ok {
			return rest + "*"
		}
	case "--dports", "--sports", "--dport", "--sport":
		return sortedPorts(strings.Split(strings.ReplaceAll(value, ":", "-"), ","))
	}
	return value
}

func sortedList(list string) string {
	words := strings.Split(list, ",")
	slices.Sort(words)
	return strings.Join(words, ",")
}

// sortedPorts orders ports and ranges by where they begin, as a set of them has no order.
func sortedPorts(ports []string) string {
	first := func(p string) int {
		begin, _, _ := strings.Cut(p, "-")
		n, _ := strconv.Atoi(begin)
		return n
	}
	slices.SortStableFunc(ports, func(a, b string) int { return first(a) - first(b) })
	return strings.Join(ports, ",")
}

func markCondition(mark, mask uint32) string { return fmt.Sprintf("mark %#x/%#x", mark, mask) }

func parseMark(s string) (mark, mask uint32, err error) {
	value, masked, ok := strings.Cut(s, "/")
	if !ok {
		masked = "0xffffffff"
	}
	m, err := strconv.ParseUint(value, 0, 32)
	if err != nil {
		return 0, 0, fmt.Errorf("mark %q: %w", s, err)
	}
	n, err := strconv.ParseUint(masked, 0, 32)
	if err != nil {
		return 0, 0, fmt.Errorf("mark %q: %w", s, err)
	}
	return uint32(m), uint32(n), nil
}
