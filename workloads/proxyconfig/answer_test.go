package proxyconfig

import (
	"net/http"
	"net/netip"
	"slices"
	"testing"
)

func text(s string) *string { return &s }

func to(clusters ...string) (shares []Share) {
	for _, c := range clusters {
		shares = append(shares, Share{Cluster: c, Weight: 1})
	}
	return shares
}

func regex(t *testing.T, s string) (m PathMatch) {
	var err error
	if m.Regex, err = Regex(s); err != nil {
		t.Fatal(err)
	}
	return m
}

// sample is a configuration that has something of all; cluster x has the endpoint 10.0.0.x.
func sample(t *testing.T) *Config {
	oneLabel, err := Regex(`^[a-z0-9]([-a-z0-9]*[a-z0-9])?\.wild\.example(:[0-9]+)?`)
	if err != nil {
		t.Fatal(err)
	}
	hosts := []*VirtualHost{
		{Name: "exact", Domains: []string{"A.example"}, Routes: []Route{
			{Path: PathMatch{Exact: "/exact"}, Shares: to("1")},
			{Path: regex(t, "/r[0-9]+"), Shares: to("2")},
			{Path: PathMatch{Separated: "/seg"}, Headers: []ValueMatch{{Name: "x-version", Exact: text("2")}}, Shares: to("3")},
			{Path: PathMatch{Separated: "/seg"}, Queries: []ValueMatch{{Name: "q", Prefix: text("v")}}, Shares: to("4")},
			{Path: PathMatch{Separated: "/seg"}, Shares: to("5")},
			{Path: PathMatch{Prefix: "/pre"}, Shares: []Share{{"6", 90}, {"7", 10}, {"8", 0}}},
			{Path: PathMatch{Prefix: "/gone"}, Shares: to("none")},
			{Path: PathMatch{Prefix: "/half"}, Shares: to("1", "none")},
			{Path: PathMatch{Prefix: "/empty"}, Shares: to("empty")},
			{Path: PathMatch{Prefix: "/late"}, Shares: to("late")},
			{Path: PathMatch{Prefix: "/away"}, Redirect: &Redirect{Status: 302, Scheme: "https", Port: 8443}},
			{Path: PathMatch{Prefix: "/says"}, Direct: 418},
			{Path: PathMatch{Prefix: "/post"}, Headers: []ValueMatch{{Name: ":method", Exact: text("POST")}}, Shares: to("1")},
		}},
		{Name: "wild", Domains: []string{"*.wild.example"}, Routes: []Route{{Path: PathMatch{Prefix: "/"}, Headers: []ValueMatch{{Name: ":authority", Regex: oneLabel}}, Shares: to("2")}}},
		{Name: "longer", Domains: []string{"*.long.wild.example"}, Routes: []Route{{Path: PathMatch{Prefix: "/"}, Shares: to("3")}}},
		{Name: "begins", Domains: []string{"www.*"}, Routes: []Route{{Path: PathMatch{Prefix: "/"}, Shares: to("4")}}},
		{Name: "rest", Domains: []string{"*"}, Routes: []Route{{Path: PathMatch{Prefix: "/any"}, Shares: to("5")}}},
	}
	table, err := NewTable(Stamp{}, "all", hosts)
	if err != nil {
		t.Fatal(err)
	}
	c := &Config{
		Listeners: map[string]*Listener{
			"http": {Name: "http", Port: 80, Chains: []Chain{{HTTP: true, Table: "all"}}},
			"https": {Name: "https", Port: 443, Chains: []Chain{
				{TLS: true, Names: []string{"a.example"}, HTTP: true, Table: "all", Secret: "a"}, {TLS: true, Names: []string{"*.wild.example"}, HTTP: true, Table: "all", Secret: "w"},
				{TLS: true, Names: []string{"bytes.example"}},
			}},
		},
		Tables: map[string]*Table{"all": table}, Clusters: map[string]*Cluster{}, Endpoints: map[string]*Assignment{},
		Secrets: map[string]*Secret{"a": {Name: "a"}, "w": {Name: "w"}},
	}
	for i := byte(1); i <= 8; i++ {
		name := string('0' + rune(i))
		c.Clusters[name] = &Cluster{Name: name, Service: "of-" + name}
		c.Endpoints["of-"+name] = &Assignment{Addrs: []netip.AddrPort{netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, i}), 80)}}
	}
	c.Clusters["empty"], c.Endpoints["of-empty"] = &Cluster{Name: "empty", Service: "of-empty"}, &Assignment{}
	c.Clusters["late"] = &Cluster{Name: "late", Service: "of-late"}
	c.Clusters["idle"] = &Cluster{Name: "idle", Service: "of-idle"}
	return c
}

