// Package kuberouter is kube-router as a SUT: its network policy controller alone, for IPv4. Whoever plugs pods routes to them.
//
// What it programs is judged by packets: its chains change their names at every sync, and there is no model of them. It is immutable and safe for
// concurrent use.
package kuberouter

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/netip"
	"regexp"
	"slices"
	"strconv"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/nodefv/nodefv/infra"
	"github.com/nodefv/nodefv/infra/targets"
	"github.com/nodefv/nodefv/metrics"
	"github.com/nodefv/nodefv/metrics/report"
	"github.com/nodefv/nodefv/workloads"
)

const (
	name           = "kube-router" // of the target, its component, its program and its user
	kubeconfigPath = "/var/lib/kube-router/kubeconfig"

	healthPort  = 20244
	metricsPort = 20241
	pprofPort   = 6060 // not to be chosen
)

var _ = targets.Register(targets.Info{
	Name: name, DataPlanes: []string{"iptables-nft"},
	Components: []targets.Component{{
		Name: name, Title: name, Module: "github.com/cloudnativelabs/kube-router/v2", Variable: "KUBEROUTER",
	}},
	New: func(o targets.Options) (targets.Target, error) {
		for _, s := range o.Settings {
			if s != workloads.NoResync && s != workloads.CountsAll {
				return nil, fmt.Errorf("%s knows no setting %q", name, s)
			}
		}
		return router{o}, nil
	},
})

type router struct{ targets.Options }

func (router) Name() string { return name }

func (r router) Facts() infra.TargetFacts {
	return infra.TargetFacts{
		Name: name, Process: name, MetricsPort: metricsPort, HealthPort: healthPort, DebugPort: pprofPort, DataPlane: r.DataPlane,
	}
}

func (r router) Specs() []func(infra.ControlPlane, infra.NodeInfo) (infra.Spec, error) {
	return []func(infra.ControlPlane, infra.NodeInfo) (infra.Spec, error){r.agent}
}

func (r router) agent(cp infra.ControlPlane, node infra.NodeInfo) (infra.Spec, error) {
	config, err := cp.Kubeconfig(name)
	if err != nil {
		return infra.Spec{}, err
	}
	command := r.Command
	if len(command) == 0 {
		command = []string{name}
	}
	period := "5m" // its standard
	if slices.Contains(r.Settings, workloads.NoResync) {
		period = "24h"
	}
	env := map[string]string{}
	if slices.Contains(r.Settings, workloads.CountsAll) {
		env["GODEBUG"] = "memprofilerate=1"
	}
	maps.Copy(env, r.Env)
	command = slices.Concat(command, []string{
		"--run-firewall=true", "--run-router=false", "--run-service-proxy=false", "--kubeconfig=" + kubeconfigPath, "--hostname-override=" + node.Name,
		"--service-cluster-ip-range=10.96.0.0/16", "--enable-pprof=true", "--iptables-sync-period=" + period,
		"--health-port=" + strconv.Itoa(healthPort), "--metrics-port=" + strconv.Itoa(metricsPort),
	})
	return infra.Spec{
		Role: infra.RoleAgent, Component: name, Command: command, Env: env, Join: infra.RoleNode,
		Files: []infra.File{{Path: kubeconfigPath, Mode: 0o600, Data: config}},
		Caps:  []string{"NET_ADMIN", "NET_RAW", "SYS_ADMIN", "SYS_PTRACE"}, RawSystem: true, Memory: r.Memory,
	}, nil
}

// Install gives kube-router the rights of its own manifests that it uses, and makes the node's object.
func (r router) Install(ctx context.Context, cp infra.ControlPlane, node infra.NodeInfo) error {
	client, err := kubernetes.NewForConfig(cp.Config)
	if err != nil {
		return fmt.Errorf("make a client: %w", err)
	}
	read := []string{"get", "list", "watch"}
	err = infra.BindRole(ctx, client, &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: name}, Rules: []rbacv1.PolicyRule{
		{APIGroups: []string{""}, Resources: []string{"namespaces", "pods", "services", "nodes", "endpoints"}, Verbs: read},
		{APIGroups: []string{"networking.k8s.io"}, Resources: []string{"networkpolicies"}, Verbs: read},
		{APIGroups: []string{"discovery.k8s.io"}, Resources: []string{"endpointslices"}, Verbs: read},
	}})
	if err != nil {
		return err
	}
	return targets.InstallNode(ctx, client, node, r.Decorate)
}

func (router) Ready(ctx context.Context, client *http.Client, addr netip.Addr) error {
	return targets.Get(ctx, client, addr, healthPort, "/healthz")
}

// startLine is what kube-router logs first.
var startLine = regexp.MustCompile(`Running kube-router version ([^\s,]+)`)

// VersionIn reads what kube-router said when it started.
func (router) VersionIn(log []byte) string {
	if found := startLine.FindSubmatch(log); found != nil {
		return string(found[1])
	}
	return ""
}

// forbidden is what client-go logs of a kind that may not be listed.
var forbidden = regexp.MustCompile(`([\w.-]+) is forbidden`)

// LacksIn tells which rights kube-router asked for in vain.
func (router) LacksIn(log []byte) string {
	if found := forbidden.FindSubmatch(log); found != nil {
		return "it lacks the right to list " + string(found[1])
	}
	return ""
}

// KnownIssues are kube-router's: it hears of a pod only once that has an address, and whoever plugs the pod does not wait until it is programmed.
func (router) KnownIssues() []report.KnownIssue {
	var known []report.KnownIssue
	for _, verb := range []string{"create pod", "plug"} {
		known = append(known, report.KnownIssue{
			Name: "new pods are open", Reference: "docs/agents.md#new-pods-are-open",
			Releases: []report.Releases{{From: "v2.0.0", Before: "v2.2.0"}},
			Excuses:  report.ViolationClass{Met: report.Passed, After: verb},
		})
	}
	return known
}

// Quiesce collects garbage: pprof does so before it takes a heap profile when asked with gc=1.
func (router) Quiesce(ctx context.Context, addr netip.Addr) error {
	return targets.Get(ctx, targets.Direct, addr, pprofPort, "/debug/pprof/heap?gc=1")
}

// HostInterface is a name of ours: kube-router does not look at interfaces.
func (router) HostInterface(namespace, pod string) string { return targets.VethName(namespace, pod) }

// Decorate adds nothing: kube-router reads addresses from the status.
func (router) Decorate(any) {}

// Presentation says that kube-router reads the status, makes no routes here, and refuses what policies deny.
func (router) Presentation() targets.Presentation { return targets.Presentation{Rejects: true} }

// Gauges are the standard ones of a Go program; none of kube-router's own counts what the model holds.
func (router) Gauges() map[metrics.Gauge]metrics.Selector {
	return map[metrics.Gauge]metrics.Selector{
		metrics.HeapObjects: {Metric: "go_memstats_heap_objects"},
		metrics.HeapBytes:   {Metric: "go_memstats_heap_alloc_bytes"},
		metrics.Goroutines:  {Metric: "go_goroutines"},
	}
}

func (router) Features() []workloads.Feature {
	return []workloads.Feature{workloads.NetworkPolicies}
}
