package report

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// KnownIssue is a bug of some releases of the SUT that is written down: what it makes of packets and routes is excused there, shown and counted.
type KnownIssue struct {
	Name      string         `json:"name"`             // such as "IPv6 routes remade"; several may have one name and are told as one
	Releases  []Releases     `json:"releases"`         // that have it
	Excuses   ViolationClass `json:"excuses"`          // violations that are excused: its empty fields match anything, and Within what is known to be no longer
	Routes    *RouteClass    `json:"routes,omitempty"` // host routes whose lack for a while is excused; absent: none
	Reference string         `json:"reference"`        // where it is written down
}

// Releases are the releases from one on that come before another.
type Releases struct {
	From   string `json:"from"`   // the first that has it
	Before string `json:"before"` // the first that no longer has it
}

// RouteClass is what known issues tell host routes apart by.
type RouteClass struct {
	Family string `json:"family,omitempty"` // "IPv4" or "IPv6"; empty: both
}

// lacked reports whether a difference is a route of the class that was missing for a while, and was there again before it was told.
func (c *RouteClass) lacked(d Difference) bool {
	if c == nil || d.Violation != nil || d.Kind != Route || d.Change() != Missing || d.Until.IsZero() {
		return false
	}
	prefix, err := netip.ParsePrefix(d.Subject[strings.LastIndex(d.Subject, " ")+1:])
	family := IPv4
	if err == nil && prefix.Addr().Is6() {
		family = IPv6
	}
	return err == nil && (c.Family == "" || c.Family == family)
}

// Violated adds a difference that is a violation. All are counted; kept are so many and, beyond that, the first of each class.
func (f *Finding) Violated(d Difference, most int) {
	i := slices.IndexFunc(f.Violations, func(c ViolationCount) bool { return c.ViolationClass == d.Violation.ViolationClass })
	if i < 0 {
		i, f.Violations = len(f.Violations), append(f.Violations, ViolationCount{ViolationClass: d.Violation.ViolationClass})
	}
	c := &f.Violations[i]
	c.Violations, c.Packets, f.Differing = c.Violations+1, c.Packets+d.Violation.Packets, f.Differing+1
	if len(f.Differences) < most || c.Violations == 1 {
		f.Differences = append(f.Differences, d)
	}
}

// Excuse takes what a known issue explains from the differences, which decide, to what is excused; and back to them what none of known
// explains. So what it returns depends on what was seen and on known alone, whatever was excused before. A finding of schema 1,
// whose violations are not counted by class, is left as it is.
func (f Finding) Excuse(known []KnownIssue) Finding {
	if len(f.Violations) == 0 {
		return f.excuseRoutes(known)
	}
	listed := slices.Clone(f.Differences)
	for _, e := range f.Excused {
		listed, f.Differing = append(listed, e.Examples...), f.Differing+e.Violations
	}
	// In order of time always, and not only after examples were added: judged again, the same must come first.
	slices.SortStableFunc(listed, func(a, b Difference) int { return a.From.Compare(b.From) })
	f.Differences, f.Excused = nil, nil
	for _, c := range f.Violations {
		if e := f.excused(c.ViolationClass, known); e != nil {
			e.Violations, e.Packets, f.Differing = e.Violations+c.Violations, e.Packets+c.Packets, f.Differing-c.Violations
		}
	}
	for _, d := range listed {
		if d.Violation == nil {
			f.Differences = append(f.Differences, d)
		} else if e := f.excused(d.Violation.ViolationClass, known); e != nil {
			e.Examples = append(e.Examples, d)
		} else {
			f.Differences = append(f.Differences, d)
		}
	}
	return f
}

// excuseRoutes is Excuse of a finding without violations. Routes are excused only where all that differs is listed.
func (f Finding) excuseRoutes(known []KnownIssue) Finding {
	listed, differing := slices.Clone(f.Differences), f.Differing
	for _, e := range f.Excused {
		if e.Violations > 0 {
			return f
		}
		listed, differing = append(listed, e.Examples...), differing+e.Routes
	}
	if len(listed) < differing || len(f.Differences) < f.Differing {
		return f
	}
	slices.SortStableFunc(listed, func(a, b Difference) int { return a.From.Compare(b.From) })
	f.Differences, f.Excused, f.Differing = nil, nil, differing
	for _, d := range listed {
		e := f.excusedBy(known, func(k KnownIssue) bool { return k.Routes.lacked(d) })
		if e == nil {
			f.Differences = append(f.Differences, d)
			continue
		}
		e.Examples, e.Routes, f.Differing = append(e.Examples, d), e.Routes+1, f.Differing-1
	}
	return f
}

// excused returns where what a known issue excuses is counted; nil: none explains violations of the class.
func (f *Finding) excused(class ViolationClass, known []KnownIssue) *Excused {
	return f.excusedBy(known, func(k KnownIssue) bool { return class.matches(k.Excuses) })
}

func (f *Finding) excusedBy(known []KnownIssue, explains func(KnownIssue) bool) *Excused {
	i := slices.IndexFunc(known, explains)
	if i < 0 {
		return nil
	}
	at := slices.IndexFunc(f.Excused, func(e Excused) bool { return e.Issue == known[i].Name })
	if at < 0 {
		at, f.Excused = len(f.Excused), append(f.Excused, Excused{Issue: known[i].Name, Reference: known[i].Reference})
	}
	return &f.Excused[at]
}

// Excuse excuses, in all findings, what the issues explain that are known of the SUT's release.
func (rec Record) Excuse() Record {
	rec.Scenarios = slices.Clone(rec.Scenarios)
	for i := range rec.Scenarios {
		sc := &rec.Scenarios[i]
		known := rec.Run.Known
		if sc.Unexcused != "" {
			known = nil
		}
		sc.Findings = slices.Clone(sc.Findings)
		for j, f := range sc.Findings {
			sc.Findings[j] = f.Excuse(known)
		}
	}
	return rec
}

// Without returns the record without the known issues of a name; false if it has none. What they excused is excused until the record is
// judged again.
func (rec Record) Without(issue string) (Record, bool) {
	known := slices.DeleteFunc(slices.Clone(rec.Run.Known), func(k KnownIssue) bool { return k.Name == issue })
	if len(known) == len(rec.Run.Known) {
		return rec, false
	}
	rec.Run.Known = known
	rec.Run.Unexcused = strings.TrimPrefix(fmt.Sprintf("%s; %q is not excused, as asked for", rec.Run.Unexcused, issue), "; ")
	return rec, true
}

// Issues tells the names of the known issues; "none" if there are none.
func (rec Record) Issues() string {
	var names []string
	for _, k := range rec.Run.Known {
		if name := strconv.Quote(k.Name); !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return cmp.Or(strings.Join(names, ", "), "none")
}
