package xds

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	clusterservice "github.com/envoyproxy/go-control-plane/envoy/service/cluster/v3"
	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	endpointservice "github.com/envoyproxy/go-control-plane/envoy/service/endpoint/v3"
	listenerservice "github.com/envoyproxy/go-control-plane/envoy/service/listener/v3"
	routeservice "github.com/envoyproxy/go-control-plane/envoy/service/route/v3"
	secretservice "github.com/envoyproxy/go-control-plane/envoy/service/secret/v3"
	"github.com/envoyproxy/go-control-plane/pkg/cache/types"
	"github.com/envoyproxy/go-control-plane/pkg/cache/v3"
	kinds "github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"github.com/envoyproxy/go-control-plane/pkg/server/v3"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/nodefv/nodefv/workloads/proxyconfig"
)

// plane is a real control plane for one node.
type plane struct {
	t     *testing.T
	cache cache.SnapshotCache
	addr  string
	grpc  *grpc.Server

	mu   sync.Mutex
	said []*discoveryv3.DiscoveryRequest
}

func newPlane(t *testing.T) *plane {
	p := &plane{t: t, cache: cache.NewSnapshotCache(false, cache.IDHash{}, nil)}
	p.start("127.0.0.1:0")
	return p
}

func (p *plane) start(addr string) {
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		p.t.Fatal(err)
	}
	p.addr, p.grpc = listener.Addr().String(), grpc.NewServer()
	s := server.NewServer(context.Background(), p.cache, server.CallbackFuncs{
		StreamRequestFunc: func(_ int64, r *discoveryv3.DiscoveryRequest) error {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.said = append(p.said, proto.Clone(r).(*discoveryv3.DiscoveryRequest))
			return nil
		},
	})
	listenerservice.RegisterListenerDiscoveryServiceServer(p.grpc, s)
	routeservice.RegisterRouteDiscoveryServiceServer(p.grpc, s)
	clusterservice.RegisterClusterDiscoveryServiceServer(p.grpc, s)
	endpointservice.RegisterEndpointDiscoveryServiceServer(p.grpc, s)
	secretservice.RegisterSecretDiscoveryServiceServer(p.grpc, s)
	go func() { _ = p.grpc.Serve(listener) }()
	p.t.Cleanup(p.grpc.Stop)
}

func (p *plane) push(version string, all map[kinds.Type][]types.Resource) {
	snapshot, err := cache.NewSnapshot(version, all)
	if err == nil {
		err = p.cache.SetSnapshot(p.t.Context(), "proxy", snapshot)
	}
	if err != nil {
		p.t.Fatal(err)
	}
}

// answered waits for a request of a type that answers a version, and returns why it was refused.
func (p *plane) answered(typeURL, version string) string {
	for begun := time.Now(); time.Since(begun) < 20*time.Second; time.Sleep(5 * time.Millisecond) {
		p.mu.Lock()
		for _, r := range p.said {
			if r.GetTypeUrl() == typeURL && r.GetResponseNonce() != "" && (r.GetVersionInfo() == version || r.GetErrorDetail() != nil) {
				why := r.GetErrorDetail().GetMessage()
				p.mu.Unlock()
				return why
			}
		}
		p.mu.Unlock()
	}
	p.t.Fatalf("%s %s was not answered", typeURL, version)
	return ""
}

func packed(t *testing.T, m proto.Message) *anypb.Any {
	a, err := anypb.New(m)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func listening(t *testing.T, name string, port uint32, table, secret string) *listenerv3.Listener {
	chain := &listenerv3.FilterChain{Filters: []*listenerv3.Filter{{ConfigType: &listenerv3.Filter_TypedConfig{TypedConfig: packed(t, &hcmv3.HttpConnectionManager{
		RouteSpecifier: &hcmv3.HttpConnectionManager_Rds{Rds: &hcmv3.Rds{RouteConfigName: table}},
	})}}}}
	if secret != "" {
		chain.FilterChainMatch = &listenerv3.FilterChainMatch{ServerNames: []string{"a.example.org"}}
		chain.TransportSocket = &corev3.TransportSocket{ConfigType: &corev3.TransportSocket_TypedConfig{TypedConfig: packed(t, &tlsv3.DownstreamTlsContext{
			CommonTlsContext: &tlsv3.CommonTlsContext{TlsCertificateSdsSecretConfigs: []*tlsv3.SdsSecretConfig{{Name: secret}}},
		})}}
	}
	return &listenerv3.Listener{Name: name, Address: address("0.0.0.0", port), FilterChains: []*listenerv3.FilterChain{chain}}
}

func address(host string, port uint32) *corev3.Address {
	return &corev3.Address{Address: &corev3.Address_SocketAddress{SocketAddress: &corev3.SocketAddress{
		Address: host, PortSpecifier: &corev3.SocketAddress_PortValue{PortValue: port},
	}}}
}

func routed(host, cluster string) *routev3.VirtualHost {
	return &routev3.VirtualHost{Name: host, Domains: []string{host}, Routes: []*routev3.Route{{
		Match:  &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_Prefix{Prefix: "/"}},
		Action: &routev3.Route_Route{Route: &routev3.RouteAction{ClusterSpecifier: &routev3.RouteAction_Cluster{Cluster: cluster}}},
	}}}
}

