package infra

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/nodefv/nodefv/infra/build"
	"github.com/nodefv/nodefv/infra/lifecycle"
)

// readyBound is how long each part of an environment may take until it is ready.
const readyBound = 60 * time.Second

// controlPlaneShares put API server and etcd, which have machines of their own in a cluster, before the SUT where the processors are scarce.
const controlPlaneShares = 8 * 1024

// secrets is where the control plane's containers have their keys and certificates.
const secrets = "/etc/fv/"

const certFile = secrets + "tls.crt"

// apiserverPort is where the API server serves.
const apiserverPort = 6443

func secret(name string, data []byte) File {
	return File{Path: secrets + name, Mode: 0o600, Data: data}
}

func etcdSpec(run string, ca *authority, p pair) Spec {
	return Spec{
		Run: run, Role: RoleEtcd, Component: build.Etcd, Tmpfs: []string{"/data"}, Shares: controlPlaneShares,
		Files: []File{secret("ca.crt", ca.pem), secret("tls.crt", p.cert), secret("tls.key", p.key)},
		// Nothing here outlives the run, so nothing need reach a disk.
		Command: []string{"etcd", "--data-dir=/data", "--unsafe-no-fsync", "--log-level=warn", "--quota-backend-bytes=8589934592",
			"--listen-client-urls=https://0.0.0.0:2379", "--advertise-client-urls=https://0.0.0.0:2379",
			"--client-cert-auth", "--trusted-ca-file=" + secrets + "ca.crt", "--cert-file=" + certFile, "--key-file=" + secrets + "tls.key"},
	}
}

// disabledAdmission are the plugins that look up each pod's namespace through a rate-limited client, or have nothing to
// do without the controllers that serve them; with them a thousand namespaces crawl at ten pods a second.
const disabledAdmission = "ServiceAccount,LimitRanger,ResourceQuota,Priority,TaintNodesByCondition,RuntimeClass,DefaultTolerationSeconds,PodSecurity"

func apiserverSpec(run string, etcd EtcdAccess, ca *authority, p pair) Spec {
	return Spec{
		Run: run, Role: RoleAPIServer, Component: build.Kubernetes,
		Shares: controlPlaneShares,
		Files: []File{
			secret("ca.crt", ca.pem), secret("tls.crt", p.cert), secret("tls.key", p.key),
			secret("etcd-ca.crt", etcd.CA), secret("etcd.crt", etcd.Cert), secret("etcd.key", etcd.Key),
		},
		Command: []string{"kube-apiserver",
			"--etcd-servers=https://" + etcd.Addr.String(), "--etcd-cafile=" + secrets + "etcd-ca.crt", "--etcd-certfile=" + secrets + "etcd.crt",
			"--etcd-keyfile=" + secrets + "etcd.key",
			fmt.Sprintf("--secure-port=%d", apiserverPort), "--tls-cert-file=" + certFile, "--tls-private-key-file=" + secrets + "tls.key", "--client-ca-file=" + secrets + "ca.crt",
			"--anonymous-auth=false",
			"--service-account-issuer=https://kubernetes.default.svc", "--service-account-key-file=" + secrets + "tls.key",
			"--service-account-signing-key-file=" + secrets + "tls.key",
			"--service-cluster-ip-range=10.96.0.0/16", "--authorization-mode=RBAC", "--cert-dir=/tmp", "--allow-privileged=true",
			"--disable-admission-plugins=" + disabledAdmission,
			"--enable-priority-and-fairness=false", "--max-mutating-requests-inflight=0", "--max-requests-inflight=0",
			"--endpoint-reconciler-type=none", "--event-ttl=5m"},
	}
}

// startControlPlane starts etcd and the API server and waits until the latter serves.
func (e *Environment) startControlPlane(ctx context.Context) error {
	group, within := errgroup.WithContext(ctx)
	group.Go(func() (err error) { e.ca, err = newAuthority(); return err }) // a tenth of a second or more
	group.Go(func() error { return e.startEtcd(within) })
	if err := group.Wait(); err != nil {
		return err
	}
	var apiserver Container
	group, within = errgroup.WithContext(ctx)
	group.Go(func() error { return e.seed(within) }) // it has ended long before the API server reads
	group.Go(func() (err error) { apiserver, err = e.startAPIServer(within); return err })
	if err := group.Wait(); err != nil {
		return err
	}
	e.server = "https://" + netip.AddrPortFrom(apiserver.Addr(), apiserverPort).String()
	admin, err := e.ca.kubeconfig(e.server, "admin", "system:masters")
	if err != nil {
		return err
	}
	if err := os.WriteFile(e.kubeconfigPath(), admin, 0o600); err != nil {
		return fmt.Errorf("write kubeconfig: %w", err)
	}
	driver, err := e.ca.kubeconfig(e.server, driverUser)
	if err == nil {
		err = os.WriteFile(e.driverKubeconfigPath(), driver, 0o600)
	}
	if err != nil {
		return fmt.Errorf("write the driver's kubeconfig: %w", err)
	}
	if err := e.loadConfig(); err != nil {
		return err
	}
	return e.awaitReady(ctx, apiserver, "apiserver", e.serving)
}

