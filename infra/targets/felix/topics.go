package felix

import (
	"strings"

	"github.com/nodefv/nodefv/metrics/report"
)

// About knows a fact by its first word. Its subject, if it is a part of something, is what stands before the colon.
func (felix) About(fact string) report.Topic {
	subject, _, part := strings.Cut(fact, ": ")
	if !part {
		subject = ""
	}
	word, _, _ := strings.Cut(fact, " ")
	switch {
	case word == "interface" && part:
		return report.Topic{Aspect: report.Settings, Subject: subject}
	case word == "interface":
		return report.Topic{Aspect: report.Links}
	case word == "dispatch":
		return report.Topic{Aspect: report.Dispatch}
	case word == "set":
		return report.Topic{Aspect: report.Members, Subject: subject}
	}
	if chain, ok := strings.CutSuffix(fact, orderWord); ok && !part {
		return report.Topic{Aspect: report.Order, Subject: chain}
	}
	return report.Topic{Aspect: report.Rules, Subject: subject} // pods, policies, profiles, and chains that are left over
}
