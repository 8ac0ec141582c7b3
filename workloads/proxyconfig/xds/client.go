// Package xds reads the configuration that a control plane makes for an HTTP proxy, as a proxy would: it is a client of Envoy's discovery
// protocol, version 3, state of the world, with a stream for each kind of resource.
//
// It owns the protocol, and which of what has come is in use; what that means is proxyconfig's. It refuses what a proxy refuses. Like a proxy it
// keeps what it has while nobody answers, and asks again. A Client is safe for concurrent use.
package xds

import (
	"context"
	"fmt"
	"net"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/nodefv/nodefv/workloads/proxyconfig"
)

// messageLimit is how large a push may be: one of 3,000 routes has a megabyte.
const messageLimit = 256 << 20

// Client follows the configuration of one control plane.
type Client struct {
	conn   *grpc.ClientConn
	node   string
	cancel context.CancelFunc
	done   sync.WaitGroup

	mu      sync.Mutex
	state   state
	streams map[proxyconfig.Kind]*stream
	watch   map[int]func(proxyconfig.Push)
	last    error         // of a stream
	changed chan struct{} // closed with each push
	watches int
}

// Open begins to follow the control plane at an address, under a node's name, until Close. It does not wait until somebody answers there.
func Open(node, addr string, dial func(ctx context.Context, network, addr string) (net.Conn, error)) (*Client, error) {
	conn, err := grpc.NewClient("passthrough:///"+addr,
		grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithDisableServiceConfig(),
		grpc.WithContextDialer(func(ctx context.Context, addr string) (net.Conn, error) { return dial(ctx, "tcp", addr) }),
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff: backoff.Config{BaseDelay: retryAfter, Multiplier: 1.5, MaxDelay: 5 * retryAfter}, MinConnectTimeout: time.Second,
		}),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(messageLimit), grpc.MaxCallSendMsgSize(messageLimit)),
	)
	if err != nil {
		return nil, fmt.Errorf("follow the configuration at %s: %w", addr, err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	c := &Client{
		conn: conn, node: node, cancel: cancel, state: newState(), streams: map[proxyconfig.Kind]*stream{},
		watch: map[int]func(proxyconfig.Push){}, changed: make(chan struct{}),
	}
	for kind := range decoders {
		c.streams[kind] = &stream{client: c, kind: kind, kick: make(chan struct{}, 1)}
	}
	for _, s := range c.streams {
		c.done.Go(func() { s.follow(ctx) })
	}
	return c, nil
}

// Close ends all streams and waits until they have ended.
func (c *Client) Close() error {
	c.cancel()
	err := c.conn.Close()
	c.done.Wait()
	return err
}

// Config returns what is in use.
func (c *Client) Config() *proxyconfig.Config {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state.inUse
}

// Watch tells do of each push from now on, one after the other, until stop. do must not call the client.
func (c *Client) Watch(do func(proxyconfig.Push)) (stop func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.watches++
	number := c.watches
	c.watch[number] = do
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.watch, number)
	}
}

// Await waits until what is in use is as it must be; ok must not call the client. The error says what became of the streams, if one has ended.
func (c *Client) Await(ctx context.Context, ok func(*proxyconfig.Config) bool) error {
	for {
		c.mu.Lock()
		config, changed, last := c.state.inUse, c.changed, c.last
		c.mu.Unlock()
		if ok(config) {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			if last != nil {
				return fmt.Errorf("%w (last: %w)", context.Cause(ctx), last)
			}
			return context.Cause(ctx)
		}
	}
}

// take takes what a push brings, or refuses it, and lets the streams ask for what has become of interest.
func (c *Client) take(kind proxyconfig.Kind, stamp proxyconfig.Stamp, all []resource, refused error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	push := proxyconfig.Push{Kind: kind, Stamp: stamp}
	if refused != nil {
		push.Refused, c.last = refused.Error(), refused
	} else {
		c.state.apply(kind, all)
		for _, s := range c.streams {
			s.wake()
		}
	}
	push.Config = c.state.inUse
	for _, do := range c.watch {
		do(push)
	}
	close(c.changed)
	c.changed = make(chan struct{})
}

func (c *Client) names(kind proxyconfig.Kind) ([]string, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state.names(kind)
}

func (c *Client) ended(kind proxyconfig.Kind, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last = fmt.Errorf("%s: %w", kind, err)
}
