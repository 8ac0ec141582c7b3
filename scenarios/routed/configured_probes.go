package routed

import (
	"context"
	"encoding/pem"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/nodefv/nodefv/metrics/report"
	"github.com/nodefv/nodefv/scenarios/engine"
	"github.com/nodefv/nodefv/workloads"
	"github.com/nodefv/nodefv/workloads/proxyconfig"
	"github.com/nodefv/nodefv/workloads/routing"
)

// Served wants the SUT to serve the kinds of resources with which a proxy begins.
type Served struct{ Follower Follower }

// Name returns the probe's name.
func (Served) Name() string { return "configuration" }

// Want returns that listeners and clusters were read.
func (Served) Want(workloads.State) engine.Facts {
	return engine.Facts{served(proxyconfig.Listeners): "yes", served(proxyconfig.Clusters): "yes"}
}

// Got looks at what was read.
func (p Served) Got(context.Context, workloads.State) (engine.Facts, error) {
	c, facts := p.Follower.Config(), engine.Facts{}
	if c.Listeners != nil {
		facts[served(proxyconfig.Listeners)] = "yes"
	}
	if c.Clusters != nil {
		facts[served(proxyconfig.Clusters)] = "yes"
	}
	return facts, nil
}

func served(kind proxyconfig.Kind) report.Fact {
	return report.Fact{Aspect: report.Heard, Kind: configKind, Subject: string(kind) + " served"}
}

// configKind is the kind of subjects that are parts of a proxy's configuration.
const configKind report.Kind = "configuration"

// Answers wants a proxy with the configuration to do with requests what the model says: with one for each route of the model, and with one for each
// route of the configuration, of which the model may know nothing.
type Answers struct{ *Configured }

// Name returns the probe's name.
func (Answers) Name() string { return "configured answers" }

// Want asks the model.
func (p Answers) Want(s workloads.State) engine.Facts {
	p.law.Lock()
	defer p.law.Unlock()
	facts := engine.Facts{}
	for _, e := range p.expect(s) {
		facts[e.fact] = e.told
	}
	return facts
}

// Got asks the configuration. Where an API leaves open which of several answers is right, any of them is taken for what the model says.
func (p Answers) Got(_ context.Context, s workloads.State) (engine.Facts, error) {
	p.law.Lock()
	defer p.law.Unlock()
	config, facts := p.Follower.Config(), engine.Facts{}
	own := p.requests(config)
	for _, e := range p.expect(s) {
		got := p.answer(config, e.request, e.names)
		if facts[e.fact] = e.told; !agrees(got, e.want) {
			facts[e.fact] = tell(got)
		}
		delete(own, e.fact.Subject)
	}
	for _, r := range own {
		want, names := p.law.answer(r)
		if got := p.answer(config, r, names); !agrees(got, want) {
			facts[asked(r)] = tell(got) + ", the model says " + tell(want)
		}
	}
	return facts, nil
}

// expected is what the model says of a request.
type expected struct {
	request routing.Request
	fact    report.Fact
	want    routing.Answer
	told    string
	names   names
}

// expect returns what the model says of all requests that are asked for in a state. It is worked out once for each state.
func (c *Configured) expect(s workloads.State) []expected {
	if c.law.all != nil && c.law.now.Equal(s) {
		return c.law.all
	}
	c.law.follow(s)
	asks := c.asks(s)
	c.law.all = make([]expected, 0, len(asks))
	for _, r := range asks {
		want, names := c.law.answer(r)
		c.law.all = append(c.law.all, expected{r, asked(r), want, tell(want), names})
	}
	return c.law.all
}

// requests returns a request for each route of a configuration, by what it is called; of those that match by an expression there is none.
func (c *Configured) requests(config *proxyconfig.Config) map[string]routing.Request {
	all := map[string]routing.Request{}
	for _, l := range config.Listeners {
		if l.Port != c.HTTP && l.Port != c.HTTPS {
			continue
		}
		for _, chain := range l.Chains {
			table := config.Tables[chain.Table]
			if table == nil {
				continue
			}
			for _, h := range table.Hosts {
				for _, r := range h.Routes {
					for _, d := range h.Domains {
						if request, ok := requestOf(r, d); ok {
							request.TLS = chain.TLS
							all[asked(request).Subject] = request
						}
					}
				}
			}
		}
	}
	return all
}

