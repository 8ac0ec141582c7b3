package main

import (
	"bytes"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// TestHelpNamesValues wants help to call no value by the name of a type of Go's or by a word of its own sentence, and to fit 80 columns.
func TestHelpNamesValues(t *testing.T) {
	root := command()
	for _, c := range root.Commands() {
		c.Flags().VisitAll(func(f *pflag.Flag) {
			if name, _ := pflag.UnquoteUsage(f); name == "string" || name == "value" {
				t.Errorf("fv %s: --%s %s: %s", c.Name(), f.Name, name, f.Usage)
			}
		})
		usage := c.UsageString()
		for line := range strings.Lines(c.LocalFlags().FlagUsagesWrapped(80)) {
			if utf8.RuneCountInString(strings.TrimRight(line, "\n")) > 80 || !strings.Contains(usage, strings.TrimSpace(line)) {
				t.Errorf("fv %s: %s", c.Name(), line)
			}
		}
	}
}

func TestDidYouMean(t *testing.T) {
	for words, says := range map[string]string{
		"rnu":                          `unknown command "rnu"; did you mean ` + "`fv run`?",
		"feathers":                     `unknown command "feathers"; see`,
		"run --fokus x":                "unknown flag: --fokus; did you mean --focus?",
		"run --feathers x":             "unknown flag: --feathers; see",
		"run --focus ^two~isolted":     "matches no scenario; `fv list` shows them",
		"run --focus pod~chrun":        `did you mean "pod churn"?`,
		"run --budget rss<1MiB":        `--budget "rss<1MiB": there is no gauge rss`,
		"run --repeat 0":               "--repeat 0: must be at least 1",
		"run --repeat 2 --keep always": "--keep always can't be",
	} {
		root := command()
		var args []string
		for _, w := range strings.Fields(words) {
			args = append(args, strings.ReplaceAll(w, "~", " "))
		}
		root.SetArgs(args)
		err := root.Execute()
		if err == nil || !strings.Contains(err.Error(), says) || exitCode(err) != exitUsage {
			t.Errorf("%s: got %v, want %q", words, err, says)
		}
	}
}

func TestCompletion(t *testing.T) {
	for words, want := range map[string]string{
		"run --target": "kube-router", "run --dataplane": "nftables", "run --runtime": "local", "run --focus": "^pod churn$", "run --labels": "churn",
		"faults --focus": "^a route removed$", "run --keep": "on-failure", "run --budget": "rss_bytes<", "leak --churn": "policies",
	} {
		var out bytes.Buffer
		root := command()
		root.SetOut(&out)
		root.SetArgs(append([]string{cobra.ShellCompRequestCmd}, append(strings.Fields(words), "")...))
		if err := root.Execute(); err != nil || !slices.Contains(strings.Split(out.String(), "\n"), want) {
			t.Errorf("%s: no %q: %v\n%s", words, want, err, out.String())
		}
	}
}

func TestTellVersion(t *testing.T) {
	var out bytes.Buffer
	tellVersion(&out, &debug.BuildInfo{Main: debug.Module{Version: "v1.2.3"}, Settings: []debug.BuildSetting{
		{Key: "vcs.revision", Value: "0123456789abcdef"}, {Key: "vcs.time", Value: "2026-01-02T03:04:05Z"}, {Key: "vcs.modified", Value: "true"}}})
	if got := out.String(); !strings.HasPrefix(got, "fv v1.2.3, commit 0123456789ab of 2026-01-02T03:04:05Z, with changes, go") || !strings.Contains(got, "\ntests felix v3.") {
		t.Errorf("got %s", got)
	}
}
