package main

import (
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/nodefv/nodefv/fv/harness"
	"github.com/nodefv/nodefv/metrics/report"
	"github.com/nodefv/nodefv/scenarios/faults"
)

func faultsCommand() *cobra.Command {
	var o harness.Options
	var focus string
	var repeat int
	var seed uint64
	c := &cobra.Command{
		Use: "faults", Short: "Break things on purpose and see whether the suite finds each, for the right cause", Args: cobra.NoArgs,
		Long: `faults tests the tester: each row of its table is a fault made behind the agent's back, in the agent or in the datastore, in the
middle of churn, in an environment of its own in which the agent never looks again at what it has programmed. Of an Ingress controller
the faults are those of requests, which are made all along. Faults that the target can't have are skipped, with the reason. Exit code 0:
every other fault was judged as it must be; 1: one was not.`,
		RunE: func(c *cobra.Command, _ []string) error {
			re, err := regexp.Compile(focus)
			if err != nil {
				return usage(fmt.Errorf("--focus %q is no regular expression: %w", focus, err))
			}
			if repeat < 1 {
				return usage(fmt.Errorf("--repeat %d: must be at least 1", repeat))
			}
			return breakAll(c, o, re, repeat, seed)
		},
	}
	environmentFlags(c.Flags(), &o)
	c.Flags().StringVar(&focus, "focus", "", "make only the faults whose name matches this regular expression")
	c.Flags().IntVar(&repeat, "repeat", 1, "how often to make each fault")
	c.Flags().Uint64Var(&seed, "seed", 1, "seed of everything that is drawn")
	return c
}

// breakAll makes the faults one after the other and prints the table as it grows.
func breakAll(c *cobra.Command, o harness.Options, focus *regexp.Regexp, repeat int, seed uint64) error {
	chosen, skipped, err := choose(o, focus)
	if err != nil {
		return err
	}
	h, err := opened(c, o)
	if err != nil {
		return err
	}
	missed, out := 0, h.Out()
	for _, s := range skipped {
		fmt.Fprint(out, s)
	}
	fmt.Fprintf(out, "%-7s %-26s %-13s %6s\n", "", "FAULT", "VERDICT", "TOOK")
	for round := range repeat {
		for i, f := range chosen {
			begun := time.Now()
			rec, err := h.Break(c.Context(), o, f, seed, fmt.Sprintf("%d/%d ", round*len(chosen)+i+1, repeat*len(chosen)))
			if err != nil {
				return &exitError{exitInconclusive, fmt.Errorf("%s: %w", f.Name, err)}
			}
			caught, told := f.Caught(rec)
			word := "caught"
			if !caught {
				word, missed = "MISSED", missed+1
			}
			fmt.Fprintf(out, "%-7s %-26s %-13s %5.1fs\n%s", word, f.Name, rec.Verdict, time.Since(begun).Seconds(), found(told, filepath.Join(o.Out, rec.Run.ID)))
		}
	}
	if missed > 0 {
		return &exitError{exitFail, fmt.Errorf("%d of %d faults were missed", missed, repeat*len(chosen))}
	}
	fmt.Fprintf(out, "\nevery fault was caught (%d)\n", repeat*len(chosen))
	return nil
}

// choose returns the faults that can be made with the target, of those whose name matches, and those that can't, by reason. It is an error if none can.
func choose(o harness.Options, focus *regexp.Regexp) (chosen []faults.Fault, skipped []skips, err error) {
	for _, f := range faults.All() {
		if !focus.MatchString(f.Name) {
			continue
		}
		why, err := harness.Impossible(o, f)
		if err != nil {
			return nil, nil, err
		}
		i := slices.IndexFunc(skipped, func(s skips) bool { return s.why == why })
		switch {
		case why == "":
			chosen = append(chosen, f)
		case i < 0:
			skipped = append(skipped, skips{why, []string{f.Name}})
		default:
			skipped[i].names = append(skipped[i].names, f.Name)
		}
	}
	switch {
	case len(chosen) > 0:
		return chosen, skipped, nil
	case len(skipped) > 0:
		return nil, nil, usage(fmt.Errorf("no fault that --focus %q matches can be made: %s: %s", focus, strings.Join(skipped[0].names, ", "), skipped[0].why))
	}
	return nil, nil, usage(fmt.Errorf("--focus %q matches no fault", focus))
}

// skips are faults that can't be made, for one reason.
type skips struct {
	why   string
	names []string
}

// String tells them in lines for a terminal.
func (s skips) String() string {
	return fmt.Sprintf("skipped %d: %s\n%s", len(s.names), s.why, below(strings.Join(s.names, ", ")))
}

// found is what was told of a fault, and the record in which more of it is, below its line.
func found(told, dir string) string {
	const most = 160
	told, _, _ = strings.Cut(told, "\n")
	if runes := []rune(told); len(runes) > most {
		told = string(runes[:most]) + "…"
	}
	return below(told) + indent + "record: " + dir + "\n"
}

// indent stands before what belongs to the line above.
const indent = "        "

// below is a text in lines that belong to the line above.
func below(text string) string {
	const width = 80
	var b strings.Builder
	for line := range strings.Lines(report.Wrapped(text, width-len(indent))) {
		b.WriteString(indent + strings.TrimRight(line, "\n") + "\n")
	}
	return b.String()
}
