// Package kuberouter is kube-router as a SUT: its network policy controller alone, for IPv4. Whoever plugs pods routes to them.
//
// What it programs is judged by packets: its chains change their names at every sync, and there is no model of them. It is immutable and safe for
// concurrent use.
package kuberouter

import (
	"context"
	"fmt"
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
	"github.com/nodefv/nodefv/metrics/report"
	"github.com/nodefv/nodefv/workloads"
)

const (
	name = "kube-router" // of the target, its component, its program and its user

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
		p := program(o)
		return router{p}, p.Check()
	},
})

type router struct{ targets.Program }

// startLine is what kube-router logs first.
var startLine = regexp.MustCompile(`Running kube-router version ([^\s,]+)`)

func program(o targets.Options) targets.Program {
	return targets.Program{Options: o, Named: name, DebugPort: pprofPort, Started: startLine}
}

func (r router) Facts() infra.TargetFacts {
	return infra.TargetFacts{
		Name: name, Process: name, MetricsPort: metricsPort, HealthPort: healthPort, DebugPort: pprofPort, DataPlane: r.DataPlane,
	}
}

func (r router) Specs() []func(infra.ControlPlane, infra.NodeInfo) (infra.Spec, error) {
	return []func(infra.ControlPlane, infra.NodeInfo) (infra.Spec, error){r.agent}
}

func (r router) agent(cp infra.ControlPlane, node infra.NodeInfo) (infra.Spec, error) {
	period := "5m" // its standard
	if slices.Contains(r.Settings, workloads.NoResync) {
		period = "24h"
	}
	spec, err := r.Spec(cp, nil,
		"--run-firewall=true", "--run-router=false", "--run-service-proxy=false", "--kubeconfig="+r.KubeconfigPath(), "--hostname-override="+node.Name,
		"--service-cluster-ip-range=10.96.0.0/16", "--enable-pprof=true", "--iptables-sync-period="+period,
		"--health-port="+strconv.Itoa(healthPort), "--metrics-port="+strconv.Itoa(metricsPort),
	)
	spec.Caps, spec.RawSystem = []string{"NET_ADMIN", "NET_RAW", "SYS_ADMIN", "SYS_PTRACE"}, true
	return spec, err
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

// Presentation says that kube-router reads the status, makes no routes here, and refuses what policies deny.
func (router) Presentation() targets.Presentation { return targets.Presentation{Rejects: true} }

func (router) Features() []workloads.Feature {
	return []workloads.Feature{workloads.NetworkPolicies}
}
