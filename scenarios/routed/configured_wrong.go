package routed

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/nodefv/nodefv/metrics/report"
	"github.com/nodefv/nodefv/workloads/proxyconfig"
	"github.com/nodefv/nodefv/workloads/routing"
)

// wrong is a time in which a proxy would have answered a request wrongly.
type wrong struct {
	row
	got          string
	kind         proxyconfig.Kind
	why, version string
}

func (v *configWatch) wrong(r routing.Request, p proxyconfig.Push, legal []routing.Answer, got routing.Answer) *wrong {
	last := v.moments[len(v.moments)-1]
	if relevant, _ := v.relevant(r); len(relevant) > 1 {
		last = relevant[len(relevant)-1]
	}
	var texts []string
	for _, a := range legal {
		if text := tell(a); !slices.Contains(texts, text) {
			texts = append(texts, text)
		}
	}
	return &wrong{
		row: row{
			asked: r.String(), legal: strings.Join(texts, ", or "), met: metIn(got, legal), first: p.Stamp.At, last: p.Stamp.At, number: 1, after: last.verb, changed: last.begun,
		},
		got: tell(got), kind: p.Kind, why: p.Config.Answer(v.request(r)).Why, version: p.Stamp.Version,
	}
}

// difference is what was wrong as data, and in words.
func (b *wrong) difference() report.Difference {
	long, since := b.lasted()
	said := fmt.Sprintf("%s for %v from %s on, in %d configurations, by %s %s", b.got, long, since, b.number, b.kind, b.version)
	if b.why != "" {
		said += " (" + b.why + ")"
	}
	return b.row.difference(report.Violation{ViolationClass: report.ViolationClass{Protocol: string(b.kind)}}, said, report.Packets, configKind)
}

// metIn is what was met in a word: that others' pods were, or the status, or that it was not all that may answer.
func metIn(got routing.Answer, legal []routing.Answer) string {
	switch n := len(got.Statuses); {
	case !among(got.Backends, legal):
		return wrongBackend
	case n > 0:
		return strconv.Itoa(got.Statuses[n-1])
	}
	return "some backends"
}
