package report

import (
	"fmt"
	"slices"
	"strings"
)

// examples is how many of what is alike are named.
const examples = 4

// inLines tells differences in lines: those that are equal but for what they are of are one line. told is how many differences the lines
// stand for, those of the same kind that are not listed included.
func inLines(listed []Difference) (lines []string, told int) {
	firsts, told := kinds(listed)
	for _, group := range alike(firsts) {
		lines = append(lines, folded(group, listed))
	}
	return lines, told
}

// alike puts together what is told in one line, in the order of what comes first in each.
func alike(firsts []Difference) [][]Difference {
	var groups [][]Difference
	for len(firsts) > 0 {
		first := firsts[0]
		same := slices.DeleteFunc(slices.Clone(firsts), func(d Difference) bool { return d.manner() != first.manner() })
		if first.Kind == Flow {
			same = aroundOneEnd(same)
		}
		if first.Kind != Flow && (len(same) < 3 || first.Alike > 1) {
			same = firsts[:1]
		}
		groups = append(groups, same)
		// One fact may differ in several manners: a flow's packets pass at one time and are dropped at another.
		firsts = slices.DeleteFunc(slices.Clone(firsts), func(d Difference) bool {
			return slices.ContainsFunc(same, func(s Difference) bool { return s.Fact == d.Fact && s.manner() == d.manner() })
		})
	}
	return groups
}

// manner is how a difference differs, in words; those of one manner may be folded.
func (d Difference) manner() string {
	if d.Violation != nil {
		return "packets " + d.Violation.Met
	}
	return strings.Join([]string{string(d.Aspect), string(d.Kind), d.Want, d.Got}, "\x00")
}

// aroundOneEnd returns those of the flows that share an end with the first: the sender or the receiver, whichever more of them share.
func aroundOneEnd(flows []Difference) []Difference {
	from, to, _ := flows[0].ends()
	sharing := func(sender bool) []Difference {
		return slices.DeleteFunc(slices.Clone(flows), func(d Difference) bool {
			f, t, _ := d.ends()
			return sender && f != from || !sender && t != to
		})
	}
	sent, received := sharing(true), sharing(false)
	if len(sent) > len(received) {
		return sent
	}
	return received
}

// ends returns who sends a flow, who receives it, and by which way.
func (d Difference) ends() (from, to, way string) {
	from, rest, _ := strings.Cut(d.Subject, " > ")
	to, way, _ = strings.Cut(rest, " ")
	return from, to, way + d.Part
}

// folded tells a group in one line.
func folded(group, listed []Difference) string {
	first := group[0]
	if first.Kind != Flow {
		if len(group) == 1 {
			return first.String()
		}
		var others []string
		for _, d := range group[1:] {
			others = append(others, d.Fact)
		}
		return first.String() + "; likewise " + some(others)
	}
	n := 0
	var froms, tos, ways []string
	for _, d := range group {
		n += max(d.Alike, 1)
		for _, o := range listed {
			if o.Subject == d.Subject && o.manner() == d.manner() {
				from, to, way := o.ends()
				froms, tos, ways = added(froms, from), added(tos, to), added(ways, way)
			}
		}
	}
	if n == 1 {
		return first.String()
	}
	told := fmt.Sprintf("%d flows", n)
	switch {
	case len(tos) == 1 && len(froms) == 1:
		told += " from " + froms[0] + " to " + tos[0] + " " + first.became()
	case len(tos) == 1:
		told += " to " + tos[0] + " " + first.became() + ": from " + some(froms)
	default:
		told += " from " + froms[0] + " " + first.became() + ": to " + some(tos)
	}
	told += " (" + some(ways) + ")"
	if first.Violation != nil {
		told += "; of the first, " + first.Got
	}
	return told
}

// became tells what became of flows, as the rest of a sentence.
func (d Difference) became() string {
	switch {
	case d.Violation != nil && d.Violation.Met == Dropped:
		return "lose packets that must pass"
	case d.Violation != nil:
		return "let packets pass that must not"
	case d.Want == "connected" && d.Got == "dropped":
		return "are dropped that must pass"
	case d.Want == "dropped" && d.Got == "connected":
		return "pass that must not"
	}
	return fmt.Sprintf("(want %s, got %s)", orNothing(d.Want), orNothing(d.Got))
}

// some names the first of a list, and counts the others.
func some(all []string) string {
	if more := len(all) - examples; more > 1 {
		return strings.Join(all[:examples], ", ") + fmt.Sprintf(" and %d more", more)
	}
	return strings.Join(all, ", ")
}

func added(list []string, s string) []string {
	if slices.Contains(list, s) {
		return list
	}
	return append(list, s)
}
