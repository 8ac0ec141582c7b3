package routed

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nodefv/nodefv/metrics/report"
	"github.com/nodefv/nodefv/workloads/proxyconfig"
	"github.com/nodefv/nodefv/workloads/routing"
)

// wrong is a time in which a proxy would have answered a request wrongly.
type wrong struct {
	request      routing.Request
	from, until  time.Time
	legal, met   string
	after        string
	afterBegun   time.Time
	pushes       int
	kind         proxyconfig.Kind
	why, version string
	wrongBackend bool // some that may have answered were others'
}

func (v *configWatch) wrong(r routing.Request, p proxyconfig.Push, legal []routing.Answer, got routing.Answer) *wrong {
	last := v.moments[len(v.moments)-1]
	if relevant, _ := v.relevant(r); len(relevant) > 1 {
		last = relevant[len(relevant)-1]
	}
	b := &wrong{
		request: r, from: p.Stamp.At, until: p.Stamp.At, met: tell(got), after: last.verb, afterBegun: last.begun, pushes: 1, kind: p.Kind,
		wrongBackend: !among(got.Backends, legal), why: p.Config.Answer(v.request(r)).Why, version: p.Stamp.Version,
	}
	var texts []string
	for _, a := range legal {
		if text := tell(a); !slices.Contains(texts, text) {
			texts = append(texts, text)
		}
	}
	b.legal = strings.Join(texts, ", or ")
	return b
}

// difference is what was wrong as data, and in words.
func (b *wrong) difference() report.Difference {
	got := fmt.Sprintf("%s for %v from %s on, in %d configurations, by %s %s", b.met, b.until.Sub(b.from).Round(100*time.Microsecond), b.from.UTC().Format("15:04:05.000"), b.pushes, b.kind, b.version)
	if b.why != "" {
		got += " (" + b.why + ")"
	}
	if b.after != "" {
		got += fmt.Sprintf(", %v after %q began", b.from.Sub(b.afterBegun).Round(100*time.Microsecond), b.after)
	}
	return report.Difference{
		Violation: &report.Violation{ViolationClass: report.ViolationClass{Protocol: string(b.kind), Met: b.kindOf(), After: b.after}, Legal: b.legal, Packets: b.pushes},
		Fact:      b.request.String(), Want: b.legal, Got: got, Aspect: report.Packets, Kind: configKind, Subject: b.request.String(), From: b.from, Until: b.until,
	}
}

// kindOf is what was met in a word: that others' pods were, or the status.
func (b *wrong) kindOf() string {
	if b.wrongBackend {
		return wrongBackend
	}
	if i := strings.LastIndex(b.met, " or "); i >= 0 {
		return b.met[i+len(" or "):]
	}
	return b.met
}
