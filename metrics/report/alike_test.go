package report

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestEqualDifferencesAreOneLine(t *testing.T) {
	flow := func(from, to, way, want, got string) Difference {
		return Fact{Packets, Flow, from + " > " + to, way}.Differs(want, got)
	}
	var open, lost []Difference
	for _, from := range []string{"a", "b", "c", "d", "e", "f"} {
		for _, way := range []string{"tcp/80", "udp/80"} {
			open = append(open, flow("shop/"+from, "shop/server", way, "dropped", "connected"))
		}
	}
	for i, to := range []string{"shop/x", "shop/y"} {
		d := Fact{Packets, Flow, "shop/server > " + to + " tcp/80", ""}.Differs("no packet dropped", fmt.Sprintf("%d packets were dropped", 7+i))
		d.Violation = &Violation{ViolationClass: ViolationClass{Met: Dropped}}
		lost = append(lost, d)
	}
	var links []Difference
	for i := range 9 {
		links = append(links, Fact{Links, Interface, fmt.Sprintf("interface of pod a/%d", i), ""}.Differs("up", "down"))
	}
	for name, c := range map[string]struct {
		all  []Difference
		want []string
	}{
		"to one":      {open, []string{"12 flows to shop/server pass that must not: from shop/a, shop/b, shop/c, shop/d and 2 more (tcp/80, udp/80)"}},
		"from one":    {lost, []string{"2 flows from shop/server lose packets that must pass: to shop/x, shop/y (tcp/80); of the first, 7 packets were dropped"}},
		"two ways":    {open[:2], []string{"2 flows from shop/a to shop/server pass that must not (tcp/80, udp/80)"}},
		"one":         {open[:1], []string{"shop/a > shop/server tcp/80: want dropped, got connected"}},
		"not flows":   {links, []string{"interface of pod a/0: want up, got down; likewise interface of pod a/1, interface of pod a/2, interface of pod a/3, interface of pod a/4 and 4 more"}},
		"of two":      {links[:2], []string{"interface of pod a/0: want up, got down", "interface of pod a/1: want up, got down"}},
		"other words": {[]Difference{open[0], flow("node", "shop/server", "tcp/80", "dropped", "reset")}, []string{"node > shop/server tcp/80: want dropped, got reset", "shop/a > shop/server tcp/80: want dropped, got connected"}},
	} {
		lines, told := inLines(Rank(slices.Clone(c.all), 50))
		if got := strings.Join(lines, "\n"); got != strings.Join(c.want, "\n") || told != len(c.all) {
			t.Errorf("%s: %d of %d told:\n%s", name, told, len(c.all), got)
		}
	}
	cut := Rank(slices.Clone(open), 7)
	if lines, told := inLines(cut); told != len(open) || len(lines) != 1 || !strings.HasPrefix(lines[0], "12 flows to shop/server") {
		t.Errorf("of a list that was cut, %d are told: %q", told, lines)
	}
}

// TestOneFlowMayDifferInTwoManners wants each to be told: one that loses packets and lets others pass, and two ways of which one is open and one shut.
func TestOneFlowMayDifferInTwoManners(t *testing.T) {
	violated := func(met string) Difference {
		d := Fact{Packets, Flow, "a/b > c/d tcp/80", ""}.Differs("no packet "+met, "3 packets were "+met)
		d.Violation = &Violation{ViolationClass: ViolationClass{Met: met}}
		return d
	}
	for name, all := range map[string][]Difference{
		"in time":     {violated(Dropped), violated(Passed)},
		"by its ways": {Fact{Packets, Flow, "a/b > c/d", "tcp/80"}.Differs("dropped", "connected"), Fact{Packets, Flow, "a/b > c/d", "tcp/81"}.Differs("connected", "dropped")},
	} {
		if lines, told := inLines(Rank(all, 50)); len(lines) != 2 || told != 2 {
			t.Errorf("%s: %d are told: %q", name, told, lines)
		}
	}
}
