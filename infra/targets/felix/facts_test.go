package felix

import (
	"regexp"
	"testing"

	"github.com/nodefv/nodefv/infra/targets"
	"github.com/nodefv/nodefv/metrics/report"
	"github.com/nodefv/nodefv/workloads/kernel"
)

// ranked are the differences as the verdict tells them.
func ranked(f felix, want, got map[report.Fact]string) []report.Difference {
	var all []report.Difference
	for fact := range union(want, got) {
		if want[fact] != got[fact] {
			all = append(all, fact.Differs(want[fact], got[fact]))
		}
	}
	return report.Rank(all, 50)
}

func union(a, b map[report.Fact]string) map[report.Fact]bool {
	all := map[report.Fact]bool{}
	for _, side := range []map[report.Fact]string{a, b} {
		for fact := range side {
			all[fact] = true
		}
	}
	return all
}

// TestFirstDifferenceIsTheCause breaks the recorded kernel so that several facts differ, and wants the one first that explains the others.
func TestFirstDifferenceIsTheCause(t *testing.T) {
	s := recordedState(t)
	for name, c := range map[string]struct {
		breaks func(*kernel.State, felix)
		first  string
	}{
		"an interface and its settings gone": {func(k *kernel.State, f felix) {
			p := s.LocalPods()[0]
			delete(k.Interfaces, f.HostInterface(p.Namespace, p.Name))
		}, `^interface of pod \S+: want up, got nothing$`},
		"a chain gone": {func(k *kernel.State, f felix) {
			delete(k.Chains, chainOf(t, f, s, k, "pod "+s.LocalPods()[0].String()+" ingress IPv4"))
		}, `^pod \S+ \w+ IPv4: \d+ missing, first .*: want 1, got nothing$`},
		"all members of all sets gone": {func(k *kernel.State, _ felix) {
			for id, set := range k.Sets {
				set.Members = nil
				k.Sets[id] = set
			}
		}, `^set of policy .* IPv4: (\d+ missing, first )?10[0-9.]+.*: want .*, got nothing$`},
	} {
		for _, plane := range dataPlanes {
			f := felix{targets.Options{DataPlane: plane}}
			k := recordedKernel(t, f, s)
			c.breaks(k, f)
			all := ranked(f, f.Programmed(s), f.Observed(s, k))
			if len(all) < 2 || !regexp.MustCompile(c.first).MatchString(all[0].String()) {
				t.Errorf("%s, %s: %d differ, first %v", name, plane, len(all), all[:min(len(all), 1)])
			}
		}
	}
}

func TestFactsAreAboutEveryAspect(t *testing.T) {
	s := recordedState(t)
	for _, plane := range dataPlanes {
		f, seen := felix{targets.Options{DataPlane: plane}}, map[report.Aspect]int{}
		for fact := range f.Programmed(s) {
			seen[fact.Aspect]++
			if fact.Kind == "" || fact.Subject == "" {
				t.Errorf("nothing is known of the subject of %q", fact)
			}
		}
		for _, aspect := range []report.Aspect{report.Links, report.Settings, report.Rules, report.Members, report.Dispatch, report.Order} {
			if seen[aspect] == 0 {
				t.Errorf("%s: no fact is about %s", plane, aspect)
			}
		}
	}
}
