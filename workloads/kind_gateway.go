package workloads

import (
	"context"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// GatewayKind is the kind of Gateways.
const GatewayKind Kind = "Gateway"

// Gateway is where requests for routes come in, by its listeners.
type Gateway struct {
	Key
	Class     string // of the router that is to look at it
	Listeners []Listener
}

// Listener is a part of a Gateway to which routes are attached.
type Listener struct {
	Name   string // of its own in the Gateway
	Port   int32
	Host   string // all of a name, or "*." and a domain for all names below it; empty: any
	Secret string // with the certificate, in the Gateway's namespace; empty: no TLS
	Open   bool   // routes of all namespaces may be attached; else those of the Gateway's own
}

// Part names the Gateway.
func (g Gateway) Part() Part { return GatewayKind.Part(g.Key) }

// Gateways are the Gateways.
func (s State) Gateways() Objects[Gateway] { return Objects[Gateway]{s, GatewayKind} }

var gatewayResource = schema.GroupVersionResource{Group: "gateway.networking.k8s.io", Version: "v1", Resource: "gateways"}

var gateways = &kind[Gateway, unstructured.Unstructured]{
	name: GatewayKind, word: "gateway", feature: GatewayRoutes, group: gatewayResource.Group, resource: gatewayResource.Resource, namespaced: true,
	object: func(_ *Fleet, g Gateway) *unstructured.Unstructured {
		return specified(gatewayResource, GatewayKind, g.Key, g.spec())
	},
	client: func(c Clients, namespace string) writer[unstructured.Unstructured] {
		return dynamicWriter(c, gatewayResource, namespace)
	},
	list: func(ctx context.Context, c Clients, o metav1.ListOptions) (runtime.Object, error) {
		return c.Dynamic.Resource(gatewayResource).List(ctx, o)
	},
	patch: func(g Gateway) []edit { return respecifying(g.spec()) },
}

func (g Gateway) spec() map[string]any {
	var listeners []any
	for _, l := range g.Listeners {
		from := "Same"
		if l.Open {
			from = "All"
		}
		listener := map[string]any{
			"name": l.Name, "port": int64(l.Port), "protocol": "HTTP", "allowedRoutes": map[string]any{"namespaces": map[string]any{"from": from}},
		}
		if l.Host != "" {
			listener["hostname"] = l.Host
		}
		if l.Secret != "" {
			listener["protocol"] = "HTTPS"
			listener["tls"] = map[string]any{"mode": "Terminate", "certificateRefs": []any{map[string]any{"group": "", "kind": "Secret", "name": l.Secret}}}
		}
		listeners = append(listeners, listener)
	}
	return map[string]any{"gatewayClassName": g.Class, "listeners": listeners}
}
