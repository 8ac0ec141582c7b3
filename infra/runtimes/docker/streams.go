package docker

import (
	"cmp"
	"context"
	"io"

	"github.com/docker/docker/api/types"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/client"
	"github.com/docker/docker/pkg/stdcopy"

	"github.com/nodefv/nodefv/infra"
)

// streaming passes on what a container's program reads and writes; nil: the program has a log.
type streaming struct {
	client  *client.Client
	id      string
	streams infra.Streams
	conn    types.HijackedResponse
	copied  chan struct{} // closed when all output has been passed on
}

// askForStreams makes a container's configuration one that can be attached to.
func askForStreams(config *container.Config, host *container.HostConfig, s *infra.Streams) {
	if s == nil {
		return
	}
	config.AttachStdout, config.AttachStderr = true, true
	config.AttachStdin, config.OpenStdin, config.StdinOnce = s.In != nil, s.In != nil, s.In != nil
	if t := s.Terminal; t != nil {
		config.Tty = true
		host.ConsoleSize = [2]uint{uint(t.Size.Rows), uint(t.Size.Columns)} // engines before 23 don't know it
	}
}

// attach connects to a container that has not started yet, so that nothing it writes is missed.
func (d *Runtime) attach(ctx context.Context, id string, s *infra.Streams) (*streaming, error) {
	if s == nil {
		return nil, nil
	}
	conn, err := d.client.ContainerAttach(ctx, id, container.AttachOptions{Stream: true, Stdin: s.In != nil, Stdout: true, Stderr: true})
	if err != nil {
		return nil, err
	}
	out := &streaming{client: d.client, id: id, streams: *s, conn: conn, copied: make(chan struct{})}
	out.streams.Out, out.streams.Err = cmp.Or[io.Writer](s.Out, io.Discard), cmp.Or[io.Writer](s.Err, io.Discard)
	return out, nil
}

func (s *streaming) close() {
	if s != nil {
		s.conn.Close()
	}
}

// begin passes on what there is, until the container ends.
func (s *streaming) begin() {
	if s == nil {
		return
	}
	go func() {
		defer close(s.copied)
		defer s.conn.Close()
		if s.streams.Terminal != nil {
			_, _ = io.Copy(s.streams.Out, s.conn.Reader)
		} else {
			_, _ = stdcopy.StdCopy(s.streams.Out, s.streams.Err, s.conn.Reader)
		}
	}()
	if s.streams.In != nil {
		go func() {
			_, _ = io.Copy(s.conn.Conn, s.streams.In) // a program need not read to the end
			_ = s.conn.CloseWrite()
		}()
	}
	if s.streams.Terminal != nil {
		go s.resize()
	}
}

// resize tells the program how large its terminal is, until it ends.
func (s *streaming) resize() {
	size := s.streams.Terminal.Size
	for {
		// One that has ended has no size.
		_ = s.client.ContainerResize(context.Background(), s.id, container.ResizeOptions{Height: uint(size.Rows), Width: uint(size.Columns)})
		select {
		case size = <-s.streams.Terminal.Resized:
		case <-s.copied:
			return
		}
	}
}

// wait returns when all output has been passed on; the container has ended.
func (s *streaming) wait() {
	if s != nil {
		<-s.copied
	}
}
