package targets

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"github.com/nodefv/nodefv/infra"
	"github.com/nodefv/nodefv/metrics"
	"github.com/nodefv/nodefv/workloads"
)

// Program is what targets have in common that are one Go program, reach the API by a kubeconfig, and look neither at interfaces nor at annotations. A
// target embeds it, and has what is its own.
type Program struct {
	Options
	Named     string         // the target, its component, its program and its user
	DebugPort uint16         // where it serves its profiles
	Started   *regexp.Regexp // the line that it logs first, and in that its version; nil: it does not log it
}

// Check refuses settings that no such program knows.
func (p Program) Check() error {
	for _, s := range p.Settings {
		if s != workloads.NoResync && s != workloads.CountsAll {
			return fmt.Errorf("%s knows no setting %q", p.Named, s)
		}
	}
	return nil
}

// Name is the target's.
func (p Program) Name() string { return p.Named }

// KubeconfigPath is where the program finds its kubeconfig.
func (p Program) KubeconfigPath() string { return "/var/lib/" + p.Named + "/kubeconfig" }

// Spec is the program with flags, in an environment that the user's wins over.
func (p Program) Spec(cp infra.ControlPlane, environment map[string]string, flags ...string) (infra.Spec, error) {
	config, err := cp.Kubeconfig(p.Named)
	if err != nil {
		return infra.Spec{}, err
	}
	command := p.Command
	if len(command) == 0 {
		command = []string{p.Named}
	}
	env := map[string]string{}
	maps.Copy(env, environment)
	if slices.Contains(p.Settings, workloads.CountsAll) {
		env["GODEBUG"] = "memprofilerate=1"
	}
	maps.Copy(env, p.Env)
	return infra.Spec{
		Role: infra.RoleAgent, Component: p.Named, Command: slices.Concat(command, flags), Env: env, Join: infra.RoleNode,
		Files: []infra.File{{Path: p.KubeconfigPath(), Mode: 0o600, Data: config}}, Memory: p.Memory,
	}, nil
}

// VersionIn reads what the program said when it started.
func (p Program) VersionIn(log []byte) string {
	if p.Started == nil {
		return ""
	}
	found := p.Started.FindSubmatch(log)
	if found == nil {
		return ""
	}
	return "v" + strings.TrimPrefix(string(found[1]), "v")
}

// forbidden is what client-go logs of a kind that may not be listed.
var forbidden = regexp.MustCompile(`([\w.-]+) is forbidden`)

// LacksIn tells which rights the program asked for in vain.
func (Program) LacksIn(log []byte) string {
	if found := forbidden.FindSubmatch(log); found != nil {
		return "it lacks the right to list " + string(found[1])
	}
	return ""
}

// Quiesce collects garbage: pprof does so before it takes a heap profile when asked with gc=1.
func (p Program) Quiesce(ctx context.Context, addr netip.Addr) error {
	return Get(ctx, Direct, addr, p.DebugPort, "/debug/pprof/heap?gc=1")
}

// HostInterface is a name of ours: the program does not look at interfaces.
func (Program) HostInterface(namespace, pod string) string { return VethName(namespace, pod) }

// Decorate adds nothing: the program looks at no more than a pod's status.
func (Program) Decorate(any) {}

// Presentation says that whoever plugs pods routes to them.
func (Program) Presentation() Presentation { return Presentation{} }

// Gauges are the standard ones of a Go program.
func (Program) Gauges() map[metrics.Gauge]metrics.Selector { return GoGauges(nil) }

// GoGauges are the standard ones of a Go program, and its own.
func GoGauges(own map[metrics.Gauge]metrics.Selector) map[metrics.Gauge]metrics.Selector {
	all := map[metrics.Gauge]metrics.Selector{
		metrics.HeapObjects: {Metric: "go_memstats_heap_objects"},
		metrics.HeapBytes:   {Metric: "go_memstats_heap_alloc_bytes"},
		metrics.Goroutines:  {Metric: "go_goroutines"},
	}
	maps.Copy(all, own)
	return all
}
