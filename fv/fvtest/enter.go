package fvtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/nodefv/nodefv/fv/inside"
	"github.com/nodefv/nodefv/infra"
	"github.com/nodefv/nodefv/infra/build"
	"github.com/nodefv/nodefv/infra/lifecycle"
)

// The places in the container of the program inside.
const (
	insideProgram = "/usr/local/bin/fv-inside"
	insideFolder  = "/run/fv-inside"
	socketName    = "socket"
)

// enterBound is how long the program inside may take to listen.
const enterBound = 30 * time.Second

// enter starts the program inside the node's namespace and reaches it over a socket in dir.
func (e *Env) enter(ctx context.Context, program, dir string) error {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return fmt.Errorf("make a folder for the socket: %w", err)
	}
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan error, 1)
	go func() { ended <- e.runInside(running, program, dir) }()
	e.undo.Push("unplug all", func(ctx context.Context) error {
		stop()
		select {
		case err := <-ended:
			return err
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	})
	return lifecycle.Wait(ctx, "process in the node's namespace", enterBound, func(ctx context.Context) error {
		select {
		case err := <-ended:
			ended <- nil // for Down
			return lifecycle.Stop(err)
		default:
		}
		client, err := inside.Dial(ctx, filepath.Join(dir, socketName))
		if err != nil {
			return err
		}
		e.wire = client
		e.undo.Push("leave the node's namespace", func(context.Context) error { return client.Close() })
		return nil
	})
}

// runInside runs the program until ctx ends. That it ends by itself is an error.
func (e *Env) runInside(ctx context.Context, program, dir string) error {
	routes := !e.target.Presentation().Routes
	var said bytes.Buffer
	exit, err := e.env.Exec(ctx, infra.Spec{
		Component: build.Node, Shares: infra.MostShares, // else its packets are milliseconds late as soon as the agent is busy
		Command: []string{
			insideProgram, "-node", e.env.Node().Addr.String(), "-routes=" + strconv.FormatBool(routes), "-socket", insideFolder + "/" + socketName,
		},
		Files: []infra.File{{Path: insideProgram, Mode: 0o755, Source: program}}, Binds: map[string]string{dir: insideFolder},
	}, &said)
	switch {
	case err != nil && !errors.Is(err, context.Canceled):
		return err
	case exit.Code != 0 || err == nil:
		return fmt.Errorf("it ended with code %d: %s", exit.Code, bytes.TrimSpace(said.Bytes()))
	}
	return nil
}
