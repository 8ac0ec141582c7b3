// Package traefik is Traefik as a SUT: it routes the requests that reach the node, as Ingresses say. Whoever plugs pods routes to them.
//
// It is immutable and safe for concurrent use.
package traefik

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"regexp"
	"strconv"

	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/nodefv/nodefv/infra"
	"github.com/nodefv/nodefv/infra/targets"
	"github.com/nodefv/nodefv/metrics"
	"github.com/nodefv/nodefv/workloads"
	"github.com/nodefv/nodefv/workloads/routing"
)

const (
	name       = "traefik" // of the target, its component, its program, its user and its classes
	controller = "traefik.io/ingress-controller"

	httpPort  = 8000
	httpsPort = 8443
	adminPort = 9000 // health, metrics and profiles

	published   = "http" // it publishes its address in the status of Ingresses
	unpublished = "http-unpublished"
)

var _ = targets.Register(targets.Info{
	Name: name, DataPlanes: []string{published, unpublished},
	Components: []targets.Component{{
		Name: name, Title: "Traefik", Module: "github.com/traefik/traefik/v3", Variable: "TRAEFIK", CRDs: true,
	}},
	New: func(o targets.Options) (targets.Target, error) {
		p := program(o)
		return traefik{p}, p.Check()
	},
})

type traefik struct{ targets.Program }

// startLine is what Traefik logs first.
var startLine = regexp.MustCompile(`Traefik version (\d\S*)`)

func program(o targets.Options) targets.Program {
	return targets.Program{Options: o, Named: name, DebugPort: adminPort, Started: startLine}
}

func (t traefik) Facts() infra.TargetFacts {
	return infra.TargetFacts{
		Name: name, Process: name, MetricsPort: adminPort, HealthPort: adminPort, DebugPort: adminPort, DataPlane: t.DataPlane,
	}
}

func (t traefik) Specs() []func(infra.ControlPlane, infra.NodeInfo) (infra.Spec, error) {
	return []func(infra.ControlPlane, infra.NodeInfo) (infra.Spec, error){t.agent}
}

func (t traefik) agent(cp infra.ControlPlane, node infra.NodeInfo) (infra.Spec, error) {
	return t.Spec(cp, map[string]string{"KUBECONFIG": t.KubeconfigPath()}, t.flags(node)...)
}

// flags are those of a plain ingress controller. Two are not Traefik's defaults: paths match by whole elements, as the API says, and a service
// without endpoints is answered with 503, as Traefik's own chart has it.
func (t traefik) flags(node infra.NodeInfo) []string {
	at := func(port int) string { return ":" + strconv.Itoa(port) }
	all := []string{
		"--global.checknewversion=false", "--global.sendanonymoususage=false", "--log.level=INFO",
		"--entrypoints.web.address=" + at(httpPort), "--entrypoints.websecure.address=" + at(httpsPort), "--entrypoints.websecure.http.tls=true",
		"--entrypoints.traefik.address=" + at(adminPort), "--api.insecure=true", "--api.dashboard=false", "--api.debug=true", "--ping=true", "--metrics.prometheus=true",
		"--providers.kubernetesingress=true", "--providers.kubernetesingress.ingressclass=" + name,
		"--providers.kubernetesingress.strictprefixmatching=true", "--providers.kubernetesingress.allowemptyservices=true",
	}
	if t.DataPlane == published {
		all = append(all, "--providers.kubernetesingress.ingressendpoint.ip="+node.Addr.String())
	}
	return all
}

// Install gives Traefik the rights of its documentation that it uses, and makes its IngressClass and the node's object.
func (t traefik) Install(ctx context.Context, cp infra.ControlPlane, node infra.NodeInfo) error {
	client, err := kubernetes.NewForConfig(cp.Config)
	if err != nil {
		return fmt.Errorf("make a client: %w", err)
	}
	read := []string{"get", "list", "watch"}
	err = infra.BindRole(ctx, client, &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: name}, Rules: []rbacv1.PolicyRule{
		{APIGroups: []string{""}, Resources: []string{"services", "secrets", "nodes", "namespaces", "configmaps"}, Verbs: read},
		{APIGroups: []string{"discovery.k8s.io"}, Resources: []string{"endpointslices"}, Verbs: read},
		{APIGroups: []string{"networking.k8s.io"}, Resources: []string{"ingresses", "ingressclasses"}, Verbs: read},
		{APIGroups: []string{"networking.k8s.io"}, Resources: []string{"ingresses/status"}, Verbs: []string{"update"}},
	}})
	if err != nil {
		return err
	}
	class := &networkingv1.IngressClass{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: networkingv1.IngressClassSpec{Controller: controller}}
	if _, err := client.NetworkingV1().IngressClasses().Create(ctx, class, metav1.CreateOptions{}); err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("create ingress class %s: %w", name, err)
	}
	return targets.InstallNode(ctx, client, node, t.Decorate)
}

func (traefik) Ready(ctx context.Context, client *http.Client, addr netip.Addr) error {
	return targets.Get(ctx, client, addr, adminPort, "/ping")
}

// Gauges are the standard ones of a Go program, and how often Traefik took up another configuration; none of its own counts what the model holds.
func (traefik) Gauges() map[metrics.Gauge]metrics.Selector {
	return targets.GoGauges(map[metrics.Gauge]metrics.Selector{
		"config_reloads":   {Metric: "traefik_config_reloads_total"},
		"open_connections": {Metric: "traefik_open_connections"},
	})
}

// Features are what Traefik does. It knows no policies.
func (t traefik) Features() []workloads.Feature {
	all := []workloads.Feature{workloads.Services, workloads.HTTPRouting, workloads.ProxiedRequests}
	if t.DataPlane == published {
		all = append(all, workloads.RouteStatus)
	}
	return all
}

// Listens says where Traefik's entry points are.
func (traefik) Listens() targets.Listening {
	return targets.Listening{HTTP: httpPort, HTTPS: httpsPort}
}

// Dialect says that Traefik makes a router of each path of an Ingress, and leaves out those whose service it does not find: another router may match then.
func (traefik) Dialect() routing.Dialect {
	return routing.Dialect{IngressClass: name, SkipsUnserved: true}
}
