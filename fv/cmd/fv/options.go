package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/onsi/ginkgo/v2/types"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/term"

	"github.com/nodefv/nodefv/infra/targets/all"
	"github.com/nodefv/nodefv/scenarios"
	"github.com/nodefv/nodefv/scenarios/engine"
)

// environmentOptions choose what is started.
type environmentOptions struct {
	target    string
	dataplane string
	extras    []string // words of what the target starts besides the agent
	out       string
	runtime   string
	binaries  map[string]string // the user's own, by component
	agent     agentOptions

	settings []string          // words for the agent's behaviour
	env      map[string]string // more of the agent's environment
	memory   int64             // limit on the agent's memory
}

func (o *environmentOptions) flags(f *pflag.FlagSet) {
	f.StringVar(&o.target, "target", all.Default, "the agent under test: "+targetNames())
	f.StringVar(&o.dataplane, "dataplane", "iptables-nft", "how it programs the kernel: "+dataPlanes())
	extraFlags(f, &o.extras)
	f.StringVar(&o.runtime, "runtime", runtimeAuto, "what runs the containers: docker, local (processes in namespaces, no engine), or auto: docker where an engine answers")
	binaryFlags(f, &o.binaries)
	o.agent.flags(f)
	f.StringVar(&o.out, "out", "out", "directory for records; each run has a folder of its own, `latest` links to the last")
}

// suiteOptions choose which scenarios run, and how.
type suiteOptions struct {
	focus  string
	labels string
	seed   uint64
	params map[string]*string
	extra  []string // of the user's, for Ginkgo
	names  []string // of the scenarios that focus chooses; nil: all
}

func (o *suiteOptions) flags(f *pflag.FlagSet) {
	f.StringVar(&o.focus, "focus", "", "run the scenarios whose name matches this regular expression, slow ones too")
	f.StringVar(&o.labels, "labels", "", "run the scenarios that this Ginkgo label filter selects, such as 'churn && !slow' (default \"!slow\" without --focus)")
	f.Uint64Var(&o.seed, "seed", 0, "seed of everything that is drawn; 0 draws one and prints it")
	o.params = map[string]*string{}
	for name, doc := range scenarios.ParamDocs() {
		o.params[name] = f.String(name, "", doc+" (default: the scenario's own)")
	}
}

// resolve checks the options, fills in what was left open, and returns the parameters that the user set.
func (o *suiteOptions) resolve() (map[string]string, error) {
	set := map[string]string{}
	for name, value := range o.params {
		if *value != "" {
			set[name] = *value
		}
	}
	params, err := scenarios.ParseParams(set)
	if err != nil {
		return nil, err
	}
	all, err := scenarios.All(params)
	if err != nil {
		return nil, err
	}
	if o.names, err = focused(o.focus, all); err != nil {
		return nil, err
	}
	if err := checkLabels(o.labels, all); err != nil {
		return nil, err
	}
	if o.labels == "" && o.focus == "" {
		o.labels = "!" + string(scenarios.Slow)
	}
	for o.seed == 0 {
		o.seed = rand.Uint64() >> 32
	}
	return set, nil
}

// focused returns the names of the scenarios that the regular expression matches, quoted for another.
func focused(focus string, all []engine.Scenario) (names []string, err error) {
	re, err := regexp.Compile(focus)
	if err != nil {
		return nil, fmt.Errorf("--focus %q: %w", focus, err)
	}
	for _, s := range all {
		if re.MatchString(s.Name) {
			names = append(names, regexp.QuoteMeta(s.Name))
		}
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("--focus %q matches no scenario; `fv list` shows them", focus)
	}
	return names, nil
}

var labelWord = regexp.MustCompile(`[A-Za-z][\w-]*`)

// checkLabels refuses a filter that Ginkgo can't read, one with words that no scenario carries, and one that selects nothing.
func checkLabels(filter string, all []engine.Scenario) error {
	selects, err := types.ParseLabelFilter(filter)
	if err != nil {
		return fmt.Errorf("--labels %q is no label filter of Ginkgo's; write it as in 'churn && !slow'", filter)
	}
	var known []string
	for _, s := range all {
		known = append(known, s.LabelNames()...)
	}
	slices.Sort(known)
	known = slices.Compact(known)
	if !strings.Contains(filter, "/") { // else it holds a regular expression
		for _, word := range labelWord.FindAllString(filter, -1) {
			if !slices.Contains(known, word) {
				return fmt.Errorf("--labels %q: no scenario has the label %q; there are: %s", filter, word, strings.Join(known, ", "))
			}
		}
	}
	if !slices.ContainsFunc(all, func(s engine.Scenario) bool { return selects(s.LabelNames()) }) {
		return fmt.Errorf("--labels %q selects no scenario; there are the labels %s", filter, strings.Join(known, ", "))
	}
	return nil
}

