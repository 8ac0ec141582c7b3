package infra

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
)

func TestPurge(t *testing.T) {
	var keys []string
	for i := range 300 {
		keys = append(keys, fmt.Sprintf("/registry/pods/ns/%d", i))
	}
	var gone []string
	var mu sync.Mutex
	refuse := false
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if refuse {
			http.Error(w, "etcdserver: no space", http.StatusBadRequest)
			return
		}
		var got map[string][]byte
		if err := json.NewDecoder(r.Body).Decode(&got); err != nil || r.URL.Path != "/v3/kv/deleterange" || len(got) != 1 {
			t.Errorf("%s: got %v, %v", r.URL.Path, got, err)
		}
		mu.Lock()
		defer mu.Unlock()
		gone = append(gone, string(got["key"]))
	}))
	etcd := secured(t, server)
	defer server.Close()
	if err := Purge(t.Context(), etcd, keys, nil); err != nil {
		t.Fatal(err)
	}
	slices.Sort(gone)
	if slices.Sort(keys); !slices.Equal(gone, keys) {
		t.Errorf("%d of %d are gone", len(gone), len(keys))
	}
	refuse = true
	if err := Purge(t.Context(), etcd, keys, nil); err == nil || !strings.Contains(err.Error(), "no space") {
		t.Errorf("got %v", err)
	}
}

// secured starts a server as etcd is started, and returns how it is reached.
func secured(t *testing.T, server *httptest.Server) EtcdAccess {
	t.Helper()
	ca, err := newEtcdAuthority()
	if err != nil {
		t.Fatal(err)
	}
	client, err1 := ca.client("fv")
	key, err2 := ca.server(RoleEtcd)
	p, err3 := key.at()
	cert, err4 := tls.X509KeyPair(p.cert, p.key)
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		t.Fatal(err)
	}
	clients := x509.NewCertPool()
	clients.AppendCertsFromPEM(ca.pem)
	server.TLS = &tls.Config{Certificates: []tls.Certificate{cert}, ClientCAs: clients, ClientAuth: tls.RequireAndVerifyClientCert}
	server.StartTLS()
	addr := netip.MustParseAddrPort(strings.TrimPrefix(server.URL, "https://"))
	return EtcdAccess{Addr: addr, CA: ca.pem, Cert: client.cert, Key: client.key}
}

// TestEtcdKnowsItsOwnClientsAlone wants a certificate of the API server's authority to be none for etcd.
func TestEtcdKnowsItsOwnClientsAlone(t *testing.T) {
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	etcd := secured(t, server)
	defer server.Close()
	ca, err := newAuthority()
	if err != nil {
		t.Fatal(err)
	}
	agent, err := ca.client("system:node")
	if err != nil {
		t.Fatal(err)
	}
	etcd.Cert, etcd.Key = agent.cert, agent.key
	if err := Purge(t.Context(), etcd, []string{"/x"}, nil); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("got %v", err)
	}
}
