package routed

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	networkingv1 "k8s.io/api/networking/v1"

	"github.com/nodefv/nodefv/metrics/report"
	"github.com/nodefv/nodefv/scenarios/engine"
	"github.com/nodefv/nodefv/workloads"
	"github.com/nodefv/nodefv/workloads/proxyconfig"
	"github.com/nodefv/nodefv/workloads/routing"
)

// shown is a configuration that a test made.
type shown struct{ config *proxyconfig.Config }

func (s *shown) Config() *proxyconfig.Config                { return s.config }
func (s *shown) Watch(func(proxyconfig.Push)) (stop func()) { return func() {} }
func (s *shown) Await(context.Context, func(*proxyconfig.Config) bool) error {
	return nil
}

func inShop(name string) workloads.Key { return workloads.Key{Namespace: "shop", Name: name} }

// endpoint of a service has an address of its own: that of a is 10.0.0.97:80.
func endpoint(service string) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, service[0]}), 80)
}

// modelled is a state in which hosts lead to services that have one endpoint each.
func modelled(hosts map[string]string) workloads.State {
	s := workloads.NewState("here")
	class, prefix := "ours", networkingv1.PathTypePrefix
	for _, service := range []string{"a", "b", "c"} {
		s.Put(workloads.Service{Key: inShop(service), Ports: []workloads.ServicePort{{Name: "http", Port: 80}}})
		s.Put(workloads.EndpointSlice{Key: inShop(service), Service: service, Ports: []workloads.EndpointPort{{Name: "http", Port: 80}}, Endpoints: []workloads.ServiceEndpoint{
			{Pod: inShop(service + "-0"), Addr: endpoint(service).Addr()},
		}})
	}
	for host, service := range hosts {
		s.Put(workloads.Ingress{Key: inShop("to-" + host), Spec: networkingv1.IngressSpec{IngressClassName: &class, Rules: []networkingv1.IngressRule{{
			Host: host, IngressRuleValue: networkingv1.IngressRuleValue{HTTP: &networkingv1.HTTPIngressRuleValue{Paths: []networkingv1.HTTPIngressPath{{
				Path: "/", PathType: &prefix, Backend: networkingv1.IngressBackend{Service: &networkingv1.IngressServiceBackend{Name: service, Port: networkingv1.ServiceBackendPort{Number: 80}}},
			}}}},
		}}}})
	}
	return s
}

// configured is a configuration in which hosts lead to clusters; those that are without are not there.
func configured(t *testing.T, hosts map[string]string, without ...string) *proxyconfig.Config {
	c := &proxyconfig.Config{
		Listeners: map[string]*proxyconfig.Listener{"http": {Port: 8080, Chains: []proxyconfig.Chain{{HTTP: true, Table: "all"}}}},
		Clusters:  map[string]*proxyconfig.Cluster{}, Endpoints: map[string]*proxyconfig.Assignment{},
	}
	var all []*proxyconfig.VirtualHost
	for host, cluster := range hosts {
		all = append(all, &proxyconfig.VirtualHost{Name: host, Domains: []string{host}, Routes: []proxyconfig.Route{
			{Path: proxyconfig.PathMatch{Prefix: "/"}, Shares: []proxyconfig.Share{{Cluster: cluster, Weight: 1}}},
		}})
		if !strings.Contains(strings.Join(without, " "), cluster) {
			c.Clusters[cluster] = &proxyconfig.Cluster{Name: cluster, Service: cluster}
			c.Endpoints[cluster] = &proxyconfig.Assignment{Name: cluster, Addrs: []netip.AddrPort{endpoint(cluster)}}
		}
	}
	table, err := proxyconfig.NewTable(proxyconfig.Stamp{}, "all", all)
	if err != nil {
		t.Fatal(err)
	}
	c.Tables = map[string]*proxyconfig.Table{"all": table}
	return c
}

func effectsOf(f Follower) *Configured {
	return NewConfigured(f, routing.Dialect{IngressClass: "ours", HostsRank: true, SkipsUnserved: true}, 8080, 8443)
}

type hosts = map[string]string

