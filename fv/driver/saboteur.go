package driver

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"syscall"

	"github.com/nodefv/nodefv/infra"
	"github.com/nodefv/nodefv/infra/targets"
	"github.com/nodefv/nodefv/metrics"
	"github.com/nodefv/nodefv/scenarios/effects"
	"github.com/nodefv/nodefv/scenarios/faults"
	"github.com/nodefv/nodefv/workloads"
	"github.com/nodefv/nodefv/workloads/kernel"
)

// saboteur does what faults ask for with the driver's means.
type saboteur struct{ *Driver }

var _ faults.Saboteur = saboteur{}

func (s saboteur) Backend() kernel.Backend {
	if p, ok := s.target.(targets.Programmer); ok {
		return p.Backend()
	}
	return ""
}

func (s saboteur) Run(ctx context.Context, command ...string) ([]byte, error) {
	var out, complaints bytes.Buffer
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Stdout, cmd.Stderr = &out, &complaints
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("%s: %w: %s", strings.Join(command, " "), err, bytes.TrimSpace(complaints.Bytes()))
	}
	return out.Bytes(), nil
}

func (s saboteur) Signal(sig syscall.Signal) error {
	pid, err := s.process()
	if err != nil {
		return err
	}
	return syscall.Kill(pid, sig)
}

// roles are the parts that a saboteur may restart.
var roles = map[faults.Part]infra.Role{faults.Agent: infra.RoleAgent, faults.APIServer: infra.RoleAPIServer, faults.Etcd: infra.RoleEtcd}

func (s saboteur) Restart(ctx context.Context, part faults.Part) error {
	return s.restart(ctx, roles[part])
}

// Way is the agent's to the API server, as scenarios make it worse.
func (s saboteur) Way() effects.Way {
	if !s.HasFeature(workloads.OwnWay) {
		return nil
	}
	return s.wire.agentsWay()
}

// Lie puts a proxy in front of the SUT's metrics that adds to one of them.
func (s saboteur) Lie(ctx context.Context, g metrics.Gauge, more float64) error {
	selector, ok := s.target.Gauges()[g]
	if !ok {
		return fmt.Errorf("the target has no gauge %s", g)
	}
	sample := regexp.MustCompile(`(?m)^(` + regexp.QuoteMeta(selector.Metric) + `(?:\{.*\})? )(\S+)$`)
	truth := &url.URL{Scheme: "http", Host: fmt.Sprintf("127.0.0.1:%d", s.handoff.Target.MetricsPort)}
	proxy := httputil.NewSingleHostReverseProxy(truth)
	proxy.ModifyResponse = func(r *http.Response) error {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return err
		}
		body = sample.ReplaceAllFunc(body, func(line []byte) []byte {
			parts := sample.FindSubmatch(line)
			value, err := strconv.ParseFloat(string(parts[2]), 64)
			if err != nil {
				return line
			}
			return strconv.AppendFloat(parts[1], value+more, 'g', -1, 64)
		})
		r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		r.Header.Set("Content-Length", strconv.Itoa(len(body)))
		return nil
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("start a proxy: %w", err)
	}
	server := &http.Server{Handler: proxy}
	go func() { _ = server.Serve(listener) }()
	s.undo.Push("end the proxy of the metrics", func(context.Context) error { return server.Close() })
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gauges = metrics.NewHTTP("http://"+listener.Addr().String()+"/metrics", s.target.Gauges())
	return nil
}
