// Package contour is Contour as a SUT, without the Envoy that it configures: the driver reads that configuration in its place. Where the user gives
// an Envoy, it passes requests on by that configuration.
//
// It is immutable and safe for concurrent use.
package contour

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strconv"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"

	"github.com/nodefv/nodefv/infra"
	"github.com/nodefv/nodefv/infra/targets"
	"github.com/nodefv/nodefv/metrics"
	"github.com/nodefv/nodefv/metrics/report"
	"github.com/nodefv/nodefv/workloads/proxyconfig"
	"github.com/nodefv/nodefv/workloads/routing"
)

const (
	name = "contour" // of the target, its component, its program, its user and its class

	xdsPort     = 8001
	metricsPort = 8000
	healthPort  = 8003
	debugPort   = 6060
	httpPort    = 8080 // of Envoy's listeners, Contour's standard ones
	httpsPort   = 8443
)

var _ = targets.Register(targets.Info{
	Name: name, DataPlanes: []string{"envoy-configuration"},
	Components: []targets.Component{
		{Name: name, Title: "Contour", Module: "github.com/projectcontour/contour", Variable: "CONTOUR", CRDs: true},
		{
			Name: envoyWord, Title: "Envoy", Variable: "ENVOY", Given: true, Extra: envoyWord,
			Doc: "send requests through an Envoy of yours that Contour configures, instead of reading its configuration",
		},
	},
	New: func(o targets.Options) (targets.Target, error) {
		c := contour{program(o)}
		if slices.Contains(o.Extras, envoyWord) {
			return proxied{c}, c.Check()
		}
		return configuring{c}, c.Check()
	},
})

// contour is what Contour is with an Envoy and without.
type contour struct{ targets.Program }

// program has no first line: Contour does not log its version, so that of the release that is built counts.
func program(o targets.Options) targets.Program {
	return targets.Program{Options: o, Named: name, DebugPort: debugPort}
}

func (c contour) Facts() infra.TargetFacts {
	return infra.TargetFacts{
		Name: name, Process: name, MetricsPort: metricsPort, HealthPort: healthPort, DebugPort: debugPort, DataPlane: c.DataPlane,
		Version: c.Version, Extras: c.Extras,
	}
}

func (c contour) agent(cp infra.ControlPlane, node infra.NodeInfo) (infra.Spec, error) {
	return c.Spec(cp, nil,
		"serve", "--insecure", "--disable-leader-election", "--kubeconfig="+c.KubeconfigPath(),
		"--xds-address=127.0.0.1", "--xds-port="+strconv.Itoa(xdsPort), "--ingress-class-name="+name, "--ingress-status-address="+node.Addr.String(),
		"--health-port="+strconv.Itoa(healthPort), "--http-port="+strconv.Itoa(metricsPort),
		"--debug-http-address=127.0.0.1", "--debug-http-port="+strconv.Itoa(debugPort),
		"--envoy-service-http-port="+strconv.Itoa(httpPort), "--envoy-service-https-port="+strconv.Itoa(httpsPort),
	)
}

// Install makes Contour's CRDs, gives it the rights of its own role, and makes the node's object.
func (c contour) Install(ctx context.Context, cp infra.ControlPlane, node infra.NodeInfo) error {
	client, err := kubernetes.NewForConfig(cp.Config)
	if err != nil {
		return fmt.Errorf("make a client: %w", err)
	}
	dyn, err := dynamic.NewForConfig(cp.Config)
	if err != nil {
		return fmt.Errorf("make a client: %w", err)
	}
	brought, err := c.manifests()
	if err != nil {
		return err
	}
	if err := brought.Install(ctx, dyn); err != nil {
		return err
	}
	if err := infra.BindRole(ctx, client, &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: name}, Rules: brought.Role}); err != nil {
		return err
	}
	return targets.InstallNode(ctx, client, node, c.Decorate)
}

// manifests are those of Contour's release.
func (c contour) manifests() (targets.Manifests, error) {
	brought, err := targets.ReadManifests(c.Manifests, name)
	if err == nil && (len(brought.CRDs) == 0 || len(brought.Role) == 0) {
		err = fmt.Errorf("no CRDs, or no role %s, in %q", name, c.Manifests)
	}
	return brought, err
}

// Seed returns Contour's CRDs as they are stored once the API server has accepted them.
func (c contour) Seed() (map[string][]byte, error) {
	brought, err := c.manifests()
	if err != nil {
		return nil, err
	}
	return brought.Seed()
}

func (contour) Ready(ctx context.Context, client *http.Client, addr netip.Addr) error {
	return targets.Get(ctx, client, addr, healthPort, "/healthz")
}

// outOfOrder bounds how long tables and clusters may disagree for want of an order, in seconds: four times the longest that was seen, with 3,000 routes.
const outOfOrder = 2

// KnownIssues are Contour's: each is seen in the configuration, or by requests where there is an Envoy.
func (contour) KnownIssues() []report.KnownIssue {
	var known []report.KnownIssue
	for _, protocol := range []string{string(proxyconfig.Tables), string(proxyconfig.Clusters), "HTTP", "HTTPS"} {
		known = append(known, report.KnownIssue{
			Name: "clusters and routes come in no order", Reference: "docs/findings/contour.md#clusters-and-routes-come-in-no-order",
			Releases: []report.Releases{{From: "v1.33.0", Before: "v1.34.0"}},
			Excuses:  report.ViolationClass{Protocol: protocol, Met: "503", Within: outOfOrder},
		})
	}
	return known
}

// Quiesce collects garbage: Contour's profiles are on the node's loopback address.
func (c contour) Quiesce(ctx context.Context, _ netip.Addr) error {
	return c.Program.Quiesce(ctx, netip.AddrFrom4([4]byte{127, 0, 0, 1}))
}

// Gauges that Contour alone has.
const (
	ingresses     metrics.Gauge = "ingresses"     // that it looks at
	httpProxies   metrics.Gauge = "http_proxies"  // likewise
	rebuilds      metrics.Gauge = "dag_rebuilds"  // of all that it configures, since it began
	statusUpdates metrics.Gauge = "status_writes" // of Ingresses, since it began
)

// Gauges are the standard ones of a Go program, and some of Contour's.
func (contour) Gauges() map[metrics.Gauge]metrics.Selector {
	return targets.GoGauges(map[metrics.Gauge]metrics.Selector{
		ingresses:     {Metric: "contour_dag_cache_object", Labels: map[string]string{"kind": "Ingress"}},
		httpProxies:   {Metric: "contour_dag_cache_object", Labels: map[string]string{"kind": "HTTPProxy"}},
		rebuilds:      {Metric: "contour_dagrebuild_total"},
		statusUpdates: {Metric: "contour_status_update_total", Labels: map[string]string{"kind": "Ingress"}},
	})
}

// Dialect says that Contour makes a virtual host of each host, and leaves out paths whose service it does not find.
func (contour) Dialect() routing.Dialect {
	return routing.Dialect{IngressClass: name, HostsRank: true, SkipsUnserved: true}
}