func TestAnswer(t *testing.T) {
	c := sample(t)
	for _, test := range []struct {
		host, path string
		change     func(*Request)
		want       []byte // the last byte of each endpoint
		status     int
		some       int
	}{
		{host: "a.example", path: "/exact", want: []byte{1}},
		{host: "A.Example:8080", path: "/exact?x=y", want: []byte{1}},
		{host: "a.example", path: "/exact/", status: 404},
		{host: "a.example", path: "/r12", want: []byte{2}},
		{host: "a.example", path: "/r12x", status: 404}, // all of the path must match
		{host: "a.example", path: "/seg/x", change: func(q *Request) { q.Headers = http.Header{"X-Version": {"2"}} }, want: []byte{3}},
		{host: "a.example", path: "/seg/x?q=v1", want: []byte{4}},
		{host: "a.example", path: "/seg", want: []byte{5}},
		{host: "a.example", path: "/segment", status: 404},
		{host: "a.example", path: "/prefix", want: []byte{6, 7}},
		{host: "a.example", path: "/gone", status: 503},
		{host: "a.example", path: "/half", want: []byte{1}, some: 503},
		{host: "a.example", path: "/empty", status: 503},
		{host: "a.example", path: "/late", status: 503},
		{host: "a.example", path: "/says", status: 418},
		{host: "a.example", path: "/post", status: 404},
		{host: "a.example", path: "/post", change: func(q *Request) { q.Method = "POST" }, want: []byte{1}},
		{host: "b.wild.example", path: "/", want: []byte{2}},
		{host: "b.wild.example:80", path: "/", want: []byte{2}},
		{host: "c.b.wild.example", path: "/", status: 404}, // its virtual host, but not its one label
		{host: "wild.example", path: "/any", want: []byte{5}},
		{host: "b.long.wild.example", path: "/", want: []byte{3}},
		{host: "www.else.example", path: "/", want: []byte{4}},
		{host: "other.example", path: "/any/x", want: []byte{5}},
		{host: "other.example", path: "/", status: 404},
		{host: "a.example", path: "/any", status: 404}, // no other virtual host is asked
	} {
		q := Request{Port: 80, Host: test.host, Path: test.path}
		if test.change != nil {
			test.change(&q)
		}
		got := c.Answer(q)
		var ends []byte
		for _, e := range got.Endpoints {
			ends = append(ends, e.Addr().As4()[3])
		}
		if !slices.Equal(ends, test.want) || got.Status != test.status || got.Some != test.some || got.Refused {
			t.Errorf("%+v: got %+v, want %v, %d, %d", q, got, test.want, test.status, test.some)
		}
	}
}

func TestAnswerByTLS(t *testing.T) {
	c := sample(t)
	ask := func(name, host string) Answer {
		return c.Answer(Request{Port: 443, TLS: true, Name: name, Host: host, Path: "/exact"})
	}
	if got := ask("", "a.example"); len(got.Endpoints) != 1 || c.Certificate(443, "a.example").Name != "a" || c.Certificate(443, "x.wild.example").Name != "w" {
		t.Errorf("got %+v", got)
	}
	for _, name := range []string{"b.example", "bytes.example"} {
		if got := ask(name, "a.example"); !got.Refused {
			t.Errorf("%s: got %+v", name, got)
		}
	}
	if got := c.Answer(Request{Port: 80, TLS: true, Host: "a.example", Path: "/exact"}); !got.Refused {
		t.Errorf("TLS to a port without it: %+v", got)
	}
	if got := c.Answer(Request{Port: 81, Host: "a.example"}); !got.Refused || got.Why == "" {
		t.Errorf("nothing listens there: %+v", got)
	}
	if c.Certificate(443, "b.example") != nil || c.Certificate(81, "a.example") != nil {
		t.Error("a certificate of nothing")
	}
}

func TestRedirect(t *testing.T) {
	got := sample(t).Answer(Request{Port: 80, Host: "a.example:80", Path: "/away/x?y"})
	if got.Status != 302 || got.Location != "https://a.example:8443/away/x?y" {
		t.Errorf("got %+v", got)
	}
	r := Route{Path: PathMatch{Separated: "/a"}, Redirect: &Redirect{Prefix: "/b", Host: "other"}}
	if got := r.Redirect.location(&r, Request{Host: "x", Path: "/a/c"}); got != "http://other/b/c" {
		t.Errorf("got %s", got)
	}
}

func TestAbsentHeaders(t *testing.T) {
	present := ValueMatch{Name: "h"}
	for name, c := range map[string]struct {
		m           ValueMatch
		there, gone bool // with the value v, without
	}{
		"present":            {present, true, false},
		"absent":             {ValueMatch{Absent: true}, false, true},
		"inverted present":   {ValueMatch{Invert: true}, false, true},
		"exact":              {ValueMatch{Exact: text("v")}, true, false},
		"another":            {ValueMatch{Exact: text("w")}, false, false},
		"not another":        {ValueMatch{Exact: text("w"), Invert: true}, true, false},
		"not, empty counts":  {ValueMatch{Exact: text("w"), Invert: true, AbsentIsEmpty: true}, true, true},
		"contains, any case": {ValueMatch{Contains: text("V"), Fold: true}, true, false},
		"suffix":             {ValueMatch{Suffix: text("v")}, true, false},
	} {
		if there, gone := c.m.Match([]string{"v"}), c.m.Match(nil); there != c.there || gone != c.gone {
			t.Errorf("%s: with it %v, without it %v", name, there, gone)
		}
	}
}

func TestUnused(t *testing.T) {
	c := sample(t)
	if got := c.Unused(); !slices.Equal(got, []string{"idle"}) {
		t.Errorf("unused: %v", got)
	}
}

func TestTableRefuses(t *testing.T) {
	for name, hosts := range map[string][]*VirtualHost{
		"a domain of two": {{Name: "1", Domains: []string{"a.example"}}, {Name: "2", Domains: []string{"A.example"}}},
		"no domains":      {{Name: "1"}},
	} {
		if _, err := NewTable(Stamp{}, "t", hosts); err == nil {
			t.Errorf("%s: it is accepted", name)
		}
	}
	if _, err := Regex("("); err == nil {
		t.Error("an expression that is none")
	}
}
