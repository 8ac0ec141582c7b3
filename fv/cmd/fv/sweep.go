package main

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/nodefv/nodefv/fv/harness"
	"github.com/nodefv/nodefv/metrics/sweep"
	"github.com/nodefv/nodefv/scenarios"
)

func sweepCommand() *cobra.Command {
	var o harness.SweepOptions
	var axes []string
	var show string
	fixed := map[string]*string{}
	c := &cobra.Command{
		Use: "sweep SCENARIO | --preset NAME | --resume FOLDER", Short: "Run a scenario again and again while one parameter varies, or two, and lay the results side by side",
		Long: `sweep runs a scenario for each value of a parameter, or for each pair of values of two, in an order drawn from the seed, each round in another.
The environment stays; the agent is restarted before each cell. In the end it shows the medians, and how each quantity grows with the parameters;
sweep.html has plots, or heat maps for two parameters, results.csv every number of every cell. Ctrl-C loses nothing but the cell that is under way:
--resume goes on.

A preset is a method for SUTs that route requests: it first measures what client, network and a bare proxy can do on this machine, and plans its
sweeps by that.

Presets:
` + sweep.PresetDocs() + `
Parameters:
` + paramDocs() + `
Exit codes as of fv run: the worst verdict of all cells.`,
		Example: `  fv sweep 'sized cluster' -p endpoints=10,30,100,300 --repeat 3
  fv sweep 'sized cluster' -p endpoints=10,100,300 -p policies=1,10,100
  fv sweep 'pod churn' -p rate=1,10,100 --cycles 3 --show 'cpu|enforcement'
  fv sweep --preset macro --target traefik --repeat 3
  fv sweep --resume out/sweep-20261128-190500-abc`,
		Args: func(c *cobra.Command, args []string) error {
			switch {
			case o.Preset != "" && (o.Resume != "" || len(args) > 0 || len(axes) > 0):
				return fmt.Errorf("--preset plans by itself: leave scenario, parameters and --resume out; a sweep of its that was cut off goes on with --resume alone")
			case o.Resume != "" && (len(args) > 0 || len(axes) > 0):
				return fmt.Errorf("--resume goes on with what was begun: leave scenario and parameters out")
			case o.Preset == "" && o.Resume == "" && len(args) != 1:
				return fmt.Errorf("name one scenario; `fv list` shows them")
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) (err error) {
			if show != "" {
				if o.Show, err = regexp.Compile(show); err != nil {
					return usage(fmt.Errorf("--show %q is no regular expression: %w", show, err))
				}
			}
			if o.Preset != "" {
				args = []string{sweep.PresetScenario}
			}
			if o.Resume == "" {
				if err := planned(&o.Plan, args[0], axes, fixed); err != nil {
					return usage(err)
				}
			}
			if err := o.Check(givenImages()); err != nil {
				return err
			}
			if o.Width = 80; screen(c).Width != nil {
				o.Width = screen(c).Width()
			}
			h, err := open(c)
			if err != nil {
				return err
			}
			return ended(h.Sweep(c.Context(), o))
		},
	}
	environmentFlags(c.Flags(), &o.Options)
	f := c.Flags()
	f.StringArrayVarP(&axes, "parameter", "p", nil, "NAME=VALUE,VALUE…: let this parameter take these values; once or twice")
	f.IntVar(&o.Plan.Rounds, "repeat", 1, "rounds: how often each cell is measured")
	f.Uint64Var(&o.Plan.Seed, "seed", 0, "seed of the order and of each run; 0 draws one and prints it")
	f.DurationVar(&o.For, "for", 0, "begin no cell after this time, of all sweeps of a preset together; --resume measures the rest")
	f.StringVar(&show, "show", "", "show the quantities whose name matches this regular expression, such as 'rss|enforcement'")
	f.StringVar(&o.Preset, "preset", "", "plan sweeps by what the machine can do: micro or macro")
	f.StringVar(&o.Resume, "resume", "", "`folder` of a sweep to go on with")
	for name, doc := range scenarios.ParamDocs() {
		fixed[name] = f.String(name, "", doc+", the same in all cells (default: the scenario's own)")
	}
	return c
}

// planned completes a plan from what the user gave.
func planned(p *sweep.Plan, scenario string, axes []string, fixed map[string]*string) error {
	p.Scenario, p.Params, p.Axes = scenario, map[string]string{}, nil
	for name, value := range fixed {
		if *value != "" {
			p.Params[name] = *value
		}
	}
	for _, text := range axes {
		a, err := sweep.ParseAxis(text)
		if err != nil {
			return fmt.Errorf("-p %s: %w", text, err)
		}
		p.Axes = append(p.Axes, a)
	}
	p.Seed = harness.SeedOr(p.Seed)
	return nil
}

func paramDocs() string {
	var b strings.Builder
	docs := scenarios.ParamDocs()
	for _, name := range slices.Sorted(maps.Keys(docs)) {
		fmt.Fprintf(&b, "  %-12s %s\n", name, docs[name])
	}
	return b.String()
}
