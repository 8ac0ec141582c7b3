// Command fv-inside runs in the network namespace of a node and does there, over a Unix socket, what a process outside asks for: it plugs
// pods and makes connections between them. It is started by fvtest.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/nodefv/nodefv/fv/driver"
	"github.com/nodefv/nodefv/fv/inside"
)

// closeBound is how long pods may take to be unplugged.
const closeBound = 5 * time.Second

func main() {
	node := flag.String("node", "", "the node's address")
	routes := flag.Bool("routes", false, "route to the pods: the agent does not")
	socket := flag.String("socket", "", "the socket to listen on")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := serve(ctx, *socket, *node, *routes); err != nil {
		fmt.Fprintln(os.Stderr, "fv-inside:", err)
		os.Exit(1)
	}
}

func serve(ctx context.Context, socket, node string, routes bool) (err error) {
	addr, err := netip.ParseAddr(node)
	if err != nil {
		return fmt.Errorf("the node's address: %w", err)
	}
	wire, err := driver.NewWire(ctx, addr, routes)
	if err != nil {
		return err
	}
	defer func() {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeBound)
		defer cancel()
		err = errors.Join(err, wire.Close(closing))
	}()
	listener, err := net.Listen("unix", socket)
	if err != nil {
		return err
	}
	if err := os.Chmod(socket, 0o666); err != nil { // who calls may be another user; the folder is the user's alone
		return errors.Join(err, listener.Close())
	}
	defer context.AfterFunc(ctx, func() { _ = listener.Close() })()
	return inside.Serve(listener, wire)
}
