package felix

import "github.com/nodefv/nodefv/metrics/report"

// KnownIssues are Felix's. At each resync it took all its IPv6 routes for wrong since it had looked them up with their priorities, until it gave
// them the priority that the kernel does (felix/routetable/route_table.go; read there release by release).
func (felix) KnownIssues() []report.KnownIssue {
	return []report.KnownIssue{{
		Name: "IPv6 routes remade", Reference: "docs/findings/felix.md#ipv6-routes-remade",
		Releases: []report.Releases{{From: "v3.29.0", Before: "v3.30.5"}, {From: "v3.31.0", Before: "v3.31.3"}},
		Excuses:  report.ViolationClass{Family: report.IPv6, Met: report.Dropped},
		Routes:   &report.RouteClass{Family: report.IPv6},
	}}
}
