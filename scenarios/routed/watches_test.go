package routed

import (
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/kubernetes/fake"

	"github.com/nodefv/nodefv/metrics/report"
	"github.com/nodefv/nodefv/workloads"
	"github.com/nodefv/nodefv/workloads/routing"
)

// TestInstancesAreJudgedApart has two instances, of which the second is late: what the first has proven says nothing of the second. One that is away
// loses requests, and the other must not.
func TestInstancesAreJudgedApart(t *testing.T) {
	fleet := workloads.NewFleet(workloads.Config{Client: fake.NewClientset()}, workloads.NewState("here"))
	if err := fleet.Add(t.Context(), shop()...); err != nil {
		t.Fatal(err)
	}
	first, second := newProxy(t, "a", "b", "c"), newProxy(t, "a", "b", "c")
	of := func(n int, p *proxy) *Proxied {
		return &Proxied{Asker: &client{}, Dialect: routing.Dialect{IngressClass: class}, HTTP: p.addr(), Within: time.Hour, Number: n}
	}
	all := watches{fleet: fleet}
	for n, p := range []*proxy{first, second} {
		p.obey(fleet.State())
		all.each = append(all.each, newWatch(fleet.State(), of(n+1, p), 2))
	}
	fleet.Watch(all.changed)
	ask := func() {
		for _, v := range all.each {
			v.draw()
			for _, a := range v.sample {
				v.judge(a, v.of.Ask(t.Context(), a.request))
			}
		}
	}
	told := func() (found []report.Finding, err error) {
		err = all.Tell(func(f report.Finding) { found = append(found, f) })
		return found, err
	}
	ask()
	if err := fleet.Change(t.Context(), routeTo("x.example", "two")); err != nil {
		t.Fatal(err)
	}
	first.obey(fleet.State())
	ask() // the second still answers as before, and may
	if found, err := told(); err != nil || len(found) != 2 {
		t.Errorf("a late second: %+v, %v", found, err)
	}
	first.misbehave(func(int, string) (string, int) { return "", 503 })
	all.Instance(2).Leave()
	second.misbehave(func(int, string) (string, int) { return "", 503 })
	ask()
	found, err := told()
	if err == nil || len(found) != 2 || found[0].Differing != 2 || found[1].Differing != 0 {
		t.Fatalf("got %+v, %v", found, err)
	}
	if d := found[0].Differences[0]; !strings.HasSuffix(d.Subject, "of instance 1") || d.Violation.Flow.Port != int(first.addr().Port()) {
		t.Errorf("not the first: %+v", d)
	}
	if found[1].Note != "2 requests were lost while instance 2 was kept from running: 2 503" {
		t.Errorf("note %q", found[1].Note)
	}
}
