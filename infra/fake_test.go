package infra

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
)

// fakeRuntime has containers without programs; that of the API server answers as one that demands client certificates.
type fakeRuntime struct {
	t       testing.TB
	refuse  Role                            // Start of this role fails
	dies    map[Role]int                    // containers of these roles exit as soon as they start, this often
	exits   map[Role]Exit                   // what a role does of itself
	deaf    Role                            // what is asked of this role's container hangs until the caller gives up
	stuck   error                           // Sweep fails
	addr    netip.Addr                      // of every container
	server  *httptest.Server                // of the API server
	key     []byte                          // its own
	serving atomic.Pointer[tls.Certificate] // its certificate
	mu      sync.Mutex                      // guards what is below
	alive   map[Role]*fakeCont              // by role
	begun   []Spec
}

type fakeCont struct {
	rt    *fakeRuntime
	role  Role
	ended chan struct{}
	once  sync.Once
	exit  Exit
	log   string
}

func newFakeRuntime(t testing.TB) *fakeRuntime {
	return &fakeRuntime{t: t, alive: map[Role]*fakeCont{}, dies: map[Role]int{}, exits: map[Role]Exit{}, addr: netip.MustParseAddr("127.0.0.1")}
}

func (r *fakeRuntime) Start(ctx context.Context, spec Spec) (Container, error) {
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if spec.Role == r.refuse {
		return nil, errors.New("no space left")
	}
	if r.alive[spec.Role] != nil {
		return nil, fmt.Errorf("the name %s is in use", spec.Role)
	}
	c := &fakeCont{rt: r, role: spec.Role, ended: make(chan struct{}), log: string(spec.Role) + " says hello\n"}
	var err error
	switch {
	case r.dies[spec.Role] > 0:
	case spec.Role == RoleAPIServer:
		err = r.serve(spec)
	case spec.Role == RoleEtcd:
		err = r.shake(spec)
	}
	if err != nil {
		return nil, err
	}
	r.alive[spec.Role] = c
	r.begun = append(r.begun, spec)
	if r.dies[spec.Role] > 0 {
		r.dies[spec.Role]--
		c.end(Exit{Code: 3})
	}
	if exit, ok := r.exits[spec.Role]; ok {
		c.end(exit)
	}
	return c, nil
}

// listen takes a port of a loopback address of its own.
func (r *fakeRuntime) listen(port uint16) (l net.Listener, err error) {
	for i := range 50 {
		r.addr = netip.AddrFrom4([4]byte{127, 66, byte(os.Getpid()), byte(1 + i)})
		if l, err = net.Listen("tcp", netip.AddrPortFrom(r.addr, port).String()); err == nil {
			break
		}
	}
	return l, err
}

// shake answers on etcd's port with its certificate, and with nothing else.
func (r *fakeRuntime) shake(spec Spec) error {
	files := map[string][]byte{}
	for _, f := range spec.Files {
		files[f.Path] = f.Data
	}
	cert, err := tls.X509KeyPair(files["/etc/fv/tls.crt"], files["/etc/fv/tls.key"])
	if err != nil {
		return err
	}
	l, err := r.listen(etcdPort)
	if err != nil {
		return err
	}
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.Listener.Close()
	server.Listener, server.TLS = l, &tls.Config{Certificates: []tls.Certificate{cert}}
	server.StartTLS()
	r.t.Cleanup(server.Close)
	return nil
}

// serve answers on the API server's port of a loopback address of its own.
func (r *fakeRuntime) serve(spec Spec) error {
	files := map[string][]byte{}
	for _, f := range spec.Files {
		files[f.Path] = f.Data
	}
	cert, err := tls.X509KeyPair(files["/etc/fv/tls.crt"], files["/etc/fv/tls.key"])
	if err != nil {
		return err
	}
	r.key = files["/etc/fv/tls.key"]
	r.serving.Store(&cert)
	clients := x509.NewCertPool()
	clients.AppendCertsFromPEM(files["/etc/fv/ca.crt"])
	l, err := r.listen(apiserverPort)
	if err != nil {
		return err
	}
	r.server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		if q.Method == http.MethodPost { // the object is made as it was sent
			w.Header().Set("Content-Type", q.Header.Get("Content-Type"))
			w.WriteHeader(http.StatusCreated)
			_, _ = io.Copy(w, q.Body)
			return
		}
		fmt.Fprint(w, "ok")
	}))
	r.server.Listener.Close()
	r.server.Listener = l
	r.server.TLS = &tls.Config{GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
		return &tls.Config{Certificates: []tls.Certificate{*r.serving.Load()}, ClientCAs: clients, ClientAuth: tls.RequireAndVerifyClientCert}, nil
	}}
	r.server.StartTLS()
	r.t.Cleanup(r.server.Close)
	return nil
}