// startEtcd starts etcd and makes the certificate with which it is reached.
func (e *Environment) startEtcd(ctx context.Context) error {
	ca, err := newEtcdAuthority()
	if err != nil {
		return err
	}
	client, err := ca.client("fv")
	if err != nil {
		return err
	}
	server, err := ca.server(RoleEtcd, x509.ExtKeyUsageClientAuth) // its JSON gateway is a client of its own
	if err != nil {
		return err
	}
	c, err := e.startServer(ctx, server, etcdPort, func(p pair) Spec { return etcdSpec(e.run, ca, p) })
	if err != nil {
		return err
	}
	e.etcd = EtcdAccess{Addr: netip.AddrPortFrom(c.Addr(), etcdPort), CA: ca.pem, Cert: client.cert, Key: client.key}
	return e.saveEtcd()
}

func (e *Environment) startAPIServer(ctx context.Context) (Container, error) {
	server, err := e.ca.server(RoleAPIServer)
	if err != nil {
		return nil, err
	}
	return e.startServer(ctx, server, apiserverPort, func(p pair) Spec { return apiserverSpec(e.run, e.etcd, e.ca, p) })
}

// startServer starts a server and gives it a certificate for its address, which nobody knows before. Both etcd and the API server take
// another certificate when there is one, once they serve; but Docker takes the old file away before it puts the new one there, and a server that
// finds none while it starts ends ("open /etc/fv/tls.crt: no such file").
func (e *Environment) startServer(ctx context.Context, s serving, port uint16, spec func(pair) Spec) (Container, error) {
	p, err := s.at()
	if err != nil {
		return nil, err
	}
	c, err := e.start(ctx, e.cfg.keepAlive(spec(p)))
	if err != nil {
		return nil, err
	}
	if p, err = s.at(c.Addr()); err != nil {
		return nil, err
	}
	at := netip.AddrPortFrom(c.Addr(), port)
	if err := e.awaitReady(ctx, c, string(s.role), func(ctx context.Context) error { return e.shakeHands(ctx, at) }); err != nil {
		return nil, err
	}
	return c, c.Put(ctx, secret("tls.crt", p.cert))
}

// shakeHands is nil if a server answers with a certificate, whatever that is of. Nothing is sent to it.
func (e *Environment) shakeHands(ctx context.Context, at netip.AddrPort) error {
	dial := dialOf(e.runtime, e.run)
	if dial == nil {
		dial = (&net.Dialer{}).DialContext
	}
	conn, err := dial(ctx, "tcp", at.String())
	if err != nil {
		return err
	}
	hands := tls.Client(conn, &tls.Config{InsecureSkipVerify: true})
	err = hands.HandshakeContext(ctx)
	_ = hands.Close() // nothing was sent
	return err
}

// serving is nil while the API server, and etcd behind it, answer.
func (e *Environment) serving(ctx context.Context) error {
	client, err := kubernetes.NewForConfig(e.config)
	if err != nil {
		return fmt.Errorf("make a client: %w", err)
	}
	_, err = client.Discovery().RESTClient().Get().AbsPath("/readyz").DoRaw(ctx)
	return err
}

// loadConfig reads the administrator's kubeconfig.
func (e *Environment) loadConfig() error {
	config, err := clientcmd.BuildConfigFromFlags("", e.kubeconfigPath())
	if err != nil {
		return fmt.Errorf("read kubeconfig: %w", err)
	}
	config.QPS = -1
	config.WarningHandler = rest.NoWarnings{} // what the API server thinks of a release's CRDs is not the user's to mend
	config.Dial = dialOf(e.runtime, e.run)
	config.Proxy = func(*http.Request) (*url.URL, error) { return nil, nil } // no proxy reaches the run's bridge
	e.config, e.server = config, config.Host
	return nil
}

// awaitReady tries until try succeeds; a container of the environment that exits ends the wait at once.
func (e *Environment) awaitReady(ctx context.Context, c Container, what string, try func(context.Context) error) error {
	guarded, stop := e.guard(ctx)
	err := lifecycle.Wait(guarded, what, readyBound, func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
		defer cancel()
		return try(ctx)
	})
	died := guarded.Err() != nil
	stop()
	if err != nil && !died && !errors.Is(err, errLacks) {
		err = fmt.Errorf("%w; %s", err, quote(lastWords(ctx, c).Lines()))
	}
	return err
}

// guard returns a context that ends as soon as a container of the environment exits, with its last log lines as the
// cause. The function it returns ends the watch.
func (e *Environment) guard(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	var watches sync.WaitGroup
	for role, c := range e.watchable() {
		watches.Go(func() {
			exit, err := c.Wait(ctx)
			if err != nil {
				return // the watch has ended, or the engine is gone: then every other call says so
			}
			words := lastWords(context.WithoutCancel(ctx), c)
			cancel(&DiedError{Role: role, Exit: exit, Cause: words.Cause(), Log: words.Lines()})
		})
	}
	return ctx, func() {
		cancel(nil)
		watches.Wait()
	}
}
