package main

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/nodefv/nodefv/fv/harness"
	"github.com/nodefv/nodefv/infra"
	"github.com/nodefv/nodefv/infra/targets"
	"github.com/nodefv/nodefv/metrics"
	"github.com/nodefv/nodefv/scenarios"
	"github.com/nodefv/nodefv/scenarios/faults"
	"github.com/nodefv/nodefv/scenarios/leak"
)

// completions are the values that a shell offers for a flag, by its name; those of the command too where they differ.
var completions = map[string]func() []string{
	"target":       targetList,
	"dataplane":    dataPlaneList,
	"runtime":      func() []string { return []string{harness.RuntimeAuto, harness.RuntimeDocker, harness.RuntimeLocal} },
	"keep":         func() []string { return []string{harness.KeepNever, harness.KeepOnFailure, harness.KeepAlways} },
	"focus":        scenarioList,
	"faults focus": faultList,
	"labels":       labelList,
	"run":          infra.Runs,
	"budget":       budgetList,
	"leak churn":   func() []string { names, _ := leak.Churns(); return names },
}

// completeValues lets shells complete the values of flags and arguments.
func completeValues(root *cobra.Command) {
	for _, c := range root.Commands() {
		for name, values := range completions {
			flag := strings.TrimPrefix(name, c.Name()+" ")
			own := completions[c.Name()+" "+flag]
			if c.Flags().Lookup(flag) == nil || own != nil && flag == name {
				continue
			}
			_ = c.RegisterFlagCompletionFunc(flag, func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
				return values(), cobra.ShellCompDirectiveNoFileComp
			}) // which fails for a flag that is not there
		}
		switch c.Name() {
		case "judge":
			c.ValidArgsFunction = recordsOf
		case "down":
			c.ValidArgsFunction = func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
				return infra.Runs(), cobra.ShellCompDirectiveNoFileComp
			}
		}
	}
}

// recordsOf are the records below --out.
func recordsOf(c *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	entries, _ := os.ReadDir(c.Flag("out").Value.String()) // none: there is no such folder
	var names []string
	for _, e := range entries {
		if found, _ := filepath.Glob(filepath.Join(c.Flag("out").Value.String(), e.Name(), "journal*.jsonl")); len(found) > 0 {
			names = append(names, e.Name())
		}
	}
	return names, cobra.ShellCompDirectiveDefault
}

func targetList() []string {
	var names []string
	for _, t := range targets.All() {
		names = append(names, t.Name)
	}
	return names
}

func dataPlaneList() []string {
	all := map[string]bool{}
	for _, t := range targets.All() {
		for _, d := range t.DataPlanes {
			all[d] = true
		}
	}
	return slices.Sorted(maps.Keys(all))
}

func scenarioList() []string {
	all, _ := scenarios.All(scenarios.Params{}) // a library that is broken completes nothing
	var names []string
	for _, sc := range all {
		names = append(names, "^"+sc.Name+"$")
	}
	return names
}

func labelList() []string {
	all, _ := scenarios.All(scenarios.Params{}) // as in scenarioList
	labels := map[string]bool{}
	for _, sc := range all {
		for _, l := range sc.LabelNames() {
			labels[l] = true
		}
	}
	return slices.Sorted(maps.Keys(labels))
}

func faultList() []string {
	var names []string
	for _, f := range faults.All() {
		names = append(names, "^"+f.Name+"$")
	}
	return names
}

func budgetList() []string {
	var names []string
	for _, g := range slices.Concat(metrics.Costs, metrics.CountsUp) {
		names = append(names, string(g)+"<")
	}
	return names
}
