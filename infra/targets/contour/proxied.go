package contour

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/netip"

	"github.com/nodefv/nodefv/infra"
	"github.com/nodefv/nodefv/infra/targets"
	"github.com/nodefv/nodefv/workloads"
)

const (
	envoyWord  = "envoy"  // Envoy as an extra, a component, a role and a program
	envoyNode  = "nodefv" // as which it asks for its configuration
	envoyAdmin = 9005     // its readiness and its metrics; Contour has it listen on 9001 too
	bootstrap  = "/etc/fv/envoy.json"
)

// proxied is Contour with an Envoy of the user's beside it.
type proxied struct{ contour }

// Specs has Envoy first, which tries until Contour serves.
func (p proxied) Specs() []func(infra.ControlPlane, infra.NodeInfo) (infra.Spec, error) {
	return []func(infra.ControlPlane, infra.NodeInfo) (infra.Spec, error){envoy, p.agent}
}

func envoy(infra.ControlPlane, infra.NodeInfo) (infra.Spec, error) {
	config, err := json.Marshal(bootstrapOf(xdsPort, envoyAdmin))
	if err != nil {
		return infra.Spec{}, fmt.Errorf("write Envoy's configuration: %w", err)
	}
	return infra.Spec{
		Role: envoyWord, Component: envoyWord, Command: []string{envoyWord, "--config-path", bootstrap, "--disable-hot-restart", "--log-level", "warning"},
		Join: infra.RoleNode, Files: []infra.File{{Path: bootstrap, Mode: 0o644, Data: config}},
	}, nil
}

// object is one of JSON.
type object = map[string]any

// bootstrapOf is what Envoy begins with, as `contour bootstrap` writes it: listeners and clusters come from Contour on the loopback address. Contour's
// resources name two clusters that it does not send: itself, and Envoy's own administration, which is on a port here and not on a socket.
func bootstrapOf(xds, admin int) object {
	stream := object{
		"resource_api_version": "V3",
		"api_config_source": object{
			"api_type": "GRPC", "transport_api_version": "V3", "grpc_services": []object{{"envoy_grpc": object{"cluster_name": name, "authority": name}}},
		},
	}
	contour := cluster(name, xds)
	contour["typed_extension_protocol_options"] = object{"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": object{
		"@type":                "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
		"explicit_http_config": object{"http2_protocol_options": object{}},
	}}
	return object{
		"node":              object{"id": envoyNode, "cluster": name},
		"dynamic_resources": object{"lds_config": stream, "cds_config": stream},
		"static_resources":  object{"clusters": []object{contour, cluster("envoy-admin", admin)}},
		"admin":             object{"address": address("0.0.0.0", admin)},
	}
}

func cluster(name string, port int) object {
	return object{
		"name": name, "type": "STATIC", "connect_timeout": "5s",
		"load_assignment": object{
			"cluster_name": name,
			"endpoints":    []object{{"lb_endpoints": []object{{"endpoint": object{"address": address("127.0.0.1", port)}}}}},
		},
	}
}

func address(host string, port int) object {
	return object{"socket_address": object{"address": host, "port_value": port}}
}

// Ready is nil once Contour serves and Envoy has what it begins with.
func (p proxied) Ready(ctx context.Context, client *http.Client, addr netip.Addr) error {
	if err := p.contour.Ready(ctx, client, addr); err != nil {
		return err
	}
	if err := targets.Get(ctx, client, addr, envoyAdmin, "/ready"); err != nil {
		return fmt.Errorf("ask Envoy: %w", err)
	}
	return nil
}

// Features are what the two do together.
func (proxied) Features() []workloads.Feature {
	return []workloads.Feature{workloads.Services, workloads.RequestRouting, workloads.HTTPRouting, workloads.HTTPProxies, workloads.ProxiedRequests}
}

// Listens says where Envoy's listeners are. Contour makes one for HTTP and a chain for each host with TLS once there is a route for it.
func (proxied) Listens() targets.Listening {
	return targets.Listening{HTTP: httpPort, HTTPS: httpsPort, Closes: true}
}