func TestConfigurationAgainstTheModel(t *testing.T) {
	model := modelled(hosts{"a.example": "a", "b.example": "b"})
	for name, test := range map[string]struct {
		config *proxyconfig.Config
		want   []string // in each difference, in the order of facts; none: all agrees
	}{
		"the same":         {configured(t, hosts{"a.example": "a", "b.example": "b"}), nil},
		"a host is gone":   {configured(t, hosts{"b.example": "b"}), []string{"http://a.example/below: want shop/a-0, got 404"}},
		"another's":        {configured(t, hosts{"a.example": "b", "b.example": "b"}), []string{"http://a.example/below: want shop/a-0, got 10.0.0.98:80"}},
		"a cluster is not": {configured(t, hosts{"a.example": "a", "b.example": "b"}, "b"), []string{"http://b.example/below: want shop/b-0, got 503"}},
		"one is left":      {configured(t, hosts{"a.example": "a", "b.example": "b", "c.example": "c"}), []string{"http://c.example/below", "10.0.0.99:80, the model says 404"}},
		"nothing":          {&proxyconfig.Config{}, []string{"a.example", "b.example"}},
	} {
		c := effectsOf(&shown{test.config})
		got, err := Answers{c}.Got(t.Context(), model)
		if err != nil {
			t.Fatal(err)
		}
		var f report.Finding
		engine.Compare(&f, Answers{c}.Want(model), got)
		var all []string
		for _, d := range f.Differences {
			all = append(all, fmt.Sprintf("%s: want %s, got %s", d.Fact, d.Want, d.Got))
		}
		told := strings.Join(all, "\n")
		for _, want := range test.want {
			if !strings.Contains(told, want) {
				t.Errorf("%s: %q is not in %q", name, want, told)
			}
		}
		if (f.Differing > 0) != (len(test.want) > 0) {
			t.Errorf("%s: %q", name, told)
		}
	}
}

func TestClustersWithoutARoute(t *testing.T) {
	c := configured(t, hosts{"a.example": "a"})
	c.Clusters["idle"] = &proxyconfig.Cluster{Name: "idle", Service: "idle"}
	got, _ := Unused{&shown{c}}.Got(t.Context(), workloads.State{})
	if len(got) != 1 {
		t.Errorf("got %v", got)
	}
}

// watched is a watch of a test, with a clock of its own.
type watched struct {
	*configWatch
	now   time.Time
	found report.Finding
}

func watching(s workloads.State) *watched {
	return &watched{configWatch: newConfigWatch(effectsOf(&shown{}), s), now: time.Unix(1000, 0)}
}

// push judges a configuration that comes so many milliseconds after the last one.
func (w *watched) push(after int, c *proxyconfig.Config) {
	w.now = w.now.Add(time.Duration(after) * time.Millisecond)
	w.judge(proxyconfig.Push{Kind: proxyconfig.Tables, Stamp: proxyconfig.Stamp{Version: "v", At: w.now}, Config: c})
}

// told returns what was found.
func (w *watched) told() string {
	_ = w.Drain(func(f report.Finding) { w.found = f })
	var all []string
	for _, d := range w.found.Differences {
		all = append(all, fmt.Sprintf("%s: want %s, got %s", d.Fact, d.Want, d.Got))
	}
	return strings.Join(all, "\n")
}

