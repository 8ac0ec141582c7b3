package xds

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"

	"github.com/nodefv/nodefv/workloads/proxyconfig"
)

// retryAfter is how long a stream that ended waits until it is opened again.
const retryAfter = 50 * time.Millisecond

// protocol says where the streams of a kind are, and what it calls its resources.
var protocol = map[proxyconfig.Kind]struct{ method, typeURL string }{
	proxyconfig.Listeners: {"/envoy.service.listener.v3.ListenerDiscoveryService/StreamListeners", "type.googleapis.com/envoy.config.listener.v3.Listener"},
	proxyconfig.Tables:    {"/envoy.service.route.v3.RouteDiscoveryService/StreamRoutes", "type.googleapis.com/envoy.config.route.v3.RouteConfiguration"},
	proxyconfig.Clusters:  {"/envoy.service.cluster.v3.ClusterDiscoveryService/StreamClusters", "type.googleapis.com/envoy.config.cluster.v3.Cluster"},
	proxyconfig.Endpoints: {"/envoy.service.endpoint.v3.EndpointDiscoveryService/StreamEndpoints", "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment"},
	proxyconfig.Secrets: {
		"/envoy.service.secret.v3.SecretDiscoveryService/StreamSecrets", "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret",
	},
}

// stream follows one kind.
type stream struct {
	client  *Client
	kind    proxyconfig.Kind
	kick    chan struct{}
	version string // accepted last
}

// wake lets the stream look whether it is to ask for something else.
func (s *stream) wake() {
	select {
	case s.kick <- struct{}{}:
	default:
	}
}

// follow opens the stream whenever there is something to ask for, until ctx ends.
func (s *stream) follow(ctx context.Context) {
	for ctx.Err() == nil {
		if names, byName := s.client.names(s.kind); byName && len(names) == 0 {
			select {
			case <-ctx.Done():
			case <-s.kick:
			}
			continue
		}
		err := s.converse(ctx)
		if err == nil || ctx.Err() != nil {
			continue
		}
		s.client.ended(s.kind, err)
		select {
		case <-ctx.Done():
		case <-time.After(retryAfter):
		}
	}
}

// asked is what a stream is to say next.
type asked struct {
	mu      sync.Mutex
	nonce   string
	refused error // the push of the nonce was
	due     bool  // a push is to be answered
}

// converse asks and answers on one stream until it ends, or until there is nothing more to ask for.
func (s *stream) converse(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	p := protocol[s.kind]
	wire, err := s.client.conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}, p.method, grpc.WaitForReady(true))
	if err != nil {
		return err
	}
	say, told := &asked{due: true}, make(chan error, 1)
	go func() {
		defer cancel()
		told <- s.tell(ctx, wire, say)
	}()
	err = s.hear(wire, say)
	cancel()
	if ended := <-told; ended == nil || errors.Is(err, context.Canceled) {
		return ended
	}
	return err
}

// hear takes pushes.
func (s *stream) hear(wire grpc.ClientStream, say *asked) error {
	for {
		var push discoveryv3.DiscoveryResponse
		if err := wire.RecvMsg(&push); err != nil {
			return err
		}
		stamp := proxyconfig.Stamp{Version: push.GetVersionInfo(), At: time.Now()}
		all, refused := decode(s.kind, &push, stamp)
		say.mu.Lock()
		say.nonce, say.refused, say.due = push.GetNonce(), refused, true
		if refused == nil {
			s.version = stamp.Version
		}
		say.mu.Unlock()
		s.client.take(s.kind, stamp, all, refused)
		s.wake()
	}
}

func decode(kind proxyconfig.Kind, push *discoveryv3.DiscoveryResponse, stamp proxyconfig.Stamp) ([]resource, error) {
	all := make([]resource, 0, len(push.GetResources()))
	for _, a := range push.GetResources() {
		r, err := decoders[kind](a, stamp)
		if err != nil {
			return nil, fmt.Errorf("%s version %s: %w", kind, stamp.Version, err)
		}
		all = append(all, r)
	}
	return all, nil
}

// tell says what is asked for, at once, with each push and whenever that changes. It returns nil once there is nothing more to ask for.
func (s *stream) tell(ctx context.Context, wire grpc.ClientStream, say *asked) error {
	var before []string
	for first := true; ; first = false {
		names, byName := s.client.names(s.kind)
		if byName && len(names) == 0 {
			return nil
		}
		say.mu.Lock()
		request, due := s.request(say, names), say.due
		say.due = false
		say.mu.Unlock()
		if first {
			request.Node = &corev3.Node{Id: s.client.node, Cluster: s.client.node, UserAgentName: "envoy"}
		}
		if due || !slices.Equal(before, names) {
			if err := wire.SendMsg(request); err != nil {
				return err
			}
		}
		before = names
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-s.kick:
		}
	}
}

func (s *stream) request(say *asked, names []string) *discoveryv3.DiscoveryRequest {
	r := &discoveryv3.DiscoveryRequest{VersionInfo: s.version, ResourceNames: names, TypeUrl: protocol[s.kind].typeURL, ResponseNonce: say.nonce}
	if say.refused != nil {
		r.ErrorDetail = &status.Status{Code: int32(codes.InvalidArgument), Message: say.refused.Error()}
	}
	return r
}
