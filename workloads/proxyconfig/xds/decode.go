package xds

import (
	"fmt"
	"net/http"
	"net/netip"
	"strings"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/nodefv/nodefv/workloads/proxyconfig"
)

// resource is what a push brings: one of the kinds of proxyconfig, with its name.
type resource struct {
	name  string
	value any
}

// decoders read one resource of a kind.
var decoders = map[proxyconfig.Kind]func(*anypb.Any, proxyconfig.Stamp) (resource, error){
	proxyconfig.Listeners: decodeListener,
	proxyconfig.Tables:    decodeTable,
	proxyconfig.Clusters:  decodeCluster,
	proxyconfig.Endpoints: decodeEndpoints,
	proxyconfig.Secrets:   decodeSecret,
}

func decodeListener(a *anypb.Any, stamp proxyconfig.Stamp) (resource, error) {
	var m listenerv3.Listener
	if err := a.UnmarshalTo(&m); err != nil {
		return resource{}, err
	}
	l := &proxyconfig.Listener{Stamp: stamp, Name: m.GetName(), Port: uint16(m.GetAddress().GetSocketAddress().GetPortValue())}
	chains := m.GetFilterChains()
	if m.GetDefaultFilterChain() != nil {
		chains = append(chains, m.GetDefaultFilterChain())
	}
	for _, f := range chains {
		c, err := decodeChain(f)
		if err != nil {
			return resource{}, fmt.Errorf("listener %s: %w", l.Name, err)
		}
		l.Chains = append(l.Chains, c)
	}
	return resource{l.Name, l}, nil
}

func decodeChain(m *listenerv3.FilterChain) (proxyconfig.Chain, error) {
	c := proxyconfig.Chain{Names: m.GetFilterChainMatch().GetServerNames(), TLS: m.GetFilterChainMatch().GetTransportProtocol() == "tls"}
	if socket := m.GetTransportSocket().GetTypedConfig(); socket != nil {
		var tls tlsv3.DownstreamTlsContext
		if err := socket.UnmarshalTo(&tls); err == nil {
			c.TLS = true
			if all := tls.GetCommonTlsContext().GetTlsCertificateSdsSecretConfigs(); len(all) > 0 {
				c.Secret = all[0].GetName()
			}
		}
	}
	for _, f := range m.GetFilters() {
		var hcm hcmv3.HttpConnectionManager
		if !f.GetTypedConfig().MessageIs(&hcm) {
			continue
		}
		if err := f.GetTypedConfig().UnmarshalTo(&hcm); err != nil {
			return c, err
		}
		c.HTTP, c.Table = true, hcm.GetRds().GetRouteConfigName()
	}
	return c, nil
}

func decodeCluster(a *anypb.Any, stamp proxyconfig.Stamp) (resource, error) {
	var m clusterv3.Cluster
	if err := a.UnmarshalTo(&m); err != nil {
		return resource{}, err
	}
	c := &proxyconfig.Cluster{Stamp: stamp, Name: m.GetName()}
	switch m.GetType() {
	case clusterv3.Cluster_EDS:
		c.Service = m.GetEdsClusterConfig().GetServiceName()
		if c.Service == "" {
			c.Service = c.Name
		}
	case clusterv3.Cluster_STATIC:
		c.Static = addrs(m.GetLoadAssignment())
	default:
		c.Dynamic = true
	}
	return resource{c.Name, c}, nil
}

func decodeEndpoints(a *anypb.Any, stamp proxyconfig.Stamp) (resource, error) {
	var m endpointv3.ClusterLoadAssignment
	if err := a.UnmarshalTo(&m); err != nil {
		return resource{}, err
	}
	return resource{m.GetClusterName(), &proxyconfig.Assignment{Stamp: stamp, Name: m.GetClusterName(), Addrs: addrs(&m)}}, nil
}

// addrs returns the endpoints that get requests, as far as they are addresses.
func addrs(m *endpointv3.ClusterLoadAssignment) []netip.AddrPort {
	var all []netip.AddrPort
	for _, locality := range m.GetEndpoints() {
		for _, e := range locality.GetLbEndpoints() {
			switch e.GetHealthStatus() {
			case corev3.HealthStatus_UNKNOWN, corev3.HealthStatus_HEALTHY, corev3.HealthStatus_DEGRADED:
			default:
				continue
			}
			socket := e.GetEndpoint().GetAddress().GetSocketAddress()
			if addr, err := netip.ParseAddr(socket.GetAddress()); err == nil {
				all = append(all, netip.AddrPortFrom(addr, uint16(socket.GetPortValue())))
			}
		}
	}
	return all
}

func decodeSecret(a *anypb.Any, stamp proxyconfig.Stamp) (resource, error) {
	var m tlsv3.Secret
	if err := a.UnmarshalTo(&m); err != nil {
		return resource{}, err
	}
	s := &proxyconfig.Secret{
		Stamp: stamp, Name: m.GetName(), Certificate: inline(m.GetTlsCertificate().GetCertificateChain()), Key: inline(m.GetTlsCertificate().GetPrivateKey()),
	}
	return resource{s.Name, s}, nil
}

// inline is data that comes with a resource.
func inline(d *corev3.DataSource) []byte {
	if text := d.GetInlineString(); text != "" {
		return []byte(text)
	}
	return d.GetInlineBytes()
}

// statuses are those of redirects, in the order of their numbers in the protocol.
var statuses = []int{http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect}

// optional is a text that counts also if it is empty.
func optional(s string) *string { return &s }

// lower is the name of a header as it is compared.
func lower(name string) string { return strings.ToLower(name) }