func clustered(name string) *clusterv3.Cluster {
	return &clusterv3.Cluster{Name: name, ClusterDiscoveryType: &clusterv3.Cluster_Type{Type: clusterv3.Cluster_EDS},
		EdsClusterConfig: &clusterv3.Cluster_EdsClusterConfig{ServiceName: "of-" + name}}
}

func assigned(cluster string, hosts ...string) *endpointv3.ClusterLoadAssignment {
	a := &endpointv3.ClusterLoadAssignment{ClusterName: "of-" + cluster, Endpoints: []*endpointv3.LocalityLbEndpoints{{}}}
	for _, h := range hosts {
		a.Endpoints[0].LbEndpoints = append(a.Endpoints[0].LbEndpoints, &endpointv3.LbEndpoint{
			HostIdentifier: &endpointv3.LbEndpoint_Endpoint{Endpoint: &endpointv3.Endpoint{Address: address(h, 80)}},
		})
	}
	return a
}

// first is a configuration with one host, by HTTP and by TLS.
func first(t *testing.T) map[kinds.Type][]types.Resource {
	return map[kinds.Type][]types.Resource{
		kinds.ListenerType: {listening(t, "http", 8080, "all", ""), listening(t, "https", 8443, "secure", "shown")},
		kinds.RouteType: {
			&routev3.RouteConfiguration{Name: "all", VirtualHosts: []*routev3.VirtualHost{routed("a.example.org", "a")}},
			&routev3.RouteConfiguration{Name: "secure", VirtualHosts: []*routev3.VirtualHost{routed("a.example.org", "a")}},
		},
		kinds.ClusterType:  {clustered("a")},
		kinds.EndpointType: {assigned("a", "10.0.0.1", "10.0.0.2")},
		kinds.SecretType: {&tlsv3.Secret{Name: "shown", Type: &tlsv3.Secret_TlsCertificate{TlsCertificate: &tlsv3.TlsCertificate{
			CertificateChain: &corev3.DataSource{Specifier: &corev3.DataSource_InlineBytes{InlineBytes: []byte("pem")}},
		}}}},
	}
}

