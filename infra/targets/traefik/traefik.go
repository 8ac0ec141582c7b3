// Package traefik is Traefik as a SUT: it routes the requests that reach the node, as Ingresses say, or as HTTPRoutes of the Gateway API do. Whoever plugs
// pods routes to them.
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
	ofGateways = "traefik.io/gateway-controller"

	httpPort  = 8000
	httpsPort = 8443
	adminPort = 9000 // health, metrics and profiles
	apart     = 100  // the ports of an instance and those of the next

	published   = "http" // it publishes its address in the status of Ingresses
	unpublished = "http-unpublished"
	gateway     = "gateway" // routes are HTTPRoutes, and not Ingresses
)

var _ = targets.Register(targets.Info{
	Name: name, DataPlanes: []string{published, unpublished, gateway},
	Components: []targets.Component{{
		Name: name, Title: "Traefik", Module: "github.com/traefik/traefik/v3", Variable: "TRAEFIK", CRDs: true,
	}},
	New: func(o targets.Options) (targets.Target, error) {
		t := instance(o, 1)
		return t, t.Check()
	},
})

// traefik is one of its instances on a node: each is on ports of its own.
type traefik struct {
	targets.Program
	further uint16 // than those of the first are its ports
}

func instance(o targets.Options, n int) traefik {
	t := traefik{program(o), apart * uint16(n-1)}
	t.DebugPort += t.further
	return t
}

// Instance refuses the Gateway API: there a listener is served by who listens on its port, which only one can on a node.
func (t traefik) Instance(n int) (infra.Target, error) {
	if t.DataPlane == gateway {
		return nil, fmt.Errorf("%s with data plane %s can't run in several instances on one node: the port of a listener is that of one of them", name, gateway)
	}
	return instance(t.Options, n), nil
}

var _ infra.Replicated = traefik{}

// startLine is what Traefik logs first.
var startLine = regexp.MustCompile(`Traefik version (\d\S*)`)

func program(o targets.Options) targets.Program {
	return targets.Program{Options: o, Named: name, DebugPort: adminPort, Started: startLine}
}

func (t traefik) Facts() infra.TargetFacts {
	admin := int(t.DebugPort)
	return infra.TargetFacts{Name: name, Process: name, MetricsPort: admin, HealthPort: admin, DebugPort: admin, DataPlane: t.DataPlane}
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
	at := func(port uint16) string { return ":" + strconv.Itoa(int(port+t.further)) }
	all := []string{
		"--global.checknewversion=false", "--global.sendanonymoususage=false", "--log.level=INFO",
		"--entrypoints.web.address=" + at(httpPort), "--entrypoints.websecure.address=" + at(httpsPort), "--entrypoints.websecure.http.tls=true",
		"--entrypoints.traefik.address=" + at(adminPort), "--api.insecure=true", "--api.dashboard=false", "--api.debug=true", "--ping=true", "--metrics.prometheus=true",
	}
	if t.DataPlane == gateway {
		return append(all, "--providers.kubernetesgateway=true", "--providers.kubernetesgateway.statusaddress.ip="+node.Addr.String())
	}
	all = append(all, "--providers.kubernetesingress=true", "--providers.kubernetesingress.ingressclass="+name,
		"--providers.kubernetesingress.strictprefixmatching=true", "--providers.kubernetesingress.allowemptyservices=true")
	if t.DataPlane == published {
		all = append(all, "--providers.kubernetesingress.ingressendpoint.ip="+node.Addr.String())
	}
	return all
}

// Install gives Traefik the rights of its documentation that it uses, and makes its class and the node's object; for the Gateway API its CRDs before.
func (t traefik) Install(ctx context.Context, cp infra.ControlPlane, node infra.NodeInfo) error {
	client, err := kubernetes.NewForConfig(cp.Config)
	if err != nil {
		return fmt.Errorf("make a client: %w", err)
	}
	if err := infra.BindRole(ctx, client, &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: name}, Rules: t.rights()}); err != nil {
		return err
	}
	if t.DataPlane == gateway {
		err = t.installGatewayAPI(ctx, cp)
	} else {
		err = installIngressClass(ctx, client)
	}
	if err != nil {
		return err
	}
	return targets.InstallNode(ctx, client, node, t.Decorate)
}

func installIngressClass(ctx context.Context, client kubernetes.Interface) error {
	class := &networkingv1.IngressClass{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: networkingv1.IngressClassSpec{Controller: controller}}
	if _, err := client.NetworkingV1().IngressClasses().Create(ctx, class, metav1.CreateOptions{}); err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("create ingress class %s: %w", name, err)
	}
	return nil
}

// rights are what it uses of Kubernetes' own kinds, and of those of the API by which it routes.
func (t traefik) rights() []rbacv1.PolicyRule {
	read, update := []string{"get", "list", "watch"}, []string{"update"}
	all := []rbacv1.PolicyRule{
		{APIGroups: []string{""}, Resources: []string{"services", "secrets", "nodes", "namespaces", "configmaps"}, Verbs: read},
		{APIGroups: []string{"discovery.k8s.io"}, Resources: []string{"endpointslices"}, Verbs: read},
	}
	if t.DataPlane == gateway {
		return append(all,
			rbacv1.PolicyRule{APIGroups: []string{gatewayGroup}, Verbs: read, Resources: []string{
				"gatewayclasses", "gateways", "httproutes", "grpcroutes", "referencegrants", "backendtlspolicies",
			}},
			rbacv1.PolicyRule{APIGroups: []string{gatewayGroup}, Verbs: update, Resources: []string{
				"gatewayclasses/status", "gateways/status", "httproutes/status", "grpcroutes/status", "backendtlspolicies/status",
			}},
		)
	}
	return append(all,
		rbacv1.PolicyRule{APIGroups: []string{"networking.k8s.io"}, Resources: []string{"ingresses", "ingressclasses"}, Verbs: read},
		rbacv1.PolicyRule{APIGroups: []string{"networking.k8s.io"}, Resources: []string{"ingresses/status"}, Verbs: update},
	)
}

func (t traefik) Ready(ctx context.Context, client *http.Client, addr netip.Addr) error {
	return targets.Get(ctx, client, addr, t.DebugPort, "/ping")
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
	all := []workloads.Feature{workloads.Services, workloads.RequestRouting, workloads.ProxiedRequests}
	switch t.DataPlane {
	case gateway:
		return append(all, workloads.GatewayRoutes, workloads.RouteStatus)
	case published:
		all = append(all, workloads.RouteStatus)
	}
	return append(all, workloads.HTTPRouting)
}

// Listens says where Traefik's entry points are.
func (t traefik) Listens() targets.Listening {
	return targets.Listening{HTTP: httpPort + t.further, HTTPS: httpsPort + t.further}
}

// Dialect says that Traefik makes a router of each path of an Ingress, and leaves out those whose service it does not find: another router may match then.
// HTTPRoutes of several listeners are in one table, and a service of theirs must have an EndpointSlice.
func (t traefik) Dialect() routing.Dialect {
	if t.DataPlane == gateway {
		return routing.Dialect{GatewayClass: name, SlicesNeeded: true}
	}
	return routing.Dialect{IngressClass: name, SkipsUnserved: true}
}
