package docker

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"strconv"
	"syscall"
	"time"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/client"
	"github.com/docker/docker/pkg/stdcopy"
	"golang.org/x/sys/unix"

	"github.com/nodefv/nodefv/infra"
)

// dockerContainer is a container as it was when it had started.
type dockerContainer struct {
	client   *client.Client
	id, name string
	addr     netip.Addr

	streaming *streaming // of its program, if this process started it so
}

func newContainer(c *client.Client, info container.InspectResponse) *dockerContainer {
	d := &dockerContainer{client: c, id: info.ID, name: info.Name[1:]}
	if info.NetworkSettings == nil {
		return d
	}
	for _, n := range info.NetworkSettings.Networks {
		if addr, err := netip.ParseAddr(n.IPAddress); err == nil {
			d.addr = addr
		}
	}
	return d
}

func (d *dockerContainer) Name() string     { return d.name }
func (d *dockerContainer) Addr() netip.Addr { return d.addr }

func (d *dockerContainer) Exec(ctx context.Context, cmd infra.Command) error {
	options := container.ExecOptions{Cmd: cmd.Args, AttachStdout: true, AttachStderr: true}
	for k, v := range cmd.Env {
		options.Env = append(options.Env, k+"="+v)
	}
	made, err := d.client.ContainerExecCreate(ctx, d.id, options)
	if err != nil {
		return fmt.Errorf("exec %v in %s: %w", cmd.Args, d.name, err)
	}
	stream, err := d.client.ContainerExecAttach(ctx, made.ID, container.ExecAttachOptions{})
	if err != nil {
		return fmt.Errorf("exec %v in %s: %w", cmd.Args, d.name, err)
	}
	defer stream.Close()
	defer context.AfterFunc(ctx, stream.Close)() // a read of the stream knows no context
	var tail bytes.Buffer
	out, diag := cmp.Or[io.Writer](cmd.Stdout, &tail), cmp.Or[io.Writer](cmd.Stderr, &tail)
	if _, err := stdcopy.StdCopy(out, diag, stream.Reader); err != nil {
		return fmt.Errorf("read the output of %v in %s: %w", cmd.Args, d.name, errors.Join(err, context.Cause(ctx)))
	}
	info, err := d.client.ContainerExecInspect(ctx, made.ID)
	if err != nil {
		return fmt.Errorf("exec %v in %s: %w", cmd.Args, d.name, err)
	}
	if info.ExitCode != 0 {
		return &infra.ExitError{Command: cmd.Args, Code: info.ExitCode, Output: infra.Tail(tail.String(), 20)}
	}
	return nil
}

func (d *dockerContainer) Logs(ctx context.Context, w io.Writer, follow bool) error {
	logs, err := d.client.ContainerLogs(ctx, d.id, container.LogsOptions{ShowStdout: true, ShowStderr: true, Follow: follow})
	if err != nil {
		return fmt.Errorf("read the log of %s: %w", d.name, err)
	}
	defer logs.Close()
	if _, err := stdcopy.StdCopy(w, w, logs); err != nil && (!follow || ctx.Err() == nil) { // half a log is none
		return fmt.Errorf("read the log of %s: %w", d.name, err)
	}
	return nil
}

func (d *dockerContainer) Put(ctx context.Context, f infra.File) error {
	archive, err := pack([]infra.File{f})
	if err != nil {
		return err
	}
	if err := d.client.CopyToContainer(ctx, d.id, "/", archive, container.CopyToContainerOptions{}); err != nil {
		return fmt.Errorf("put %s into %s: %w", f.Path, d.name, err)
	}
	return nil
}

func (d *dockerContainer) Signal(ctx context.Context, sig os.Signal) error {
	name := strconv.Itoa(int(unix.SIGTERM))
	if s, ok := sig.(syscall.Signal); ok {
		name = unix.SignalName(s)
	}
	if err := d.client.ContainerKill(ctx, d.id, name); err != nil {
		return fmt.Errorf("send %v to %s: %w", sig, d.name, err)
	}
	return nil
}

func (d *dockerContainer) Wait(ctx context.Context) (infra.Exit, error) {
	ended, failed := d.client.ContainerWait(ctx, d.id, container.WaitConditionNotRunning)
	select {
	case err := <-failed:
		return infra.Exit{}, fmt.Errorf("wait for %s: %w", d.name, err)
	case response := <-ended:
		d.streaming.wait()
		exit := infra.Exit{Code: int(response.StatusCode)}
		if info, err := d.client.ContainerInspect(ctx, d.id); err == nil {
			exit.OOM = info.State.OOMKilled
		}
		return exit, nil
	}
}

// CPU asks the engine. An engine that knows no single reading answers after a second.
func (d *dockerContainer) CPU(ctx context.Context) (time.Duration, error) {
	response, err := d.client.ContainerStatsOneShot(ctx, d.id)
	if err != nil {
		if cerrdefs.IsNotFound(err) {
			err = errors.Join(err, os.ErrNotExist)
		}
		return 0, fmt.Errorf("read what %s used: %w", d.name, err)
	}
	defer response.Body.Close()
	var stats container.StatsResponse
	if err := json.NewDecoder(response.Body).Decode(&stats); err != nil {
		return 0, fmt.Errorf("read what %s used: %w", d.name, err)
	}
	if stats.Read.IsZero() {
		return 0, fmt.Errorf("read what %s used: it has ended: %w", d.name, os.ErrNotExist)
	}
	return time.Duration(stats.CPUStats.CPUUsage.TotalUsage), nil
}

// Stop is for containers whose state nobody needs any more: it kills and removes in one call.
func (d *dockerContainer) Stop(ctx context.Context) error { return remove(ctx, d.client, d.id) }

func remove(ctx context.Context, c *client.Client, id string) error {
	err := c.ContainerRemove(ctx, id, container.RemoveOptions{Force: true, RemoveVolumes: true})
	if err == nil || cerrdefs.IsNotFound(err) {
		return nil
	}
	if !cerrdefs.IsConflict(err) {
		return fmt.Errorf("remove container %s: %w", id, err)
	}
	// Somebody else removes it at this moment: it is gone when that has ended.
	gone, failed := c.ContainerWait(ctx, id, container.WaitConditionRemoved)
	select {
	case err := <-failed:
		if cerrdefs.IsNotFound(err) {
			return nil
		}
		return fmt.Errorf("remove container %s: %w", id, err)
	case <-gone:
		return nil
	}
}
