package contour

import (
	"github.com/nodefv/nodefv/infra"
	"github.com/nodefv/nodefv/infra/targets"
	"github.com/nodefv/nodefv/workloads"
)

// configuring is Contour alone: the driver reads what an Envoy would.
type configuring struct{ contour }

func (c configuring) Specs() []func(infra.ControlPlane, infra.NodeInfo) (infra.Spec, error) {
	return []func(infra.ControlPlane, infra.NodeInfo) (infra.Spec, error){c.agent}
}

// Features are what Contour does. It knows no policies.
func (configuring) Features() []workloads.Feature {
	return []workloads.Feature{workloads.Services, workloads.RequestRouting, workloads.HTTPRouting, workloads.HTTPProxies, workloads.ProxyConfig}
}

// Configures says where Contour serves Envoy's configuration. Every Envoy gets the same.
func (configuring) Configures() targets.Configured {
	return targets.Configured{Port: xdsPort, Node: envoyNode, HTTP: httpPort, HTTPS: httpsPort}
}
