package effects

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/nodefv/nodefv/workloads"
)

// Representatives chooses up to most of the pods, which must be sorted: first one of each class that policies can't tell apart (see
// workloads.State.Classes), or of as many classes as there is room for, then others as drawn. They come back sorted, with a sentence that
// says what was chosen. The same draws choose the same pods.
func Representatives(s workloads.State, pods []workloads.Pod, most int, draw *rand.Rand) (chosen []workloads.Pod, about string) {
	classes := sortedClasses(s, pods)
	if len(pods) <= most {
		return pods, fmt.Sprintf("all %d pods, of %d classes", len(pods), len(classes))
	}
	seen := classes
	if len(classes) > most {
		seen = make([][]workloads.Pod, 0, most)
		for _, i := range draw.Perm(len(classes))[:most] {
			seen = append(seen, classes[i])
		}
	}
	var rest []workloads.Pod
	for _, members := range seen {
		i := draw.IntN(len(members))
		chosen = append(chosen, members[i])
		rest = append(append(rest, members[:i]...), members[i+1:]...)
	}
	drawn := draw.Perm(len(rest))[:max(0, min(most-len(chosen), len(rest)))]
	for _, i := range drawn {
		chosen = append(chosen, rest[i])
	}
	slices.SortFunc(chosen, func(a, b workloads.Pod) int { return strings.Compare(a.String(), b.String()) })
	return chosen, fmt.Sprintf("%d of %d pods: one of each of %d classes (of %d), and %d drawn", len(chosen), len(pods), len(seen), len(classes), len(drawn))
}
