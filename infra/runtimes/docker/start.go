package docker

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"sort"
	"strings"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/network"

	"github.com/nodefv/nodefv/infra"
)

// Start makes the container, puts its files in and starts it. It removes what it made if that fails, or if ctx ends meanwhile.
func (d *Runtime) Start(ctx context.Context, spec infra.Spec) (c infra.Container, err error) {
	image, programs, err := d.Images.Mounted(ctx, spec.Component)
	if err != nil {
		return nil, err
	}
	config, host, nets, err := d.config(ctx, spec, image)
	if err != nil {
		return nil, err
	}
	if programs != "" {
		host.Binds = append(host.Binds, programs+":"+programFolder+":ro")
	}
	made, err := d.client.ContainerCreate(ctx, config, host, nets, nil, name(spec.Run, spec.Role))
	if err != nil {
		return nil, fmt.Errorf("create container %s: %w", name(spec.Run, spec.Role), err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, remove(context.WithoutCancel(ctx), d.client, made.ID))
		}
	}()
	if len(spec.Files) > 0 {
		archive, err := pack(spec.Files)
		if err != nil {
			return nil, err
		}
		if err := d.client.CopyToContainer(ctx, made.ID, "/", archive, container.CopyToContainerOptions{}); err != nil {
			return nil, fmt.Errorf("copy files into %s: %w", name(spec.Run, spec.Role), err)
		}
	}
	streaming, err := d.attach(ctx, made.ID, spec.Streams)
	if err != nil {
		return nil, fmt.Errorf("attach to %s: %w", name(spec.Run, spec.Role), err)
	}
	defer func() {
		if err != nil {
			streaming.close()
		}
	}()
	if err := d.client.ContainerStart(ctx, made.ID, container.StartOptions{}); err != nil {
		if text := err.Error(); strings.Contains(text, "executable file not found") || strings.Contains(text, "exec: ") && strings.Contains(text, "no such file") {
			err = fmt.Errorf("%w: %s", infra.ErrNoProgram, spec.Command[0]) // the engine's own words fill lines
		}
		return nil, fmt.Errorf("start container %s: %w", name(spec.Run, spec.Role), err)
	}
	streaming.begin()
	info, err := d.client.ContainerInspect(ctx, made.ID)
	if err != nil {
		return nil, fmt.Errorf("inspect container %s: %w", name(spec.Run, spec.Role), err)
	}
	started := newContainer(d.client, info)
	started.streaming = streaming
	return started, nil
}

func (d *Runtime) config(ctx context.Context, spec infra.Spec, image string) (*container.Config, *container.HostConfig, *network.NetworkingConfig, error) {
	config := &container.Config{Image: image, Labels: labels(spec.Run, spec.Role), StopSignal: "SIGTERM"}
	if len(spec.Command) > 0 {
		config.Entrypoint, config.Cmd = spec.Command[:1], spec.Command[1:]
	}
	for k, v := range spec.Env {
		config.Env = append(config.Env, k+"="+v)
	}
	sort.Strings(config.Env)
	host := &container.HostConfig{
		CapAdd: spec.Caps, Sysctls: spec.Sysctls, LogConfig: container.LogConfig{Type: "json-file"},
		Resources: container.Resources{Memory: spec.Memory, NanoCPUs: int64(spec.CPUs * 1e9), CPUShares: spec.Shares},
	}
	if spec.Memory > 0 {
		host.MemorySwap = spec.Memory // the same: no swap beyond it
	}
	if spec.RawSystem {
		// Privileged fails where the machine's bounding set lacks a capability; this is also less.
		host.SecurityOpt = []string{"seccomp=unconfined", "apparmor=unconfined"}
		host.MaskedPaths, host.ReadonlyPaths = []string{}, []string{}
	}
	for from, to := range spec.Binds {
		host.Binds = append(host.Binds, from+":"+to)
	}
	host.Tmpfs = map[string]string{}
	for _, p := range spec.Tmpfs {
		host.Tmpfs[p] = ""
	}
	askForStreams(config, host, spec.Streams)
	if spec.Join != "" {
		owner := "container:" + name(spec.Run, spec.Join)
		host.NetworkMode, host.PidMode = container.NetworkMode(owner), container.PidMode(owner)
		return config, host, nil, nil
	}
	net, err := d.network(ctx, spec.Run)
	if err != nil {
		return nil, nil, nil, err
	}
	host.NetworkMode = container.NetworkMode(net)
	return config, host, &network.NetworkingConfig{EndpointsConfig: map[string]*network.EndpointSettings{net: {}}}, nil
}

// pack makes the archive that the engine unpacks at the container's root, with the directories that the files need.
func pack(files []infra.File) (*bytes.Buffer, error) {
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	made := map[string]bool{"/": true}
	for _, f := range files {
		data := f.Data
		if f.Source != "" {
			var err error
			if data, err = os.ReadFile(f.Source); err != nil {
				return nil, fmt.Errorf("read a file for the container: %w", err)
			}
		}
		if err := packParents(w, path.Dir(f.Path), made); err != nil {
			return nil, err
		}
		mode := f.Mode.Perm()
		if mode == 0 {
			mode = 0o644
		}
		err := w.WriteHeader(&tar.Header{Name: strings.TrimPrefix(f.Path, "/"), Mode: int64(mode), Size: int64(len(data)), Typeflag: tar.TypeReg})
		if err == nil {
			_, err = w.Write(data)
		}
		if err != nil {
			return nil, fmt.Errorf("pack %s: %w", f.Path, err)
		}
	}
	return &archive, w.Close()
}

func packParents(w *tar.Writer, dir string, made map[string]bool) error {
	if made[dir] {
		return nil
	}
	if err := packParents(w, path.Dir(dir), made); err != nil {
		return err
	}
	made[dir] = true
	if err := w.WriteHeader(&tar.Header{Name: strings.TrimPrefix(dir, "/") + "/", Mode: 0o755, Typeflag: tar.TypeDir}); err != nil {
		return fmt.Errorf("pack %s: %w", dir, err)
	}
	return nil
}