func follow(t *testing.T, p *plane) *Client {
	var dialer net.Dialer
	c, err := Open("proxy", p.addr, dialer.DialContext)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

func await(t *testing.T, c *Client, what string, ok func(*proxyconfig.Config) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeoutCause(t.Context(), 20*time.Second, fmt.Errorf("not within 20 s: %s", what))
	defer cancel()
	if err := c.Await(ctx, ok); err != nil {
		t.Fatalf("%v; in use: %+v", err, *c.Config())
	}
}

// answers says that a request of a host gets these endpoints.
func answers(host string, want ...string) func(*proxyconfig.Config) bool {
	return func(c *proxyconfig.Config) bool {
		return slices.Equal(got(c.Answer(proxyconfig.Request{Port: 8080, Host: host, Path: "/"})), want)
	}
}

func got(a proxyconfig.Answer) (hosts []string) {
	for _, e := range a.Endpoints {
		hosts = append(hosts, e.Addr().String())
	}
	return hosts
}

func TestAConfigurationIsReadAndFollowed(t *testing.T) {
	p := newPlane(t)
	p.push("1", first(t))
	c := follow(t, p)
	await(t, c, "the first configuration", func(c *proxyconfig.Config) bool {
		return answers("a.example.org", "10.0.0.1", "10.0.0.2")(c) && c.Certificate(8443, "a.example.org") != nil
	})
	secure := c.Config().Answer(proxyconfig.Request{Port: 8443, TLS: true, Host: "a.example.org", Path: "/"})
	if len(secure.Endpoints) != 2 || string(c.Config().Certificate(8443, "a.example.org").Certificate) != "pem" {
		t.Errorf("by TLS: %+v", secure)
	}
	if why := p.answered(kinds.RouteType, "1"); why != "" {
		t.Errorf("refused: %s", why)
	}
	var pushes []proxyconfig.Push
	stop := c.Watch(func(p proxyconfig.Push) { pushes = append(pushes, p) })
	next := first(t)
	next[kinds.RouteType][0].(*routev3.RouteConfiguration).VirtualHosts = []*routev3.VirtualHost{routed("b.example.org", "b")}
	next[kinds.ClusterType] = []types.Resource{clustered("a"), clustered("b")}
	next[kinds.EndpointType] = append(next[kinds.EndpointType], assigned("b", "10.0.0.3"))
	p.push("2", next)
	await(t, c, "another host", answers("b.example.org", "10.0.0.3"))
	stop()
	if a := c.Config().Answer(proxyconfig.Request{Port: 8080, Host: "a.example.org", Path: "/"}); a.Status != http.StatusNotFound {
		t.Errorf("of what is gone: %+v", a)
	}
	for _, p := range pushes {
		if p.Stamp.Version != "2" || p.Stamp.At.IsZero() || p.Refused != "" || p.Config == nil {
			t.Errorf("pushed: %+v", p)
		}
	}
	p.push("3", map[kinds.Type][]types.Resource{kinds.ListenerType: {listening(t, "http", 8080, "all", "")}, kinds.RouteType: {next[kinds.RouteType][0]}})
	await(t, c, "nothing but the routes", func(c *proxyconfig.Config) bool {
		return len(c.Clusters)+len(c.Endpoints)+len(c.Secrets) == 0 && len(c.Listeners) == 1 && len(c.Tables) == 1
	})
	if a := c.Config().Answer(proxyconfig.Request{Port: 8080, Host: "b.example.org", Path: "/"}); a.Status != http.StatusServiceUnavailable || !strings.Contains(a.Why, "no cluster") {
		t.Errorf("of a route without its cluster: %+v", a)
	}
}

func TestWhatAProxyRefusesChangesNothing(t *testing.T) {
	p := newPlane(t)
	p.push("1", first(t))
	c := follow(t, p)
	await(t, c, "the first configuration", answers("a.example.org", "10.0.0.1", "10.0.0.2"))
	wrong := first(t)
	wrong[kinds.RouteType][0].(*routev3.RouteConfiguration).VirtualHosts = []*routev3.VirtualHost{routed("A.example.org", "a"), {Name: "twice", Domains: []string{"a.example.org"}}}
	p.mu.Lock()
	p.said = nil
	p.mu.Unlock()
	p.push("2", wrong)
	if why := p.answered(kinds.RouteType, "2"); !strings.Contains(why, "is of two virtual hosts") {
		t.Errorf("refused: %q", why)
	}
	if !answers("a.example.org", "10.0.0.1", "10.0.0.2")(c.Config()) {
		t.Errorf("in use: %+v", c.Config())
	}
	right := first(t)
	right[kinds.RouteType][0].(*routev3.RouteConfiguration).VirtualHosts = []*routev3.VirtualHost{routed("c.example.org", "a")}
	p.push("3", right)
	await(t, c, "what comes after it", answers("c.example.org", "10.0.0.1", "10.0.0.2"))
}

func TestWhatIsInUseStaysWhileNobodyAnswers(t *testing.T) {
	p := newPlane(t)
	p.push("1", first(t))
	c := follow(t, p)
	await(t, c, "the first configuration", answers("a.example.org", "10.0.0.1", "10.0.0.2"))
	p.grpc.Stop()
	next := first(t)
	next[kinds.EndpointType] = []types.Resource{assigned("a", "10.0.0.9")}
	p.push("2", next)
	if !answers("a.example.org", "10.0.0.1", "10.0.0.2")(c.Config()) {
		t.Errorf("in use: %+v", c.Config())
	}
	p.start(p.addr)
	await(t, c, "what changed meanwhile", answers("a.example.org", "10.0.0.9"))
}

// A listener whose table has not come yet is not in use, and one that gets another keeps the old one until that has come.
func TestAListenerWaitsForItsTable(t *testing.T) {
	s := newState()
	l := func(table string) []resource {
		return []resource{{"http", &proxyconfig.Listener{Name: "http", Port: 80, Chains: []proxyconfig.Chain{{HTTP: true, Table: table}}}}}
	}
	table := func(name string) []resource {
		t, _ := proxyconfig.NewTable(proxyconfig.Stamp{}, name, nil)
		return []resource{{name, t}}
	}
	inUse := func(want string) {
		t.Helper()
		is := ""
		if l := s.inUse.Listeners["http"]; l != nil {
			is = l.Chains[0].Table
		}
		if is != want {
			t.Errorf("in use: %q, want %q", is, want)
		}
	}
	s.apply(proxyconfig.Listeners, l("one"))
	inUse("")
	s.apply(proxyconfig.Tables, table("one"))
	inUse("one")
	s.apply(proxyconfig.Listeners, l("two"))
	inUse("one")
	if names, _ := s.names(proxyconfig.Tables); !slices.Equal(names, []string{"one", "two"}) {
		t.Errorf("asked for: %v", names)
	}
	s.apply(proxyconfig.Tables, table("two"))
	inUse("two")
	if len(s.inUse.Tables) != 1 {
		t.Errorf("tables: %v", s.inUse.Tables)
	}
	s.apply(proxyconfig.Listeners, nil)
	inUse("")
}
