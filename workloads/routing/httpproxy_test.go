package routing

import (
	"testing"

	"github.com/nodefv/nodefv/workloads"
)

func share(service string, weight int64) workloads.HTTPProxyService {
	return workloads.HTTPProxyService{Name: service, Port: 80, Weight: weight}
}

func proxyRouteTo(prefix string, headers map[string]string, services ...workloads.HTTPProxyService) workloads.HTTPProxyRoute {
	return workloads.HTTPProxyRoute{Prefix: prefix, Headers: headers, Services: services}
}

func httpProxy(name, host string, routes ...workloads.HTTPProxyRoute) workloads.HTTPProxy {
	return workloads.HTTPProxy{Key: key(name), Class: class, Host: host, Routes: routes}
}

func TestHTTPProxies(t *testing.T) {
	v2 := map[string]string{"x-version": "2"}
	others := httpProxy("others", "others.example", proxyRouteTo("", nil, share("a", 0)))
	others.Class = "another"
	secure := httpProxy("secure", "secure.example", proxyRouteTo("", nil, share("a", 0)))
	secure.Secret = "shown"
	table := NewTable(Dialect{IngressClass: class, HostsRank: true, SkipsUnserved: true}, shop(
		httpProxy("all", "all.example", proxyRouteTo("", nil, share("a", 0)), proxyRouteTo("/b", nil, share("b", 0)), proxyRouteTo("/b", v2, share("c", 0)), proxyRouteTo("/b/long", nil, share("d", 0))),
		httpProxy("some", "some.example", proxyRouteTo("/only", nil, share("a", 0))),
		httpProxy("weights", "weights.example", proxyRouteTo("", nil, share("a", 90), share("b", 10), share("c", 0))),
		httpProxy("alike", "alike.example", proxyRouteTo("", nil, share("a", 0), share("b", 0))),
		httpProxy("half", "half.example", proxyRouteTo("", nil, share("nobody", 50), share("b", 50))),
		httpProxy("none", "none.example", proxyRouteTo("", nil, share("nobody", 0))),
		httpProxy("empty", "empty.example", proxyRouteTo("", nil, share("f", 0), share("a", 0))),
		httpProxy("wild", "*.wild.example", proxyRouteTo("", nil, share("e", 0))),
		httpProxy("exact", "exact.wild.example", proxyRouteTo("", nil, share("d", 0))),
		httpProxy("one", "twice.example", proxyRouteTo("", nil, share("a", 0))), httpProxy("two", "twice.example", proxyRouteTo("", nil, share("b", 0))),
		others, secure,
	))
	for _, c := range []struct {
		request Request
		want    string
	}{
		{Request{Host: "all.example", Path: "/"}, "200 of n/a-0"},
		{Request{Host: "all.example", Path: "/b"}, "200 of n/b-0"},
		{Request{Host: "all.example", Path: "/bytes"}, "200 of n/b-0"}, // a prefix is one of bytes
		{Request{Host: "all.example", Path: "/b", Header: v2}, "200 of n/c-0"},
		{Request{Host: "all.example", Path: "/b/long", Header: v2}, "200 of n/d-0"}, // the longest comes before headers
		{Request{Host: "some.example", Path: "/only/x"}, "200 of n/a-0"},
		{Request{Host: "some.example", Path: "/"}, "404"},
		{Request{Host: "weights.example", Path: "/"}, "200 of n/a-0 or n/b-0"},
		{Request{Host: "alike.example", Path: "/"}, "200 of n/a-0 or n/b-0"},
		{Request{Host: "half.example", Path: "/"}, "200 of n/b-0"},
		{Request{Host: "none.example", Path: "/"}, "503"},
		{Request{Host: "empty.example", Path: "/"}, "200 of n/a-0 or 503"},
		{Request{Host: "any.wild.example", Path: "/"}, "200 of n/e-0"},
		{Request{Host: "exact.wild.example", Path: "/"}, "200 of n/d-0"},
		{Request{Host: "two.labels.wild.example", Path: "/"}, "404"},
		{Request{Host: "twice.example", Path: "/"}, "404"},
		{Request{Host: "others.example", Path: "/"}, "404"},
		{Request{Host: "all.example", Path: "/", TLS: true}, "404"},
		{Request{Host: "secure.example", Path: "/", TLS: true}, "200 of n/a-0"},
	} {
		if got := table.Answer(c.request).String(); got != c.want {
			t.Errorf("%s: got %s, want %s", c.request, got, c.want)
		}
	}
	asked := map[string]bool{}
	for _, r := range table.dialect.Requests(table.state) {
		asked[r.String()] = true
	}
	if !asked["GET http://any.wild.example/below"] || !asked["GET http://all.example/b/below (x-version: 2)"] || !asked["GET https://secure.example/below"] || len(asked) != 14 {
		t.Errorf("asked for: %d: %v", len(asked), asked)
	}
}
