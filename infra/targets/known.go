package targets

import (
	"fmt"
	"regexp"
	"slices"

	"k8s.io/apimachinery/pkg/util/version"

	"github.com/nodefv/nodefv/metrics/report"
)

// Troubled is a target of whose releases bugs are known that need not fail every run.
type Troubled interface {
	KnownIssues() []report.KnownIssue
}

// pastTag is what git puts behind the name of a release for a checkout that goes beyond it: it has all of that release at least, while a
// semantic version would stand before it.
var pastTag = regexp.MustCompile(`(-\d+-g[0-9a-f]+)?(-dirty)?$`)

// KnownIssues returns the issues that a release of the target has. If some are known of the target and the version says nothing of them,
// there are none, and the reason is returned.
func KnownIssues(t Driven, release string) (known []report.KnownIssue, unexcused string) {
	troubled, ok := t.(Troubled)
	if !ok || len(troubled.KnownIssues()) == 0 {
		return nil, ""
	}
	v, err := version.ParseSemantic(pastTag.ReplaceAllString(release, ""))
	if err != nil {
		return nil, fmt.Sprintf("the agent's version is not known (%q), so that none of the %d known issues is excused", release, len(troubled.KnownIssues()))
	}
	return slices.DeleteFunc(troubled.KnownIssues(), func(k report.KnownIssue) bool {
		return !slices.ContainsFunc(k.Releases, func(r report.Releases) bool {
			return v.AtLeast(version.MustParseSemantic(r.From)) && v.LessThan(version.MustParseSemantic(r.Before))
		})
	}), ""
}