// ginkgo returns the flags with which the driver runs what was chosen.
func (o *suiteOptions) ginkgo() []string {
	args := []string{"--ginkgo.seed=" + strconv.FormatUint(o.seed&0x7fffffff, 10), "--ginkgo.timeout=24h", "--test.timeout=0", "--test.run=^TestFV$"}
	if o.focus != "" {
		// Ginkgo puts the suite's name before that of the spec: a focus that is anchored would not match.
		args = append(args, `--ginkgo.focus=^\S+ (`+strings.Join(o.names, "|")+")$")
	}
	if o.labels != "" {
		args = append(args, "--ginkgo.label-filter="+o.labels)
	}
	return append(args, o.extra...)
}

// dryRun reports whether the specs shall only be shown.
func (o *suiteOptions) dryRun() bool {
	return slices.ContainsFunc(o.extra, func(a string) bool {
		return a == "--ginkgo.dry-run" || a == "--ginkgo.dryRun" || strings.HasPrefix(a, "--ginkgo.dry-run=t")
	})
}

// showSuite lets the suite show its specs, for which it needs no environment.
func showSuite(ctx context.Context, o suiteOptions, out io.Writer) error {
	root, err := projectRoot()
	if err != nil {
		return usage(err)
	}
	args := o.ginkgo()
	if !term.IsTerminal(int(os.Stdout.Fd())) {
		args = append(args, "--ginkgo.no-color")
	}
	suite := exec.CommandContext(ctx, filepath.Join(root, "bin", "fv.test"), args...)
	suite.Stdout, suite.Stderr = out, out
	if err := suite.Run(); err != nil {
		return usage(fmt.Errorf("the suite: %w; `make build` makes it", err))
	}
	return nil
}

// checkExtra lets the suite refuse flags that it does not know before anything is started for it.
func checkExtra(ctx context.Context, o suiteOptions) error {
	if len(o.extra) == 0 {
		return nil
	}
	var said bytes.Buffer
	o.extra = append([]string{"--ginkgo.dry-run"}, o.extra...)
	err := showSuite(ctx, o, &said)
	if err != nil {
		first, _, _ := strings.Cut(strings.TrimSpace(said.String()), "\n")
		return fmt.Errorf("flags after --: %s", first)
	}
	return nil
}

// onlyAfterDashes refuses arguments that are not flags for Ginkgo, which stand after --.
func onlyAfterDashes(c *cobra.Command, args []string) error {
	if n := c.ArgsLenAtDash(); n > 0 || n < 0 && len(args) > 0 {
		return fmt.Errorf("unknown argument %q: flags for Ginkgo stand after --", args[0])
	}
	return nil
}

// ginkgoFlags gives flags the prefix that a compiled suite knows them by: -v and --ginkgo.v are the same.
func ginkgoFlags(args []string) []string {
	var out []string
	for _, a := range args {
		name := strings.TrimLeft(a, "-")
		if name == a || strings.HasPrefix(name, "ginkgo.") || strings.HasPrefix(name, "test.") {
			out = append(out, a)
			continue
		}
		out = append(out, "--ginkgo."+name)
	}
	return out
}

// repeatCommand is the command that runs the same again.
func repeatCommand(e environmentOptions, s suiteOptions, params map[string]string) string {
	words := append([]string{"bin/fv run", "--seed", strconv.FormatUint(s.seed, 10)}, environmentWords(e)...)
	if s.labels != "" && s.labels != "!"+string(scenarios.Slow) {
		words = append(words, "--labels", "'"+s.labels+"'")
	}
	for _, name := range slices.Sorted(maps.Keys(params)) {
		words = append(words, "--"+name, params[name])
	}
	if s.focus != "" {
		words = append(words, "--focus", "'"+s.focus+"'")
	}
	return strings.Join(words, " ")
}

// environmentWords are the options that start such an environment again.
func environmentWords(e environmentOptions) []string {
	words := []string{"--target", e.target, "--dataplane", e.dataplane}
	for _, extra := range e.extras {
		words = append(words, "--"+extra)
	}
	if e.runtime != "" && e.runtime != runtimeAuto {
		words = append(words, "--runtime", e.runtime)
	}
	for _, component := range slices.Sorted(maps.Keys(e.binaries)) {
		words = append(words, "--"+binaryFlag(component), "'"+e.binaries[component]+"'")
	}
	return append(words, e.agent.words()...)
}

// newRunID returns an identifier that sorts by time and is unique on this machine.
func newRunID() string {
	return time.Now().UTC().Format("20060102-150405") + "-" + strconv.FormatUint(uint64(rand.Uint32())|1<<31, 36)
}
