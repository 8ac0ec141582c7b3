package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/nodefv/nodefv/fv/harness"
	"github.com/nodefv/nodefv/infra"
	"github.com/nodefv/nodefv/infra/targets"
	"github.com/nodefv/nodefv/infra/targets/all"
	"github.com/nodefv/nodefv/scenarios"
)

// environmentFlags adds the flags that choose what is started.
func environmentFlags(f *pflag.FlagSet, o *harness.Options) {
	o.Target = all.Default
	f.Var(targetFlag{o, f}, "target", "the agent under test: "+targetNames())
	f.StringVar(&o.DataPlane, "dataplane", "iptables-nft", "how it programs the kernel: "+dataPlanes())
	extraFlags(f, &o.Extras)
	f.StringVar(&o.Runtime, "runtime", harness.RuntimeAuto, "what runs the containers: docker, local (processes in namespaces, no engine), or auto: docker where an engine answers")
	binaryFlags(f, o)
	agentFlags(f, &o.Agent)
	outFlag(f, &o.Out)
}

// targetFlag chooses the target, and its standard data plane unless another is chosen.
type targetFlag struct {
	options *harness.Options
	flags   *pflag.FlagSet
}

func (t targetFlag) String() string { return t.options.Target }
func (targetFlag) Type() string     { return "string" }

// Set takes any name: whether there is such a target is checked with all other options.
func (t targetFlag) Set(name string) error {
	t.options.Target = name
	if info, err := targets.Find(name); err == nil && !t.flags.Changed("dataplane") {
		t.options.DataPlane = info.DataPlanes[0]
	}
	return nil
}

func outFlag(f *pflag.FlagSet, out *string) {
	f.StringVar(out, "out", "out", "`folder` of the records; each run has one of its own, and latest links to the last")
}

// suiteFlags adds the flags that choose scenarios. What it returns completes the suite once the flags are read.
func suiteFlags(f *pflag.FlagSet, s *harness.Suite) (resolve func() error) {
	f.StringVar(&s.Focus, "focus", "", "run the scenarios whose name matches this regular expression, slow ones too")
	f.StringVar(&s.Labels, "labels", "", "run the scenarios that this Ginkgo label filter selects, such as 'churn && !slow' (default \"!slow\" without --focus)")
	f.Uint64Var(&s.Seed, "seed", 0, "seed of everything that is drawn; 0 draws one and prints it")
	f.StringArrayVar(&s.Budget, "budget", nil, "fail what costs more, such as 'rss_bytes<120MiB' or 'enforce_deny_p99<200ms'; may be given more than once")
	params := map[string]*string{}
	for name, doc := range scenarios.ParamDocs() {
		params[name] = f.String(name, "", doc+" (default: the scenario's own)")
	}
	return func() error {
		s.Params = map[string]string{}
		for name, value := range params {
			if *value != "" {
				s.Params[name] = *value
			}
		}
		return s.Resolve()
	}
}

// extraFlags adds a flag for each part that a target can start besides its agent. The extras are nil as long as none is given.
func extraFlags(f *pflag.FlagSet, extras *[]string) {
	for _, c := range harness.Components() {
		if c.Extra == "" {
			continue
		}
		f.BoolFunc(c.Extra, c.Doc, func(s string) error {
			wanted, err := strconv.ParseBool(s)
			*extras = slices.DeleteFunc(append([]string{}, *extras...), func(e string) bool { return e == c.Extra })
			if wanted {
				*extras = append(*extras, c.Extra)
			}
			return err
		})
	}
}

// binaryFlags adds the flags by which users give binaries of their own. One of a part that is never built asks for that part.
func binaryFlags(f *pflag.FlagSet, o *harness.Options) {
	o.Binaries = map[string]string{}
	for _, c := range harness.Components() {
		doc := "run this binary instead of " + c.Title + " as pinned; a static one, unless it finds its libraries inside"
		if c.Given {
			doc = "the " + c.Title + " of --" + c.Extra + ", which it implies; a static one, unless it finds its libraries inside"
		}
		f.Func(harness.BinaryFlag(c.Name), doc, func(path string) error {
			abs, info, err := there(path)
			if err != nil {
				return err
			}
			if !info.Mode().IsRegular() || info.Mode()&0o111 == 0 {
				return errors.New("that is no program")
			}
			o.Binaries[c.Name] = abs
			if c.Given && !slices.Contains(o.Extras, c.Extra) {
				o.Extras = append(o.Extras, c.Extra)
			}
			return nil
		})
	}
}

// agentFlags adds the flags that choose the agent's release, and what it brings for the API server.
func agentFlags(f *pflag.FlagSet, a *infra.Choice) {
	for _, t := range targets.All() {
		c := t.Agent()
		if n := len(c.Releases); n > 0 {
			f.Func(harness.VersionFlag(c), fmt.Sprintf("build this release of %s from its module: %s (default %s)", c.Title, strings.Join(c.Releases, " or "), c.Releases[n-1]), func(s string) error {
				a.Component, a.Release = c.Name, s
				return nil
			})
		}
		if c.Checkout {
			f.Func(harness.SourceFlag(c), "build "+c.Title+" from this checkout of its repository, and take its CRDs and its role from there", func(s string) error {
				a.Component = c.Name
				return pathTo(&a.Source, true)(s)
			})
		}
	}
	f.Func("crds", "folder, or file, with the agent's CRDs and, if it is there, its role: of the release whose binary or image is given; image:PATH takes it from the agent's image", func(s string) error {
		if from, ok := strings.CutPrefix(s, harness.InImage); ok && path.IsAbs(from) {
			a.CRDs = s
			return nil
		}
		return pathTo(&a.CRDs, false)(s)
	})
}

// pathTo makes a flag's value an absolute path of something that is there.
func pathTo(to *string, folder bool) func(string) error {
	return func(path string) error {
		abs, info, err := there(path)
		if err != nil {
			return err
		}
		if folder && !info.IsDir() {
			return errors.New("that is no folder")
		}
		*to = abs
		return nil
	}
}

// there returns the absolute path of something that is there.
func there(path string) (string, os.FileInfo, error) {
	if path == "" {
		return "", nil, errors.New("give it a path, or leave it out")
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", nil, err
	}
	info, err := os.Stat(abs)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil, errors.New("there is nothing of that name")
	}
	return abs, info, err
}

func targetNames() string { return strings.Join(targetList(), ", ") }

// dataPlanes says which each target has.
func dataPlanes() string {
	var all []string
	for _, t := range targets.All() {
		all = append(all, t.Name+" "+strings.Join(t.DataPlanes, ", "))
	}
	return strings.Join(all, "; ")
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
