package driver

import (
	"strconv"
	"testing"

	"github.com/nodefv/nodefv/infra"
	"github.com/nodefv/nodefv/infra/targets"
	"github.com/nodefv/nodefv/scenarios"
	"github.com/nodefv/nodefv/scenarios/engine"
	"github.com/nodefv/nodefv/workloads"
)

// able is a SUT that has these features.
type able struct {
	engine.SUT
	features map[workloads.Feature]bool
}

func (a able) HasFeature(name workloads.Feature) bool { return a.features[name] }

func TestSkippedForWhatIsMissing(t *testing.T) {
	sut := able{features: map[workloads.Feature]bool{"ipv6": true, workloads.PodNetwork: true}}
	for name, c := range map[string]struct {
		needs    []workloads.Feature
		obeyed   bool
		releases []string
		skipped  bool
	}{
		"no need":                     {nil, false, nil, false},
		"a feature that is there":     {[]workloads.Feature{"ipv6"}, false, nil, false},
		"one that is not":             {[]workloads.Feature{"ipv6", "sctp"}, true, nil, true},
		"restarts":                    {[]workloads.Feature{workloads.Restarts}, true, nil, false},
		"restarts that nobody grants": {[]workloads.Feature{workloads.Restarts}, false, nil, true},
		"an upgrade":                  {[]workloads.Feature{workloads.Upgrades}, true, []string{"v2", "v1"}, false},
		"an upgrade from nothing":     {[]workloads.Feature{workloads.Upgrades}, true, []string{"v2"}, true},
	} {
		if why := skipped(engine.Scenario{Needs: c.needs}, sut, infra.Handoff{Obeyed: c.obeyed, Releases: c.releases}); (why != "") != c.skipped {
			t.Errorf("%s: %q", name, why)
		}
	}
}

// TestRoutersAndAgents wants no scenario of one family of SUTs to begin with one of the other.
func TestRoutersAndAgents(t *testing.T) {
	agent := able{features: map[workloads.Feature]bool{workloads.PodNetwork: true}}
	router := able{features: map[workloads.Feature]bool{workloads.HTTPRouting: true}}
	ofAgents, ofRouters := engine.Scenario{}, engine.Scenario{Needs: []workloads.Feature{workloads.HTTPRouting}}
	for _, c := range []struct {
		sc    engine.Scenario
		sut   able
		skips bool
	}{{ofAgents, agent, false}, {ofAgents, router, true}, {ofRouters, agent, true}, {ofRouters, router, false}} {
		if why := skipped(c.sc, c.sut, infra.Handoff{}); (why != "") != c.skips {
			t.Errorf("%v by %v: %q", c.sc.Needs, c.sut.features, why)
		}
	}
}

// TestSkippedForInstances wants several instances to be asked only of a SUT that can run so, by a harness that starts them.
func TestSkippedForInstances(t *testing.T) {
	for name, c := range map[string]struct {
		target, plane string
		instances     int
		obeyed, can   bool
	}{
		"one of any":           {"contour", "", 1, false, true},
		"several":              {"traefik", "", 4, true, true},
		"too many":             {"traefik", "", 5, true, false},
		"nobody starts them":   {"traefik", "", 2, false, false},
		"by the Gateway API":   {"traefik", "gateway", 2, true, false},
		"of one that does not": {"contour", "", 2, true, false},
	} {
		target, err := targets.New(c.target, targets.Options{DataPlane: c.plane})
		if err != nil {
			t.Fatal(err)
		}
		if why := tooMany(engine.Scenario{Instances: c.instances}, target, infra.Handoff{Obeyed: c.obeyed}); (why == "") != c.can {
			t.Errorf("%s: %q", name, why)
		}
	}
}

// TestProxiesAreAsManyAsInstances wants the parameter to allow exactly as many instances as the harness starts.
func TestProxiesAreAsManyAsInstances(t *testing.T) {
	for n, allowed := range map[int]bool{infra.MostInstances: true, infra.MostInstances + 1: false} {
		if _, err := scenarios.ParseParams(map[string]string{"proxies": strconv.Itoa(n)}); (err == nil) != allowed {
			t.Errorf("--proxies %d: %v", n, err)
		}
	}
}
