package felix

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// felixVersion is in Felix's line about its start.
var felixVersion = regexp.MustCompile(`Felix starting up.* version="?([^"\s]+)`)

// VersionIn reads what Felix said when it started.
func (felix) VersionIn(log []byte) string {
	if found := felixVersion.FindSubmatch(log); found != nil {
		return string(found[1])
	}
	return ""
}

// What Felix logs each second for a kind that it can't list, and why.
var (
	listFailed = regexp.MustCompile(`Failed to perform list of current data during resync ListRoot="[^"]*/([^"/]+)" error=(.*)`)
	forbidden  = regexp.MustCompile(`([\w.-]+) is forbidden`)
	unserved   = regexp.MustCompile(`could not find the requested resource|no matches for kind|does not exist`)
)

// LacksIn tells which kinds Felix can't list, for want of a right or of a CRD.
func (felix) LacksIn(log []byte) string {
	var rights, kinds []string
	for _, line := range listFailed.FindAllSubmatch(log, -1) {
		if right := forbidden.FindSubmatch(line[2]); right != nil {
			rights = append(rights, string(right[1]))
		} else if unserved.Match(line[2]) {
			kinds = append(kinds, string(line[1]))
		}
	}
	var lacks []string
	for what, names := range map[string][]string{"the right to list ": rights, "the CRD of ": kinds} {
		if slices.Sort(names); len(names) > 0 {
			lacks = append(lacks, what+strings.Join(slices.Compact(names), ", "))
		}
	}
	if len(lacks) == 0 {
		return ""
	}
	slices.Sort(lacks)
	return fmt.Sprintf("it lacks %s: give the CRDs and the role of its release (--crds DIR), or its checkout (--felix-source DIR)", strings.Join(lacks, " and "))
}
