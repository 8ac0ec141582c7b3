package proxyconfig

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// PathMatch matches a request's path without its query. One alone of its fields is set.
type PathMatch struct {
	Prefix    string         // begins it, byte by byte
	Separated string         // is it, or begins it before a slash
	Exact     string         // is it
	Regex     *regexp.Regexp // matches all of it
	Fold      bool           // case does not matter
}

// Match reports whether it matches.
func (m PathMatch) Match(path string) bool {
	if m.Regex != nil {
		return m.Regex.MatchString(path)
	}
	prefix, separated, exact := m.Prefix, m.Separated, m.Exact
	if m.Fold {
		path, prefix, separated, exact = strings.ToLower(path), strings.ToLower(prefix), strings.ToLower(separated), strings.ToLower(exact)
	}
	switch {
	case exact != "":
		return path == exact
	case separated != "":
		rest, ok := strings.CutPrefix(path, separated)
		return ok && (rest == "" || rest[0] == '/')
	}
	return strings.HasPrefix(path, prefix)
}

// ValueMatch matches the values of a header or of a query's parameter. If none but Name and Invert is set it matches one that is there.
type ValueMatch struct {
	Name                            string // of a header in lower case
	Exact, Prefix, Suffix, Contains *string
	Regex                           *regexp.Regexp // matches all of it
	Fold                            bool           // case does not matter
	Invert                          bool           // it matches what it would not match
	AbsentIsEmpty                   bool           // one that is absent is matched as if it were empty
	Absent                          bool           // it matches one that is absent alone
}

// Match reports whether it matches; there are no values if it is absent.
func (m ValueMatch) Match(values []string) bool {
	there := len(values) > 0
	if m.Absent {
		return !there != m.Invert
	}
	if !there && m.AbsentIsEmpty {
		values, there = []string{""}, true
	}
	if !there {
		// An absent header fails every match, also one that is turned around, but the one that asks whether it is there.
		return m.Invert && m.presence()
	}
	return m.matches(strings.Join(values, ",")) != m.Invert
}

func (m ValueMatch) presence() bool {
	return m.Exact == nil && m.Prefix == nil && m.Suffix == nil && m.Contains == nil && m.Regex == nil
}

func (m ValueMatch) matches(value string) bool {
	if m.Regex != nil {
		return m.Regex.MatchString(value)
	}
	fold := func(s string) string {
		if m.Fold {
			return strings.ToLower(s)
		}
		return s
	}
	value = fold(value)
	switch {
	case m.Exact != nil:
		return value == fold(*m.Exact)
	case m.Prefix != nil:
		return strings.HasPrefix(value, fold(*m.Prefix))
	case m.Suffix != nil:
		return strings.HasSuffix(value, fold(*m.Suffix))
	case m.Contains != nil:
		return strings.Contains(value, fold(*m.Contains))
	}
	return true
}

// Match reports whether a route matches a request.
func (r Route) Match(q Request) bool {
	path, query, _ := strings.Cut(q.Path, "?")
	path, _, _ = strings.Cut(path, "#")
	if !r.Path.Match(cmp.Or(path, "/")) {
		return false
	}
	for _, h := range r.Headers {
		if !h.Match(q.header(h.Name)) {
			return false
		}
	}
	if len(r.Queries) == 0 {
		return true
	}
	values, _ := url.ParseQuery(query) // what can't be read of it is not there
	for _, m := range r.Queries {
		if !m.Match(values[m.Name]) {
			return false
		}
	}
	return true
}

// header returns the values of a header, also of those that stand for the parts of the request line.
func (q Request) header(name string) []string {
	switch name {
	case ":authority", "host":
		return []string{q.Host}
	case ":method":
		return []string{cmp.Or(q.Method, http.MethodGet)}
	case ":path":
		return []string{q.Path}
	case ":scheme":
		if q.TLS {
			return []string{"https"}
		}
		return []string{"http"}
	}
	return q.Headers.Values(name)
}

// NewTable returns a table, or why a proxy refuses it: a domain may be in it once.
func NewTable(stamp Stamp, name string, hosts []*VirtualHost) (*Table, error) {
	t := &Table{Stamp: stamp, Name: name, Hosts: hosts, byDomain: make(map[string]*VirtualHost, len(hosts))}
	for _, h := range hosts {
		if len(h.Domains) == 0 {
			return nil, fmt.Errorf("virtual host %s: no domains", h.Name)
		}
		for _, d := range h.Domains {
			d = strings.ToLower(d)
			if other := t.byDomain[d]; other != nil {
				return nil, fmt.Errorf("domain %s is of two virtual hosts, %s and %s", d, other.Name, h.Name)
			}
			t.byDomain[d] = h
			switch {
			case d == "*":
			case strings.HasPrefix(d, "*"):
				t.suffixes = append(t.suffixes, d[1:])
			case strings.HasSuffix(d, "*"):
				t.prefixes = append(t.prefixes, d[:len(d)-1])
			}
		}
	}
	longest := func(a, b string) int { return cmp.Compare(len(b), len(a)) }
	slices.SortStableFunc(t.suffixes, longest)
	slices.SortStableFunc(t.prefixes, longest)
	return t, nil
}

// Host returns the virtual host of a request's host, without its port: the domain itself, then the longest that ends it, then the longest that
// begins it, then that of all; nil: none.
func (t *Table) Host(host string) *VirtualHost {
	host = strings.ToLower(host)
	if h := t.byDomain[host]; h != nil {
		return h
	}
	for _, s := range t.suffixes {
		if len(host) > len(s) && strings.HasSuffix(host, s) {
			return t.byDomain["*"+s]
		}
	}
	for _, p := range t.prefixes {
		if len(host) > len(p) && strings.HasPrefix(host, p) {
			return t.byDomain[p+"*"]
		}
	}
	return t.byDomain["*"]
}

// withoutPort cuts a port off a host.
func withoutPort(host string) string {
	i := strings.LastIndexByte(host, ':')
	if i < 0 || strings.HasSuffix(host, "]") {
		return host
	}
	if _, err := strconv.ParseUint(host[i+1:], 10, 16); err != nil {
		return host
	}
	return host[:i]
}

// chain returns the chain of a listener for a connection; nil: none. A name that is asked for itself comes before one that ends it, the longest
// first, and that before those of any name.
func (l *Listener) chain(tls bool, name string) *Chain {
	name = strings.ToLower(name)
	best, score := (*Chain)(nil), -1
	for i := range l.Chains {
		c := &l.Chains[i]
		if c.TLS != tls {
			continue
		}
		if s := c.score(name); s > score {
			best, score = c, s
		}
	}
	return best
}

func (c *Chain) score(name string) int {
	if len(c.Names) == 0 {
		return 0
	}
	score := -1
	for _, n := range c.Names {
		n = strings.ToLower(n)
		switch suffix, wild := strings.CutPrefix(n, "*"); {
		case n == name:
			score = max(score, 1<<20)
		case wild && len(name) > len(suffix) && strings.HasSuffix(name, suffix):
			score = max(score, len(suffix))
		}
	}
	return score
}

// Regex compiles an expression that must match all of a text. The two syntaxes are the same.
func Regex(text string) (*regexp.Regexp, error) {
	compiled, err := regexp.Compile(`\A(?:` + text + `)\z`)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("expression %q", text), err)
	}
	return compiled, nil
}
