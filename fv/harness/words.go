package harness

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/nodefv/nodefv/infra"
	"github.com/nodefv/nodefv/infra/targets"
	"github.com/nodefv/nodefv/metrics/report"
	"github.com/nodefv/nodefv/scenarios/fuzz"
	"github.com/nodefv/nodefv/workloads/load"
)

// The command bin/fv in words: records say how they are repeated, and errors which flag to change.

// VersionFlag, SourceFlag and BinaryFlag are the flags by which users choose a component's release, checkout and binary.
func VersionFlag(c targets.Component) string { return c.Name + "-version" }

// SourceFlag is as VersionFlag says.
func SourceFlag(c targets.Component) string { return c.Name + "-source" }

// BinaryFlag is as VersionFlag says.
func BinaryFlag(component string) string { return component + "-binary" }

// ImageVariable and CommandVariable are the variables by which users name an image of a component, and its command.
func ImageVariable(c targets.Component) string { return "FV_" + c.Variable + "IMAGE" }

// CommandVariable is as ImageVariable says.
func CommandVariable(c targets.Component) string { return "FV_" + c.Variable + "COMMAND" }

// words are the options that start such an environment again.
func (o Options) words() []string {
	words := []string{"--target", o.Target, "--dataplane", o.DataPlane}
	for _, extra := range o.Extras {
		words = append(words, "--"+extra)
	}
	if o.Runtime != "" && o.Runtime != RuntimeAuto {
		words = append(words, "--runtime", o.Runtime)
	}
	for _, component := range slices.Sorted(maps.Keys(o.Binaries)) {
		words = append(words, "--"+BinaryFlag(component), "'"+o.Binaries[component]+"'")
	}
	return append(words, agentWords(o.Agent)...)
}

// agentWords are the options that choose the same agent again.
func agentWords(a infra.Choice) []string {
	var words []string
	c := targets.Component{Name: a.Component}
	for _, o := range []struct{ flag, value string }{{VersionFlag(c), a.Release}, {SourceFlag(c), a.Source}, {"crds", a.CRDs}} {
		if o.value != "" {
			words = append(words, "--"+o.flag, "'"+o.value+"'")
		}
	}
	return words
}

// repeatRun is the command that runs one of the scenarios again, which are all that it leaves open.
func repeatRun(o Options, s Suite) string {
	words := append([]string{"bin/fv run", "--seed", strconv.FormatUint(s.Seed, 10)}, o.words()...)
	for _, name := range slices.Sorted(maps.Keys(s.Params)) {
		words = append(words, "--"+name, s.Params[name])
	}
	for _, budget := range s.Budget {
		words = append(words, "--budget", "'"+budget+"'")
	}
	return strings.Join(append(words, "--focus", report.Focus), " ")
}

// repeatFault is the command that makes the same fault again.
func repeatFault(o Options, fault string, seed uint64) string {
	words := []string{"bin/fv faults --focus", "'^" + regexp.QuoteMeta(fault) + "$'", "--seed", strconv.FormatUint(seed, 10)}
	return strings.Join(append(words, o.words()...), " ")
}

// repeatFuzz is the command that draws the same operations again.
func repeatFuzz(o Options, seed uint64, order fuzz.Order) string {
	words := []string{"bin/fv fuzz --seed", strconv.FormatUint(seed, 10), "--ops", strconv.Itoa(order.Ops)}
	if order.For > 0 {
		words = append(words, "--for", order.For.String())
	}
	if order.Restarts {
		words = append(words, "--restarts")
	}
	if order.Known {
		words = append(words, "--known")
	}
	if order.Plant != "" {
		words = append(words, "--plant", "'"+order.Plant+"'")
	}
	return strings.Join(append(words, o.words()...), " ")
}

// repeatReplay is the command that replays the same file again.
func repeatReplay(o Options, file string, times int) string {
	return strings.Join(append([]string{"bin/fv replay", file, "--times", strconv.Itoa(times)}, o.words()...), " ")
}

// repeatTraffic is the command that makes the same traffic again.
func repeatTraffic(order load.Order) string {
	s, b := order.Spec.WithDefaults(), order.Budget
	words := []string{"bin/fv traffic"}
	say := func(flag string, value any) { words = append(words, fmt.Sprintf("--%s %v", flag, value)) }
	for _, e := range []struct {
		flag string
		ends load.Ends
	}{{"from", order.From}, {"to", order.To}} {
		if cmp.Or(e.ends, load.OfPods) != load.OfPods {
			say(e.flag, e.ends)
		}
	}
	say("pods", order.Pods)
	if order.Behind > 0 {
		say("servers", order.Behind)
	}
	say("protocol", s.Protocol)
	say("connections", s.Connections)
	say("rate", strconv.FormatFloat(s.Rate, 'f', -1, 64))
	say("size", s.Size)
	say("for", s.Duration)
	say("connect-rate", strconv.FormatFloat(s.ConnectRate, 'f', -1, 64))
	say("reconnects", s.Reconnects)
	say("reconnect-wait", s.ReconnectWait)
	say("late", s.Late)
	say("give-up", s.GiveUp)
	for _, o := range []struct {
		flag string
		on   bool
	}{{"ipv6", order.IPv6}, {"closed", s.Closed}, {"idle", s.Idle}} {
		if o.on {
			words = append(words, "--"+o.flag)
		}
	}
	if b.Lost != nil {
		say("max-lost", *b.Lost)
	}
	if b.Failed != nil {
		say("max-failed", *b.Failed)
	}
	if b.Hole != nil {
		say("max-hole", *b.Hole)
	}
	if b.P99 != nil {
		say("p99", *b.P99)
	}
	return strings.Join(words, " ")
}