// TestFaultsOfPushes wants each configuration on the way that is neither the old nor the new one to be found, with how long it was in use.
func TestFaultsOfPushes(t *testing.T) {
	before, after := hosts{"a.example": "a", "b.example": "b"}, hosts{"a.example": "a", "b.example": "c"}
	right := configured(t, before)
	for name, test := range map[string]struct {
		do     func(*watched)
		want   []string // none: nothing is found
		number int      // of violations
	}{
		"nothing happens": {func(w *watched) { w.push(5, right) }, nil, 0},
		"another's backend for 100 ms": {func(w *watched) {
			w.push(5, configured(t, hosts{"a.example": "b", "b.example": "b"}))
			w.push(100, right)
		}, []string{"a.example", "want always shop/a-0", "got 10.0.0.98:80 for 100ms"}, 1},
		"a route is dropped twice": {func(w *watched) {
			for range 2 {
				w.push(5, configured(t, hosts{"a.example": "a"}))
				w.push(7, right)
			}
		}, []string{"b.example", "want always shop/b-0", "got 404 for 7ms"}, 2},
		"old, then new": {func(w *watched) {
			w.changed("change ingress", modelled(after))()
			w.push(5, right)
			w.push(5, configured(t, after))
		}, nil, 0},
		"the cluster comes late": {func(w *watched) {
			w.changed("change ingress", modelled(after))()
			w.push(5, configured(t, after, "c"))
			w.push(30, configured(t, after))
		}, []string{"b.example", "got 503 for 30ms", `"change ingress" began`, "no cluster c"}, 1},
		"old again once the new one was in force": {func(w *watched) {
			w.changed("change ingress", modelled(after))()
			w.Agreed(time.Now().Add(time.Second))
			w.push(5, right)
			w.push(5, configured(t, after))
		}, []string{"want always shop/c-0, got 10.0.0.98:80 for 5ms"}, 1},
		"a route that comes without its cluster": {func(w *watched) {
			more := hosts{"a.example": "a", "b.example": "b", "c.example": "c"}
			w.changed("create ingress", modelled(more))()
			w.push(5, configured(t, more, "c"))
			w.push(5, configured(t, more))
		}, nil, 0},
		"a route that goes": {func(w *watched) {
			w.changed("delete ingress", modelled(hosts{"a.example": "a"}))()
			w.push(5, configured(t, before, "b"))
			w.push(5, configured(t, hosts{"a.example": "a"}))
		}, nil, 0},
		"one that is not over": {func(w *watched) { w.push(5, configured(t, hosts{"a.example": "a"})) }, []string{"b.example", "got 404"}, 1},
		"one that is not over and has been asked for": {func(w *watched) {
			w.push(5, configured(t, hosts{"a.example": "a"}))
			_ = w.Tell(func(report.Finding) {})
		}, []string{"b.example", "got 404"}, 1},
		"an error for what no route is of": {func(w *watched) {
			w.push(5, configured(t, hosts{"a.example": "a", "b.example": "b", "nobody.example": "c"}, "c"))
			w.push(5, right)
		}, []string{"nobody.example", "want always 404, got 503 for 5ms"}, 1},
		"an error for a route that has gone": {func(w *watched) {
			w.changed("delete ingress", modelled(hosts{"a.example": "a"}))()
			w.push(5, configured(t, before, "b"))
			w.Agreed(time.Now().Add(time.Second))
			w.push(5, configured(t, before, "b"))
			w.push(5, configured(t, hosts{"a.example": "a"}))
		}, []string{"b.example", "want always 404, got 503 for 5ms"}, 1},
		"a push that a proxy refuses": {func(w *watched) {
			w.judge(proxyconfig.Push{Refused: "a domain is of two virtual hosts", Config: right})
		}, []string{"refused: a domain"}, 1},
	} {
		w := watching(modelled(before))
		w.push(0, right)
		test.do(w)
		told := w.told()
		for _, want := range test.want {
			if !strings.Contains(told, want) {
				t.Errorf("%s: %q is not in %q", name, want, told)
			}
		}
		if w.found.Differing != test.number {
			t.Errorf("%s: found %d: %q", name, w.found.Differing, told)
		}
	}
}

// TestKnownIssueIsBounded wants an error that a known issue explains to be excused if it is short, and not if it lasts, also where nothing ends it.
func TestKnownIssueIsBounded(t *testing.T) {
	before, after := hosts{"a.example": "a", "b.example": "b"}, hosts{"a.example": "a", "b.example": "c"}
	known := []report.KnownIssue{{Name: "no order", Excuses: report.ViolationClass{Met: "503", Within: 2}}}
	for name, test := range map[string]struct {
		lasts int // ms; 0: it is not over 5 s later, when the watch ends
		fails int
	}{"short": {30, 0}, "as long as may be": {2000, 0}, "too long": {2001, 1}, "never over": {0, 1}} {
		w := watching(modelled(before))
		w.Known = known
		w.push(0, configured(t, before))
		w.changed("change ingress", modelled(after))()
		w.push(5, configured(t, after, "c"))
		if test.lasts > 0 {
			w.push(test.lasts, configured(t, after))
		}
		w.ended = w.now.Add(5 * time.Second)
		told := w.told()
		if excused := len(w.found.Excused); w.found.Differing != test.fails || excused != 1-test.fails {
			t.Errorf("%s: %d differ, %d excused: %s", name, w.found.Differing, excused, told)
		}
	}
}

// Two services of one batch may be seen one after the other: what is between them is no fault.
func TestWhatIsWrittenAtOnceIsNotJudged(t *testing.T) {
	s := modelled(hosts{"a.example": "a"})
	other := workloads.EndpointSlice{Key: inShop("a-2"), Service: "a", Ports: []workloads.EndpointPort{{Name: "http", Port: 80}}, Endpoints: []workloads.ServiceEndpoint{
		{Pod: inShop("a-1"), Addr: endpoint("x").Addr()},
	}}
	s.Put(other)
	w := watching(s)
	both := configured(t, hosts{"a.example": "a"})
	both.Endpoints["a"] = &proxyconfig.Assignment{Addrs: []netip.AddrPort{endpoint("a"), endpoint("x")}}
	w.push(0, both)
	to := s
	to.Remove(other.Part())
	moved := to.EndpointSlices().Get(inShop("a"))
	moved.Endpoints = []workloads.ServiceEndpoint{{Pod: inShop("a-9"), Addr: endpoint("y").Addr()}}
	to.Put(moved)
	w.changed("change endpoint slice", to)()
	w.push(5, configured(t, hosts{"a.example": "a"})) // the second slice is gone, the first is still the old one
	if told := w.told(); told != "" {
		t.Error(told)
	}
}
