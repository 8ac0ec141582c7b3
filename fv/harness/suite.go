package harness

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/onsi/ginkgo/v2/types"

	"github.com/nodefv/nodefv/metrics"
	"github.com/nodefv/nodefv/scenarios"
	"github.com/nodefv/nodefv/scenarios/engine"
)

// Suite chooses which scenarios run, and how. It must be resolved before it is used.
type Suite struct {
	Focus  string            // run those whose name matches this regular expression, slow ones too; empty: all
	Labels string            // run those that this label filter of Ginkgo's selects; empty without a focus: all but slow ones
	Seed   uint64            // of everything that is drawn; 0: one is drawn
	Params map[string]string // of scenarios, as the user set them
	Budget []string          // ceilings of the run, as metrics.ParseCeiling reads them
	Extra  []string          // flags of the user's, for Ginkgo

	ceilings []metrics.Ceiling
	names    []string // of the scenarios that the focus chooses, quoted for a regular expression
}

// Resolve checks the suite and fills in what was left open. That it is wrong is a usage error.
func (s *Suite) Resolve() error {
	params, err := scenarios.ParseParams(s.Params)
	if err != nil {
		return usage(err)
	}
	all, err := scenarios.All(params)
	if err != nil {
		return usage(err)
	}
	named, err := focused(s.Focus, all)
	if err != nil {
		return usage(err)
	}
	s.names = nil
	for _, sc := range named {
		s.names = append(s.names, regexp.QuoteMeta(sc.Name))
	}
	if s.Labels == "" && s.Focus == "" {
		s.Labels = "!" + string(scenarios.Slow)
	}
	chosen, err := labelled(s.Labels, all, named)
	if err != nil {
		return usage(err)
	}
	if err := scenarios.Possible(chosen); err != nil {
		return usage(err)
	}
	s.ceilings = nil
	for _, text := range s.Budget {
		c, err := metrics.ParseCeiling(text)
		if err != nil {
			return usage(fmt.Errorf("--budget %q: %w", text, err))
		}
		s.ceilings = append(s.ceilings, c)
	}
	s.Seed = SeedOr(s.Seed)
	return nil
}

// SeedOr is the seed that was given or, if that is 0, one that is drawn: short enough to be typed again, and never 0.
func SeedOr(given uint64) uint64 {
	for given == 0 {
		given = rand.Uint64() >> 32
	}
	return given
}

// focused returns the scenarios that the regular expression matches.
func focused(focus string, all []engine.Scenario) (named []engine.Scenario, err error) {
	re, err := regexp.Compile(focus)
	if err != nil {
		return nil, fmt.Errorf("--focus %q is no regular expression: %w", focus, err)
	}
	for _, s := range all {
		if re.MatchString(s.Name) {
			named = append(named, s)
		}
	}
	if len(named) == 0 {
		if meant := Nearest(focus, names(all)); meant != "" {
			return nil, fmt.Errorf("--focus %q matches no scenario; did you mean %q? `fv list` shows all", focus, meant)
		}
		return nil, fmt.Errorf("--focus %q matches no scenario; `fv list` shows them", focus)
	}
	return named, nil
}

// names are those of scenarios.
func names(all []engine.Scenario) []string {
	known := make([]string, 0, len(all))
	for _, s := range all {
		known = append(known, s.Name)
	}
	return known
}

var labelWord = regexp.MustCompile(`[A-Za-z][\w-]*`)

// labelled returns those of the named scenarios that the filter selects. It refuses a filter that Ginkgo can't read, one with words that no
// scenario carries, and one that leaves nothing.
func labelled(filter string, all, named []engine.Scenario) (chosen []engine.Scenario, err error) {
	selects, err := types.ParseLabelFilter(filter)
	if err != nil {
		return nil, fmt.Errorf("--labels %q is no label filter of Ginkgo's; write it as in 'churn && !slow'", filter)
	}
	var known, names []string
	for _, s := range all {
		known = append(known, s.LabelNames()...)
	}
	slices.Sort(known)
	known = slices.Compact(known)
	if !strings.Contains(filter, "/") { // else it holds a regular expression
		for _, word := range labelWord.FindAllString(filter, -1) {
			if !slices.Contains(known, word) {
				return nil, fmt.Errorf("--labels %q: no scenario has the label %q; there are: %s", filter, word, strings.Join(known, ", "))
			}
		}
	}
	for _, s := range named {
		names = append(names, fmt.Sprintf("%q (%s)", s.Name, strings.Join(s.LabelNames(), ", ")))
		if selects(s.LabelNames()) {
			chosen = append(chosen, s)
		}
	}
	switch {
	case len(chosen) > 0:
		return chosen, nil
	case len(named) < len(all):
		return nil, fmt.Errorf("--labels %q excludes all that --focus names: %s; leave one of the two out", filter, strings.Join(names, ", "))
	}
	return nil, fmt.Errorf("--labels %q selects no scenario; there are the labels %s", filter, strings.Join(known, ", "))
}

// ginkgo returns the flags with which the driver runs what was chosen.
func (s *Suite) ginkgo() []string {
	args := []string{"--ginkgo.seed=" + strconv.FormatUint(s.Seed&0x7fffffff, 10), "--ginkgo.timeout=24h", "--test.timeout=0", "--test.run=^TestFV$"}
	if s.Focus != "" {
		// Ginkgo puts the suite's name before that of the spec: a focus that is anchored would not match.
		args = append(args, `--ginkgo.focus=^\S+ (`+strings.Join(s.names, "|")+")$")
	}
	if s.Labels != "" {
		args = append(args, "--ginkgo.label-filter="+s.Labels)
	}
	return append(args, s.Extra...)
}

// DryRun reports whether the specs shall only be shown.
func (s *Suite) DryRun() bool {
	return slices.ContainsFunc(s.Extra, func(a string) bool {
		return a == "--ginkgo.dry-run" || a == "--ginkgo.dryRun" || strings.HasPrefix(a, "--ginkgo.dry-run=t")
	})
}

// Show lets the suite show its specs, for which it needs no environment.
func (s *Suite) Show(ctx context.Context, out io.Writer, screen Screen) error {
	root, err := ProjectRoot()
	if err != nil {
		return usage(err)
	}
	args := s.ginkgo()
	if !screen.Colours {
		args = append(args, "--ginkgo.no-color")
	}
	suite := exec.CommandContext(ctx, filepath.Join(root, "bin", "fv.test"), args...)
	suite.Stdout, suite.Stderr = out, out
	if err := suite.Run(); err != nil {
		return usage(fmt.Errorf("the suite: %w; `make build` makes it", err))
	}
	return nil
}

// CheckExtra lets the suite refuse flags that it does not know before anything is started for it.
func (s *Suite) CheckExtra(ctx context.Context) error {
	if len(s.Extra) == 0 {
		return nil
	}
	var said bytes.Buffer
	dry := *s
	dry.Extra = append([]string{"--ginkgo.dry-run"}, s.Extra...)
	err := dry.Show(ctx, &said, Screen{})
	if first, _, _ := strings.Cut(strings.TrimSpace(said.String()), "\n"); err != nil && first != "" {
		return usage(fmt.Errorf("flags after --: %s", first))
	}
	return err
}
