// Package inside carries what a wire does in the node's network namespace over a socket, for a process that is outside: a test of another
// repository. It links no netlink; Serve and Dial are its two ends.
//
// A call can't be taken back: one whose context ends goes on inside, and its answer is dropped.
package inside

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/rpc"
	"os"
	"path/filepath"

	"github.com/nodefv/nodefv/scenarios/effects"
	"github.com/nodefv/nodefv/workloads"
)

// Wire plugs pods into the node and makes connections between them.
type Wire interface {
	workloads.Plugger
	workloads.Readdresser
	effects.Connector
}

// service is the name of a Wire among what a connection serves.
const service = "Wire"

// Serve answers the calls of clients, each over a connection of its own, until the listener is closed.
func Serve(l net.Listener, w Wire) error {
	server := rpc.NewServer()
	if err := server.RegisterName(service, &calls{w}); err != nil {
		return fmt.Errorf("serve a wire: %w", err)
	}
	for {
		conn, err := l.Accept()
		if errors.Is(err, net.ErrClosed) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("serve a wire: %w", err)
		}
		go server.ServeConn(conn)
	}
}

// calls are a wire's methods as net/rpc wants them: with an answer, be there one or not.
type calls struct{ wire Wire }

// Plug is as that of Wire.
func (c *calls) Plug(pods []workloads.Plug, _ *bool) error {
	return c.wire.Plug(context.Background(), pods)
}

// Unplug is as that of Wire.
func (c *calls) Unplug(pods []workloads.Key, _ *bool) error {
	return c.wire.Unplug(context.Background(), pods)
}

// Readdress is as that of Wire.
func (c *calls) Readdress(pods []workloads.Plug, _ *bool) error { return c.wire.Readdress(pods) }

// Connect is as that of Wire.
func (c *calls) Connect(flows []effects.Flow, outcomes *effects.Outcomes) (err error) {
	*outcomes, err = c.wire.Connect(context.Background(), flows)
	return err
}

// Client is a Wire that is elsewhere. It is safe for concurrent use.
type Client struct{ rpc *rpc.Client }

var _ Wire = &Client{}

// Dial reaches the wire that listens on a Unix socket.
func Dial(ctx context.Context, path string) (*Client, error) {
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return nil, fmt.Errorf("reach the node's namespace: %w", err)
	}
	defer dir.Close()
	// By way of the open folder, for a socket's path may have no more than 107 bytes.
	short := fmt.Sprintf("/proc/self/fd/%d/%s", dir.Fd(), filepath.Base(path))
	conn, err := (&net.Dialer{}).DialContext(ctx, "unix", short)
	if err != nil {
		return nil, fmt.Errorf("reach the node's namespace: %w", err)
	}
	return &Client{rpc.NewClient(conn)}, nil
}

// Close ends the connection.
func (c *Client) Close() error { return c.rpc.Close() }

// Plug is as that of Wire.
func (c *Client) Plug(ctx context.Context, pods []workloads.Plug) error {
	return c.call(ctx, "Plug", pods, new(bool))
}

// Unplug is as that of Wire.
func (c *Client) Unplug(ctx context.Context, pods []workloads.Key) error {
	return c.call(ctx, "Unplug", pods, new(bool))
}

// Readdress is as that of Wire.
func (c *Client) Readdress(pods []workloads.Plug) error {
	return c.call(context.Background(), "Readdress", pods, new(bool))
}

// Connect is as that of Wire.
func (c *Client) Connect(ctx context.Context, flows []effects.Flow) (effects.Outcomes, error) {
	outcomes := effects.Outcomes{}
	return outcomes, c.call(ctx, "Connect", flows, &outcomes)
}

func (c *Client) call(ctx context.Context, method string, args, answer any) error {
	call := c.rpc.Go(service+"."+method, args, answer, make(chan *rpc.Call, 1))
	select {
	case <-call.Done:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if errors.Is(call.Error, rpc.ErrShutdown) {
		return errors.New("the process in the node's namespace has ended")
	}
	return call.Error
}
