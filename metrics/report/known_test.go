package report

import "testing"

func TestViolated(t *testing.T) {
	cut := func(family, met string) Difference {
		return Difference{Violation: &Violation{Family: family, Met: met, Packets: 2}}
	}
	known := []KnownIssue{{Name: "cuts", Excuses: Violation{Family: IPv6, Met: Dropped}}, {Name: "leaks after", Excuses: Violation{Met: Passed, After: "delete pod"}}}
	var f Finding
	for range 3 {
		f.Violated(cut(IPv6, Dropped), known, 2)
	}
	f.Violated(cut(IPv4, Dropped), known, 2)
	f.Violated(cut(IPv6, Passed), known, 2)
	leak := cut(IPv4, Passed)
	leak.Violation.After = "delete pod"
	f.Violated(leak, known, 2)
	f.Violated(cut(IPv4, Dropped), nil, 2)
	if f.Differing != 3 || len(f.Differences) != 2 {
		t.Errorf("%d differ, %d are told", f.Differing, len(f.Differences))
	}
	if len(f.Excused) != 2 || f.Excused[0].Violations != 3 || f.Excused[0].Packets != 6 || len(f.Excused[0].Examples) != 2 || f.Excused[1].Issue != "leaks after" {
		t.Errorf("excused: %+v", f.Excused)
	}
}
