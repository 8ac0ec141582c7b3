// Package mutants is the table of small bugs that are put into Felix's source to see which of them are found. One file per area.
//
// The bugs are of the kinds that Felix's own history of fixes tells of. Their anchors are of the release that docker/felix/go.mod
// requires; a new release may need new anchors, and the test of this package says which.
package mutants

import (
	"slices"

	"github.com/nodefv/nodefv/infra/mutants"
)

// Table is Felix's mutants.
var Table = mutants.Table{
	Component: "felix",
	Module:    "github.com/projectcalico/calico",
	Mutants:   slices.Concat(members, policies, conversions, rules, kernel, endpoints, gauges),
}
