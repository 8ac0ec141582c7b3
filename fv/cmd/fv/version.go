package main

import (
	"fmt"
	"io"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/nodefv/nodefv/infra/targets"
)

func versionCommand() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Tell what this program was built from, and which releases it tests unless told otherwise", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			info, _ := debug.ReadBuildInfo() // nil: a build without modules
			tellVersion(c.OutOrStdout(), info)
			return nil
		},
	}
}

func tellVersion(out io.Writer, info *debug.BuildInfo) {
	version, built := "unknown", ""
	if info != nil {
		version = info.Main.Version
		for _, s := range info.Settings {
			switch {
			case s.Key == "vcs.revision":
				built += ", commit " + s.Value[:min(len(s.Value), 12)]
			case s.Key == "vcs.time":
				built += " of " + s.Value
			case s.Key == "vcs.modified" && s.Value == "true":
				built += ", with changes"
			}
		}
	}
	fmt.Fprintf(out, "fv %s%s, %s %s/%s\n", version, built, runtime.Version(), runtime.GOOS, runtime.GOARCH)
	for _, t := range targets.All() {
		if releases := t.Agent().Releases; len(releases) > 0 {
			fmt.Fprintf(out, "tests %s %s\n", t.Name, releases[len(releases)-1])
		} else {
			fmt.Fprintf(out, "tests %s\n", t.Name)
		}
	}
}
