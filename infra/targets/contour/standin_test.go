package contour

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	clusterservice "github.com/envoyproxy/go-control-plane/envoy/service/cluster/v3"
	endpointservice "github.com/envoyproxy/go-control-plane/envoy/service/endpoint/v3"
	listenerservice "github.com/envoyproxy/go-control-plane/envoy/service/listener/v3"
	routeservice "github.com/envoyproxy/go-control-plane/envoy/service/route/v3"
	"github.com/envoyproxy/go-control-plane/pkg/cache/types"
	"github.com/envoyproxy/go-control-plane/pkg/cache/v3"
	kinds "github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"github.com/envoyproxy/go-control-plane/pkg/server/v3"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/anypb"
)

// TestStandIn starts what stands in for Envoy with the bootstrap that Envoy gets, and wants requests to be passed on as a control plane says.
func TestStandIn(t *testing.T) {
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "for ", r.Host) }))
	defer backend.Close()
	port := freePort(t)
	served := cache.NewSnapshotCache(false, cache.IDHash{}, nil)
	xds := control(t, served)
	admin := standIn(t, xds)

	if status, _ := ask(t, admin, "", "/ready"); status != http.StatusServiceUnavailable {
		t.Errorf("ready before anything was configured: %d", status)
	}
	push(t, served, "1", port, backend.Listener.Addr().(*net.TCPAddr).Port)
	becomes(t, admin, "", "/ready", http.StatusOK, "")
	becomes(t, port, "a.example", "/", http.StatusOK, "for a.example")
	becomes(t, port, "b.example", "/", http.StatusNotFound, "")
	push(t, served, "2", port)
	becomes(t, port, "a.example", "/", http.StatusServiceUnavailable, "")
}

// standIn starts the program and returns its port of administration.
func standIn(t *testing.T, xds int) (admin int) {
	dir := t.TempDir()
	program, config := filepath.Join(dir, "envoy"), filepath.Join(dir, "envoy.json")
	if out, err := exec.Command("go", "build", "-o", program, "./testdata/standin").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	admin = freePort(t)
	text, err := json.Marshal(bootstrapOf(xds, admin))
	if err == nil {
		err = os.WriteFile(config, text, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "--config-path", config, "--disable-hot-restart", "--log-level", "warning")
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
	})
	for until := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if c, err := net.Dial("tcp", "127.0.0.1:"+strconv.Itoa(admin)); err == nil {
			_ = c.Close()
			return admin
		}
		if time.Now().After(until) {
			t.Fatal("it does not listen")
		}
	}
}

// control serves a cache by Envoy's discovery protocol.
func control(t *testing.T, served cache.SnapshotCache) (port int) {
	on, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g, s := grpc.NewServer(), server.NewServer(context.Background(), served, nil)
	listenerservice.RegisterListenerDiscoveryServiceServer(g, s)
	routeservice.RegisterRouteDiscoveryServiceServer(g, s)
	clusterservice.RegisterClusterDiscoveryServiceServer(g, s)
	endpointservice.RegisterEndpointDiscoveryServiceServer(g, s)
	go func() { _ = g.Serve(on) }()
	t.Cleanup(g.Stop)
	return on.Addr().(*net.TCPAddr).Port
}

// push configures one host with endpoints on the loopback address.
func push(t *testing.T, served cache.SnapshotCache, version string, port int, endpoints ...int) {
	t.Helper()
	at := func(port int) *corev3.Address {
		return &corev3.Address{Address: &corev3.Address_SocketAddress{SocketAddress: &corev3.SocketAddress{
			Address: "127.0.0.1", PortSpecifier: &corev3.SocketAddress_PortValue{PortValue: uint32(port)},
		}}}
	}
	manager, err := anypb.New(&hcmv3.HttpConnectionManager{RouteSpecifier: &hcmv3.HttpConnectionManager_Rds{Rds: &hcmv3.Rds{RouteConfigName: "all"}}})
	if err != nil {
		t.Fatal(err)
	}
	members := &endpointv3.LocalityLbEndpoints{}
	for _, e := range endpoints {
		members.LbEndpoints = append(members.LbEndpoints, &endpointv3.LbEndpoint{HostIdentifier: &endpointv3.LbEndpoint_Endpoint{Endpoint: &endpointv3.Endpoint{Address: at(e)}}})
	}
	snapshot, err := cache.NewSnapshot(version, map[kinds.Type][]types.Resource{
		kinds.ListenerType: {&listenerv3.Listener{Name: "http", Address: at(port), FilterChains: []*listenerv3.FilterChain{{
			Filters: []*listenerv3.Filter{{ConfigType: &listenerv3.Filter_TypedConfig{TypedConfig: manager}}},
		}}}},
		kinds.RouteType: {&routev3.RouteConfiguration{Name: "all", VirtualHosts: []*routev3.VirtualHost{{
			Name: "a", Domains: []string{"a.example"}, Routes: []*routev3.Route{{
				Match:  &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_Prefix{Prefix: "/"}},
				Action: &routev3.Route_Route{Route: &routev3.RouteAction{ClusterSpecifier: &routev3.RouteAction_Cluster{Cluster: "a"}}},
			}},
		}}}},
		kinds.ClusterType: {&clusterv3.Cluster{
			Name: "a", ClusterDiscoveryType: &clusterv3.Cluster_Type{Type: clusterv3.Cluster_EDS}, EdsClusterConfig: &clusterv3.Cluster_EdsClusterConfig{ServiceName: "of-a"},
		}},
		kinds.EndpointType: {&endpointv3.ClusterLoadAssignment{ClusterName: "of-a", Endpoints: []*endpointv3.LocalityLbEndpoints{members}}},
	})
	if err == nil {
		err = served.SetSnapshot(t.Context(), envoyNode, snapshot)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// becomes waits until a request is answered so; an empty body is any.
func becomes(t *testing.T, port int, host, path string, status int, body string) {
	t.Helper()
	var got int
	var said string
	for begun := time.Now(); time.Since(begun) < 20*time.Second; time.Sleep(10 * time.Millisecond) {
		if got, said = ask(t, port, host, path); got == status && (body == "" || said == body) {
			return
		}
	}
	t.Errorf("%s%s on port %d: %d %q, want %d %q", host, path, port, got, said, status, body)
}

// ask returns status 0 where nobody answers.
func ask(t *testing.T, port int, host, path string) (status int, body string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, fmt.Sprintf("http://127.0.0.1:%d%s", port, path), nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Host = host
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, err.Error()
	}
	defer answer.Body.Close()
	text, _ := io.ReadAll(answer.Body) // what lacks is seen
	return answer.StatusCode, string(text)
}

func freePort(t *testing.T) int {
	on, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer on.Close()
	return on.Addr().(*net.TCPAddr).Port
}
