package main

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

const commandsPage = "../../../docs/reference/commands.md"

var update = flag.Bool("update", false, "write docs/reference/commands.md anew")

// TestCommandsPage wants the page to say what the commands are.
func TestCommandsPage(t *testing.T) {
	want := page(command())
	if *update {
		if err := os.WriteFile(commandsPage, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(commandsPage)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Errorf("%s is not what the commands are: go test ./fv/cmd/fv -run CommandsPage -update", commandsPage)
	}
}

// shared is how many commands have a flag before it is described once for all.
const shared = 3

// page is the reference of all subcommands.
func page(root *cobra.Command) string {
	commands := subcommands(root)
	var b strings.Builder
	b.WriteString("# Commands\n\n" + wrap("`go test ./fv/cmd/fv -run CommandsPage -update` writes this page from the commands themselves. "+
		"`bin/fv COMMAND --help` says the same. [Exit codes](exit-codes.md) have a page of their own. Flags that several commands "+
		"have are described once, under [shared flags](#shared-flags).") + "\n\n| command | does |\n|---|---|\n")
	count := map[string]int{}
	for _, c := range commands {
		fmt.Fprintf(&b, "| [`%s`](#%s) | %s |\n", c.CommandPath(), strings.ReplaceAll(c.CommandPath(), " ", "-"), cell(c.Short))
		c.LocalNonPersistentFlags().VisitAll(func(f *pflag.Flag) { count[row(f)]++ })
	}
	delete(count, "")
	for _, c := range commands {
		section(&b, c, count)
	}
	b.WriteString("\n## Shared flags\n\n" + flagTable)
	for _, r := range slices.Sorted(maps.Keys(count)) {
		if count[r] >= shared {
			b.WriteString(r)
		}
	}
	return b.String()
}

const flagTable = "| flag | default | means |\n|---|---|---|\n"

// section describes one command; count says how many commands have each flag.
func section(b *strings.Builder, c *cobra.Command, count map[string]int) {
	text := c.Long
	if text == "" {
		text = c.Short + "."
	}
	fmt.Fprintf(b, "\n## %s\n\n    %s\n\n%s\n", c.CommandPath(), c.UseLine(), wrap(text))
	if c.Example != "" {
		b.WriteString("\nFor example:\n\n")
		for line := range strings.Lines(c.Example) {
			fmt.Fprintf(b, "    %s\n", strings.TrimRight(strings.TrimPrefix(line, "  "), "\n"))
		}
	}
	var own, others []string
	c.LocalNonPersistentFlags().VisitAll(func(f *pflag.Flag) {
		switch r := row(f); {
		case count[r] >= shared:
			others = append(others, "`--"+f.Name+"`")
		case r != "":
			own = append(own, r)
		}
	})
	if len(own) > 0 {
		fmt.Fprintf(b, "\n%s%s", flagTable, strings.Join(own, ""))
	}
	if len(others) > 0 {
		fmt.Fprintf(b, "\n%s\n", wrap("[Shared](#shared-flags): "+strings.Join(others, ", ")+"."))
	}
}

// subcommands are those that users see, sorted by name, each before its own.
func subcommands(of *cobra.Command) (all []*cobra.Command) {
	for _, c := range of.Commands() {
		if c.IsAvailableCommand() && c.Name() != "completion" {
			all = append(append(all, c), subcommands(c)...)
		}
	}
	return all
}

// row describes a flag; empty if it is hidden.
func row(f *pflag.Flag) string {
	if f.Hidden || f.Name == "help" {
		return ""
	}
	name, usage := pflag.UnquoteUsage(f)
	if name != "" {
		name = " " + strings.ToUpper(name)
	}
	value := f.DefValue
	if value == "false" || value == "[]" {
		value = ""
	}
	if value != "" {
		value = "`" + value + "`"
	}
	return fmt.Sprintf("| `--%s%s` | %s | %s |\n", f.Name, name, value, cell(usage))
}

func cell(text string) string { return strings.ReplaceAll(text, "|", `\|`) }

// wrap breaks the lines of each paragraph anew, at 99 columns.
func wrap(text string) string {
	var paragraphs []string
	for _, p := range strings.Split(text, "\n\n") {
		var line string
		var lines []string
		for _, word := range strings.Fields(p) {
			if line != "" && len([]rune(line))+1+len([]rune(word)) > 99 {
				lines, line = append(lines, line), ""
			}
			line = strings.TrimSpace(line + " " + word)
		}
		paragraphs = append(paragraphs, strings.Join(append(lines, line), "\n"))
	}
	return strings.Join(paragraphs, "\n\n")
}

var (
	called    = regexp.MustCompile("(?:bin/|`)fv ([a-z]+)([^`#\\n]*)")
	option    = regexp.MustCompile(`(?:^|\s)--([a-z][a-z-]*)`)
	continued = regexp.MustCompile(`\\\n\s*`)
)

// TestDocumentedCommandsExist looks up every subcommand and flag that a page has a reader type.
func TestDocumentedCommandsExist(t *testing.T) {
	pages, err := filepath.Glob("../../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	deeper, err := filepath.Glob("../../../docs/*/*.md")
	if err != nil {
		t.Fatal(err)
	}
	pages = append(append(pages, deeper...), "../../../README.md", "../../../CONTRIBUTING.md")
	found := 0
	for _, name := range pages {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range called.FindAllStringSubmatch(continued.ReplaceAllString(string(text), ""), -1) {
			found++
			flags, _, _ := strings.Cut(m[2], " -- ")
			c, _, err := command().Find(append([]string{m[1]}, strings.Fields(flags)...)) // it may have subcommands
			if err != nil {
				t.Errorf("%s: %q: %v", name, m[0], err)
				continue
			}
			for _, o := range option.FindAllStringSubmatch(flags, -1) {
				if o[1] != "help" && c.Flags().Lookup(o[1]) == nil {
					t.Errorf("%s: %q: fv %s has no flag --%s", name, m[0], m[1], o[1])
				}
			}
		}
	}
	if found == 0 {
		t.Error("no page has a command: the test looks at the wrong places")
	}
}
