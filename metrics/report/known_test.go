package report

import (
	"reflect"
	"testing"
	"time"
)

func TestExcuse(t *testing.T) {
	violated := func(f *Finding, family, met, after string) {
		f.Violated(Difference{From: at(float64(f.Differing)), Violation: &Violation{ViolationClass: ViolationClass{Family: family, Met: met, After: after}, Packets: 2}}, 6)
	}
	var seen Finding
	for range 3 {
		violated(&seen, IPv6, Dropped, "")
	}
	violated(&seen, IPv4, Dropped, "")
	violated(&seen, IPv4, Passed, "delete pod")
	violated(&seen, IPv6, Passed, "")
	violated(&seen, IPv4, Dropped, "") // is counted, but not kept
	if seen.Differing != 7 || len(seen.Differences) != 6 {
		t.Fatalf("%d differ, %d are told", seen.Differing, len(seen.Differences))
	}
	cuts, leaks := KnownIssue{Name: "cuts", Excuses: ViolationClass{Family: IPv6, Met: Dropped}}, KnownIssue{Name: "leaks after", Excuses: ViolationClass{Met: Passed, After: "delete pod"}}

	f := seen.Excuse([]KnownIssue{cuts, leaks})
	if f.Differing != 3 || len(f.Differences) != 2 {
		t.Errorf("%d differ, %d are told", f.Differing, len(f.Differences))
	}
	if len(f.Excused) != 2 || f.Excused[0].Violations != 3 || f.Excused[0].Packets != 6 || len(f.Excused[0].Examples) != 3 || f.Excused[1].Issue != "leaks after" {
		t.Errorf("excused: %+v", f.Excused)
	}
	if again := f.Excuse([]KnownIssue{cuts, leaks}); !reflect.DeepEqual(again, f) {
		t.Errorf("excused again: %+v, before %+v", again, f)
	}
	if less := f.Excuse([]KnownIssue{leaks}); !reflect.DeepEqual(less, seen.Excuse([]KnownIssue{leaks})) {
		t.Errorf("excused less: %+v", less)
	}
	if none := f.Excuse(nil); !reflect.DeepEqual(none, seen) {
		t.Errorf("excused no more: %+v, want %+v", none, seen)
	}
	old := Finding{Excused: []Excused{{Issue: "cuts", Violations: 2}}}
	if got := old.Excuse(nil); !reflect.DeepEqual(got, old) {
		t.Errorf("of a record without counts: %+v", got)
	}
	plain := Finding{Differing: 1, Differences: []Difference{{Fact: "a", Want: "b"}}}
	if got := plain.Excuse([]KnownIssue{{Name: "all"}}); !reflect.DeepEqual(got, plain) {
		t.Errorf("a difference that is no violation is excused: %+v", got)
	}
}

// TestExcuseOfRoutes wants routes of the family to be excused that were missing and came back, and nothing else.
func TestExcuseOfRoutes(t *testing.T) {
	lack := func(subject, got string, until float64) Difference {
		d := Difference{Fact: subject, Subject: subject, Kind: Route, Want: "dev of a/b", Got: got}
		if until > 0 {
			d.From, d.Until = at(1), at(until)
		}
		return d
	}
	known := []KnownIssue{{Name: "remade", Excuses: ViolationClass{Met: Dropped}, Routes: &RouteClass{Family: IPv6}}}
	seen := Finding{Differing: 5, Differences: []Difference{
		lack("routes: fd00::3/128", "", 2), lack("routes: fd00::4/128", "", 0), lack("routes: 10.0.0.3/32", "", 2),
		lack("routes: fd00::5/128", "dev of c/d", 2), {Fact: "fd00::6/128", Subject: "fd00::6/128", Kind: Flow, Want: "connected", Until: at(2)},
	}}
	f := seen.Excuse(known)
	if f.Differing != 4 || len(f.Differences) != 4 || len(f.Excused) != 1 || f.Excused[0].Routes != 1 || f.Excused[0].Examples[0].Fact != "routes: fd00::3/128" {
		t.Errorf("%d differ; excused: %+v", f.Differing, f.Excused)
	}
	if again := f.Excuse(known); !reflect.DeepEqual(again, f) {
		t.Errorf("excused again: %+v", again)
	}
	if none := f.Excuse(nil); none.Differing != 5 || len(none.Differences) != 5 || none.Excused != nil {
		t.Errorf("excused no more: %+v", none)
	}
	if got, want := f.Excused[0].String(), `excused by "remade" (): 1 route missing for a while`; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	seen.Differing = 6 // one is not listed
	if f := seen.Excuse(known); f.Excused != nil {
		t.Errorf("excused where not all is listed: %+v", f.Excused)
	}
}

// TestExcuseKeepsTheOrder wants what comes first, which gives a verdict its reason, to be the same after each judgement.
func TestExcuseKeepsTheOrder(t *testing.T) {
	var seen Finding
	for _, s := range []float64{3, 1, 2} {
		family := IPv4
		if s == 2 {
			family = IPv6
		}
		seen.Violated(Difference{From: at(s), Violation: &Violation{ViolationClass: ViolationClass{Family: family}}}, 6)
	}
	known := []KnownIssue{{Name: "of IPv6", Excuses: ViolationClass{Family: IPv6}}}
	once := seen.Excuse(known)
	if again := once.Excuse(known); !reflect.DeepEqual(again, once) {
		t.Errorf("judged again: %+v, before %+v", again.Differences, once.Differences)
	}
	if none := once.Excuse(nil); !reflect.DeepEqual(none, seen.Excuse(nil)) {
		t.Errorf("excused no more: %+v", none.Differences)
	}
}

func TestWithout(t *testing.T) {
	rec := Record{Run: Run{Known: []KnownIssue{{Name: "a"}, {Name: "b"}, {Name: "a"}}}}
	got, ok := rec.Without("a")
	if !ok || len(got.Run.Known) != 1 || got.Run.Unexcused == "" || len(rec.Run.Known) != 3 {
		t.Errorf("%v: %+v of %+v", ok, got.Run, rec.Run)
	}
	if _, ok := got.Without("a"); ok {
		t.Error("it was there still")
	}
}

// TestExcuseIsBounded wants violations that lasted longer than an issue explains to stay, and those of which it is not known.
func TestExcuseIsBounded(t *testing.T) {
	var seen Finding
	for i, long := range []time.Duration{0, time.Second, 2 * time.Second, 2*time.Second + 1, time.Hour} {
		class := ViolationClass{Met: "503", Within: Lasting(long)}
		seen.Violated(Difference{From: at(float64(i)), Violation: &Violation{ViolationClass: class, Packets: 1}}, 2)
	}
	seen.Violated(Difference{From: at(9), Violation: &Violation{ViolationClass: ViolationClass{Met: "503"}}}, 2)
	for within, want := range map[int]int{0: 6, 1: 2, 2: 3, 4: 4, 8: 4} {
		f := seen.Excuse([]KnownIssue{{Name: "short", Excuses: ViolationClass{Met: "503", Within: within}}})
		if f.Differing != 6-want || len(f.Excused) != 1 || f.Excused[0].Violations != want {
			t.Errorf("within %d s: %d differ, %+v are excused", within, f.Differing, f.Excused)
		}
	}
}