// requestOf returns a request that a route of a domain matches, if one is easily found.
func requestOf(r proxyconfig.Route, domain string) (q routing.Request, ok bool) {
	if r.Path.Regex != nil || len(r.Queries) > 0 || slices.ContainsFunc(r.Headers, func(h proxyconfig.ValueMatch) bool { return h.Name != ":authority" }) {
		return q, false
	}
	if domain == "*" {
		domain = "nobody.example"
	}
	q.Host, q.Path = strings.Replace(domain, "*", "any", 1), r.Path.Exact
	switch {
	case r.Path.Separated != "":
		q.Path = r.Path.Separated + "/below"
	case r.Path.Prefix != "":
		q.Path = strings.TrimSuffix(r.Path.Prefix, "/") + "/below"
	}
	return q, q.Path != ""
}

// answer is what a proxy with a configuration does with a request, in the model's words. What it would not even listen to counts as not found.
func (c *Configured) answer(config *proxyconfig.Config, r routing.Request, names names) (a routing.Answer) {
	got := config.Answer(c.request(r))
	for _, e := range got.Endpoints {
		name, known := names[e]
		if !known {
			name = workloads.Key{Name: e.String()}
		}
		a.Backends = append(a.Backends, name)
	}
	slices.SortFunc(a.Backends, workloads.Key.Compare)
	a.Backends = slices.Compact(a.Backends)
	for _, status := range []int{got.Status, got.Some} {
		if status != 0 {
			a.Statuses = append(a.Statuses, status)
		}
	}
	if got.Refused {
		a.Statuses = []int{http.StatusNotFound}
	}
	return a
}

// request is a request as a proxy gets it.
func (c *Configured) request(r routing.Request) proxyconfig.Request {
	q := proxyconfig.Request{Port: c.HTTP, TLS: r.TLS, Host: r.Host, Method: r.Method, Path: r.Path}
	if r.TLS {
		q.Port = c.HTTPS
	}
	if len(r.Header) > 0 {
		q.Headers = http.Header{}
		for name, value := range r.Header {
			q.Headers.Set(name, value)
		}
	}
	for i, name := range slices.Sorted(maps.Keys(r.Query)) {
		q.Path += map[bool]string{true: "?", false: "&"}[i == 0] + name + "=" + r.Query[name]
	}
	return q
}

// agrees reports whether a configuration that can answer so is right. It has to say all that the model says, but for what is left open.
func agrees(got, want routing.Answer) bool {
	if len(want.By) < 2 {
		return got.Equal(want)
	}
	for _, pod := range got.Backends {
		if !want.Allows(pod, http.StatusOK) {
			return false
		}
	}
	for _, status := range got.Statuses {
		if !want.Allows(workloads.Key{}, status) {
			return false
		}
	}
	return len(got.Backends)+len(got.Statuses) > 0
}

// tell names all that may answer.
func tell(a routing.Answer) string {
	var all []string
	for _, b := range a.Backends {
		all = append(all, b.String())
	}
	for _, s := range a.Statuses {
		all = append(all, strconv.Itoa(s))
	}
	return strings.Join(all, " or ")
}

// asked is the fact of what answers a request.
func asked(r routing.Request) report.Fact {
	return report.Fact{Aspect: report.Routes, Kind: configKind, Subject: r.String()}
}

// Unused wants no cluster that no route leads to.
type Unused struct{ Follower Follower }

// Name returns the probe's name.
func (Unused) Name() string { return "configured clusters" }

// Want returns nothing.
func (Unused) Want(workloads.State) engine.Facts { return engine.Facts{} }

// Got lists them.
func (p Unused) Got(context.Context, workloads.State) (engine.Facts, error) {
	facts := engine.Facts{}
	for _, name := range p.Follower.Config().Unused() {
		facts[report.Fact{Aspect: report.Members, Kind: configKind, Subject: "cluster " + name}] = "no route leads to it"
	}
	return facts, nil
}

// Shown wants a TLS client to be shown the certificate, for each host, that is in the secret which its Ingress names.
type Shown struct{ *Configured }

// Name returns the probe's name.
func (Shown) Name() string { return "configured certificates" }

// Want takes them from the model.
func (p Shown) Want(s workloads.State) engine.Facts { return certificates(p.Dialect, s) }

// Got takes them from the configuration.
func (p Shown) Got(_ context.Context, s workloads.State) (engine.Facts, error) {
	config, facts := p.Follower.Config(), engine.Facts{}
	for host := range p.Dialect.Certificates(s) {
		secret := config.Certificate(p.HTTPS, aName(host))
		if secret == nil {
			continue
		}
		if block, _ := pem.Decode(secret.Certificate); block != nil {
			facts[certificate(host)] = fingerprint(block.Bytes)
		}
	}
	return facts, nil
}
