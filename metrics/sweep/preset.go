package sweep

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// What presets sweep, and by which quantity of which scenario their cells are chosen.
const (
	PresetScenario   = "requests at a rate"
	CapacityScenario = "capacity of requests"
	CapacityQuantity = "punctual rate: 1 bare proxies"
	InstancesAxis    = "proxies" // only some SUTs can run in several instances
)

// preset is a method: sweeps that are planned from what the machine can do, in requests a second through a bare proxy.
type preset struct {
	name, doc string
	plans     func(capacity float64) []Plan
}

var presets = []preset{
	{"micro", "one variable each, the rest fixed: connections, idle connections, requests a second, payload, TLS, routes, endpoints, instances of the SUT where it can run in several", func(capacity float64) []Plan {
		gentle := requestsOf(capacity, 0.1)[0] // what routes by rules does much less than a bare proxy, and the effect of one variable shows only far below
		fixed := map[string]string{"connections": "50", "requests": gentle, "payload": "600"}
		var plans []Plan
		for _, a := range []Axis{
			{"connections", []string{"10", "100", "1000", "3000"}},
			{"idle", []string{"0", "1000", "5000"}},
			{"requests", requestsOf(capacity, 0.05, 0.1, 0.2, 0.4)},
			{"payload", []string{"600", "22000"}},
			{"tls", []string{"0", "1"}},
			{"routes", []string{"1", "100", "1000"}},
			{"endpoints", []string{"1", "10", "100"}},
			{InstancesAxis, []string{"1", "2", "3", "4"}},
		} {
			p := Plan{Scenario: PresetScenario, Axes: []Axis{a}, Params: map[string]string{}}
			for name, value := range fixed {
				if name != a.Name {
					p.Params[name] = value
				}
			}
			plans = append(plans, p)
		}
		return plans
	}},
	{"macro", "connections × requests a second, nine cells", func(capacity float64) []Plan {
		return []Plan{{Scenario: PresetScenario, Axes: []Axis{{"connections", []string{"10", "100", "1000"}}, {"requests", requestsOf(capacity, 0.1, 0.3, 0.6)}}, Params: map[string]string{"payload": "600"}}}
	}},
}

// requestsOf are shares of a capacity, to two digits.
func requestsOf(capacity float64, shares ...float64) (all []string) {
	for _, s := range shares {
		v := math.Max(capacity*s, 1)
		digit := math.Pow(10, math.Floor(math.Log10(v))-1)
		text := strconv.FormatFloat(math.Max(math.Round(v/digit)*digit, 1), 'f', 0, 64)
		if !slices.Contains(all, text) {
			all = append(all, text)
		}
	}
	return all
}

// PresetDocs says which presets there are, a line each.
func PresetDocs() string {
	var b strings.Builder
	for _, p := range presets {
		fmt.Fprintf(&b, "  %-6s %s\n", p.name, p.doc)
	}
	return b.String()
}

// PlansOf returns what a preset sweeps on a machine that can do so many requests a second through a bare proxy, with the rounds, the seed and the
// parameters that are wanted.
func PlansOf(name string, capacity float64, wanted Plan) ([]Plan, error) {
	i := slices.IndexFunc(presets, func(p preset) bool { return p.name == name })
	if i < 0 {
		var names []string
		for _, p := range presets {
			names = append(names, p.name)
		}
		return nil, fmt.Errorf("there is no preset %q; there are: %s", name, strings.Join(names, ", "))
	}
	plans := presets[i].plans(capacity)
	for i := range plans {
		p := &plans[i]
		p.Rounds, p.Seed = wanted.Rounds, wanted.Seed
		for param, value := range wanted.Params {
			if !slices.ContainsFunc(p.Axes, func(a Axis) bool { return a.Name == param }) {
				p.Params[param] = value
			}
		}
	}
	return plans, nil
}
