package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"sync"
	"sync/atomic"

	"github.com/nodefv/nodefv/workloads/proxyconfig"
	"github.com/nodefv/nodefv/workloads/proxyconfig/xds"
)

// proxy listens as the newest configuration says.
type proxy struct {
	client *xds.Client
	onward http.RoundTripper
	turns  atomic.Uint64

	mu    sync.Mutex
	came  map[proxyconfig.Kind]bool
	ports map[uint16]*http.Server
}

func newProxy(client *xds.Client) *proxy {
	p := &proxy{
		client: client, onward: &http.Transport{MaxIdleConnsPerHost: 64},
		came: map[proxyconfig.Kind]bool{}, ports: map[uint16]*http.Server{},
	}
	client.Watch(p.take)
	return p
}

// ready answers 200 once listeners and clusters have come, as Envoy does.
func (p *proxy) ready(w http.ResponseWriter, _ *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.came[proxyconfig.Listeners] || !p.came[proxyconfig.Clusters] {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
}

// take opens and closes listeners.
func (p *proxy) take(push proxyconfig.Push) {
	if push.Refused != "" {
		log.Printf("%s %s is refused: %s", push.Kind, push.Stamp.Version, push.Refused)
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.came[push.Kind] = true
	wanted := map[uint16]bool{}
	for _, l := range push.Config.Listeners {
		wanted[l.Port] = true
		if p.ports[l.Port] != nil {
			continue
		}
		server, err := p.listen(l)
		if err != nil {
			log.Print(err)
			continue
		}
		p.ports[l.Port] = server
	}
	for port, server := range p.ports {
		if !wanted[port] {
			delete(p.ports, port)
			go func() { _ = server.Shutdown(context.Background()) }()
		}
	}
}

func (p *proxy) listen(l *proxyconfig.Listener) (*http.Server, error) {
	on, err := net.Listen("tcp", fmt.Sprintf(":%d", l.Port))
	if err != nil {
		return nil, fmt.Errorf("listener %s: %w", l.Name, err)
	}
	secure := false
	for _, c := range l.Chains {
		secure = secure || c.TLS
	}
	if secure {
		on = tls.NewListener(on, &tls.Config{GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
			secret := p.client.Config().Certificate(l.Port, hello.ServerName)
			if secret == nil {
				return nil, errors.New("no chain for " + hello.ServerName)
			}
			pair, err := tls.X509KeyPair(secret.Certificate, secret.Key)
			return &pair, err
		}})
	}
	server := &http.Server{Handler: p.at(l.Port)}
	go func() { _ = server.Serve(on) }()
	return server, nil
}

// at answers the requests that a listener gets.
func (p *proxy) at(port uint16) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		q := proxyconfig.Request{Port: port, TLS: r.TLS != nil, Host: r.Host, Method: r.Method, Path: r.URL.RequestURI(), Headers: r.Header}
		if r.TLS != nil {
			q.Name = r.TLS.ServerName
		}
		a := p.client.Config().Answer(q)
		switch {
		case a.Refused:
			panic(http.ErrAbortHandler)
		case a.Status != 0:
			if a.Location != "" {
				w.Header().Set("Location", a.Location)
			}
			w.WriteHeader(a.Status)
			return
		case len(a.Endpoints) == 0: // they are names
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		to := a.Endpoints[p.turns.Add(1)%uint64(len(a.Endpoints))]
		onward := &httputil.ReverseProxy{
			Rewrite: func(r *httputil.ProxyRequest) {
				r.Out.URL.Scheme, r.Out.URL.Host, r.Out.Host = "http", to.String(), r.In.Host
			},
			Transport: p.onward,
			ErrorHandler: func(w http.ResponseWriter, _ *http.Request, err error) {
				log.Printf("%s: %v", to, err)
				w.WriteHeader(http.StatusServiceUnavailable)
			},
		}
		onward.ServeHTTP(w, r)
	})
}

func (p *proxy) close() (err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, server := range p.ports {
		err = errors.Join(err, server.Close())
	}
	return err
}