func (r *fakeRuntime) Find(_ context.Context, _ string, role Role) (Container, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if c := r.alive[role]; c != nil {
		return c, nil
	}
	return nil, os.ErrNotExist
}

func (r *fakeRuntime) Runs(context.Context) ([]RunInfo, error) { return nil, nil }

func (r *fakeRuntime) Describe(context.Context) (name, version string, err error) {
	return "fake", "1", nil
}

func (r *fakeRuntime) Sweep(ctx context.Context, _ string) error {
	if r.stuck != nil {
		return r.stuck
	}
	r.mu.Lock()
	left := slices.Collect(maps.Values(r.alive))
	r.mu.Unlock()
	for _, c := range left {
		_ = c.Stop(ctx)
	}
	return nil
}

func (r *fakeRuntime) left() []Role {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Sorted(maps.Keys(r.alive))
}

func (r *fakeRuntime) roles() []Role {
	r.mu.Lock()
	defer r.mu.Unlock()
	var roles []Role
	for _, s := range r.begun {
		roles = append(roles, s.Role)
	}
	return roles
}

func (c *fakeCont) end(exit Exit) { c.once.Do(func() { c.exit = exit; close(c.ended) }) }

func (c *fakeCont) Name() string                        { return "fake-" + string(c.role) }
func (c *fakeCont) Addr() netip.Addr                    { return c.rt.addr }
func (c *fakeCont) Exec(context.Context, Command) error { return nil }

func (c *fakeCont) Signal(ctx context.Context, s os.Signal) error {
	if c.rt.deaf == c.role {
		<-ctx.Done()
		return ctx.Err()
	}
	c.end(codeOf(s))
	return nil
}

// Put takes the API server's certificate; etcd is never asked.
func (c *fakeCont) Put(_ context.Context, f File) error {
	if c.role != RoleAPIServer || f.Path != certFile || c.rt.server == nil {
		return nil
	}
	cert, err := tls.X509KeyPair(f.Data, c.rt.key)
	if err == nil {
		c.rt.serving.Store(&cert)
	}
	return err
}

func codeOf(s os.Signal) Exit {
	n, _ := s.(syscall.Signal)
	return Exit{Code: 128 + int(n)}
}

func (c *fakeCont) Logs(ctx context.Context, w io.Writer, follow bool) error {
	_, err := io.WriteString(w, c.log)
	if follow {
		select {
		case <-c.ended:
		case <-ctx.Done():
		}
	}
	return err
}

func (c *fakeCont) Wait(ctx context.Context) (Exit, error) {
	select {
	case <-c.ended:
		return c.exit, nil
	case <-ctx.Done():
		return Exit{}, ctx.Err()
	}
}

func (c *fakeCont) Stop(ctx context.Context) error {
	if c.rt.deaf == c.role {
		<-ctx.Done()
		return ctx.Err()
	}
	c.end(Exit{Code: 137})
	c.rt.mu.Lock()
	defer c.rt.mu.Unlock()
	if c.rt.alive[c.role] == c {
		delete(c.rt.alive, c.role)
	}
	return nil
}

// fakeTarget is a SUT with one agent.
type fakeTarget struct {
	spec, install error
	ready         func() error
}

func (fakeTarget) Name() string       { return "sut" }
func (fakeTarget) Facts() TargetFacts { return TargetFacts{Name: "sut", MetricsPort: 9091} }

func (f fakeTarget) Specs() []func(ControlPlane, NodeInfo) (Spec, error) {
	return []func(ControlPlane, NodeInfo) (Spec, error){func(cp ControlPlane, _ NodeInfo) (Spec, error) {
		config, err := cp.Kubeconfig("sut")
		return Spec{Role: RoleAgent, Component: "sut", Join: RoleNode, Files: []File{{Path: "/kubeconfig", Data: config}}}, errors.Join(err, f.spec)
	}}
}

func (f fakeTarget) Install(ctx context.Context, _ ControlPlane, _ NodeInfo) error { return f.install }

func (f fakeTarget) Ready(context.Context, *http.Client, netip.Addr) error {
	if f.ready == nil {
		return nil
	}
	return f.ready()
}
