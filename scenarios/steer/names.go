package steer

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/nodefv/nodefv/workloads"
)

// seeded begins the names of a plan's namespaces and nodes.
var seeded = regexp.MustCompile(`^fv-[0-9a-f]+-`)

// Short is a pod's name without what a seed makes of it: the same for every seed.
func Short(k workloads.Key) string { return ShortNamespace(k.Namespace) + "/" + k.Name }

// ShortNamespace is a namespace's or a node's name without what a seed makes of it.
func ShortNamespace(name string) string { return seeded.ReplaceAllString(name, "") }

// Arrange names a plan's pods after their roles: web-0, api-0, …, web-1.
func Arrange(s *workloads.State) {
	for _, ns := range s.Namespaces().List() {
		numbers := map[string]int{}
		var pods []workloads.Pod
		for _, p := range s.Pods().In(ns.Name) {
			pods = append(pods, p)
		}
		for _, p := range pods {
			s.Remove(p.Part())
			role := p.Labels["role"]
			p.Name = fmt.Sprintf("%s-%d", role, numbers[role])
			numbers[role]++
			s.Put(p)
		}
	}
}

// planned reports whether a pod is one of those that Arrange has named, and not one that churn has made.
func planned(p workloads.Pod) bool { return !strings.HasPrefix(p.Name, "pod-") }
