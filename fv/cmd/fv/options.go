package main

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/nodefv/nodefv/infra/build"
	"github.com/nodefv/nodefv/scenarios"
	"github.com/nodefv/nodefv/scenarios/engine"
)

// environmentOptions choose what is started.
type environmentOptions struct {
	target    string
	dataplane string
	typha     bool
	out       string
}

func (o *environmentOptions) flags(f *pflag.FlagSet) {
	f.StringVar(&o.target, "target", "felix", "the agent under test")
	f.StringVar(&o.dataplane, "dataplane", "iptables-nft", "how it programs the kernel: iptables-nft, iptables-legacy or nftables")
	f.BoolVar(&o.typha, "typha", false, "put Typha between the API server and the agent")
	f.StringVar(&o.out, "out", "out", "directory for records; each run has a folder of its own, `latest` links to the last")
}

// suiteOptions choose which scenarios run, and how.
type suiteOptions struct {
	focus  string
	labels string
	seed   uint64
	params map[string]*string
	extra  []string // of the user's, for Ginkgo
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
	if err := checkFocus(o.focus, all); err != nil {
		return nil, err
	}
	if err := checkLabels(o.labels, all); err != nil {
		return nil, err
	}
	if o.labels == "" && o.focus == "" {
		o.labels = "!" + scenarios.Slow
	}
	for o.seed == 0 {
		o.seed = rand.Uint64() >> 32
	}
	return set, nil
}

func checkFocus(focus string, all []engine.Scenario) error {
	re, err := regexp.Compile(focus)
	if err != nil {
		return fmt.Errorf("--focus %q: %w", focus, err)
	}
	if !slices.ContainsFunc(all, func(s engine.Scenario) bool { return re.MatchString(s.Name) }) {
		return fmt.Errorf("--focus %q matches no scenario; `fv list` shows them", focus)
	}
	return nil
}

var labelWord = regexp.MustCompile(`[A-Za-z][\w-]*`)

// checkLabels looks for words that no scenario carries; the filter's grammar is Ginkgo's to check.
func checkLabels(filter string, all []engine.Scenario) error {
	if strings.Contains(filter, "/") {
		return nil // a regular expression
	}
	var known []string
	for _, s := range all {
		known = append(known, s.Labels...)
	}
	slices.Sort(known)
	known = slices.Compact(known)
	for _, word := range labelWord.FindAllString(filter, -1) {
		if !slices.Contains(known, word) {
			return fmt.Errorf("--labels %q: no scenario has the label %q; there are: %s", filter, word, strings.Join(known, ", "))
		}
	}
	return nil
}

// ginkgo returns the flags with which the driver runs what was chosen.
func (o *suiteOptions) ginkgo() []string {
	args := []string{"--ginkgo.seed=" + strconv.FormatUint(o.seed&0x7fffffff, 10), "--ginkgo.timeout=24h", "--test.timeout=0"}
	if o.focus != "" {
		args = append(args, "--ginkgo.focus="+o.focus)
	}
	if o.labels != "" {
		args = append(args, "--ginkgo.label-filter="+o.labels)
	}
	return append(args, o.extra...)
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
	words := []string{"bin/fv run", "--seed", strconv.FormatUint(s.seed, 10), "--target", e.target, "--dataplane", e.dataplane}
	if e.typha {
		words = append(words, "--typha")
	}
	if s.labels != "" && s.labels != "!"+scenarios.Slow {
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

// imageOverrides are the variables by which users name an image of their own.
var imageOverrides = map[string]string{
	"FV_FELIXIMAGE": build.Felix,
	"FV_TYPHAIMAGE": build.Typha,
	"FV_ETCDIMAGE":  build.Etcd,
	"FV_K8SIMAGE":   build.Kubernetes,
}

func overriddenImages() map[string]string {
	images := map[string]string{}
	for variable, component := range imageOverrides {
		if image := os.Getenv(variable); image != "" {
			images[component] = image
		}
	}
	return images
}

// newRunID returns an identifier that sorts by time and is unique on this machine.
func newRunID() string {
	return time.Now().UTC().Format("20060102-150405") + "-" + strconv.FormatUint(uint64(rand.Uint32())|1<<31, 36)
}
