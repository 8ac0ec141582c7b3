package infra

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"

	"golang.org/x/sync/errgroup"
)

// etcdPort is where etcd serves its clients.
const etcdPort = 2379

// EtcdAccess is how a client reaches etcd, which answers to certificates of its own authority alone. It travels as JSON.
type EtcdAccess struct {
	Addr          netip.AddrPort
	CA, Cert, Key []byte // PEM
}

// ReadEtcdAccess reads it from a file.
func ReadEtcdAccess(path string) (EtcdAccess, error) {
	var a EtcdAccess
	data, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(data, &a)
	}
	if err != nil {
		return a, fmt.Errorf("read how etcd is reached: %w", err)
	}
	return a, nil
}

// client connects by dial; nil: as to anything else.
func (a EtcdAccess) client(dial func(ctx context.Context, network, address string) (net.Conn, error)) (*http.Client, error) {
	cert, err := tls.X509KeyPair(a.Cert, a.Key)
	if err != nil {
		return nil, fmt.Errorf("read the certificate for etcd: %w", err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(a.CA)
	return &http.Client{Transport: &http.Transport{
		DialContext: dial, MaxIdleConnsPerHost: purgers, TLSClientConfig: &tls.Config{Certificates: []tls.Certificate{cert}, RootCAs: roots},
	}}, nil
}

// put stores values under keys of etcd, all at once.
func put(ctx context.Context, client *http.Client, etcd netip.AddrPort, values map[string][]byte) error {
	type operation struct {
		Put map[string][]byte `json:"requestPut"`
	}
	var all struct {
		Success []operation `json:"success"`
	}
	for key, value := range values {
		all.Success = append(all.Success, operation{map[string][]byte{"key": []byte(key), "value": value}})
	}
	return ask(ctx, client, etcd, "txn", all)
}

// purgers is how many removals are under way at once.
const purgers = 32

// Purge removes what is stored under keys of etcd, and under these alone. For the API server and whoever watches it, the objects go as
// if another API server had deleted them. That a key is not there is no error. It connects by dial; nil: as to anything else.
func Purge(ctx context.Context, etcd EtcdAccess, keys []string, dial func(ctx context.Context, network, address string) (net.Conn, error)) error {
	client, err := etcd.client(dial)
	if err != nil {
		return err
	}
	defer client.CloseIdleConnections()
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(purgers)
	for _, key := range keys {
		// Each has a revision of its own: who resumes a watch in the midst of a revision never hears of the rest of it.
		group.Go(func() error { return ask(ctx, client, etcd.Addr, "deleterange", map[string][]byte{"key": []byte(key)}) })
	}
	if err := group.Wait(); err != nil {
		return fmt.Errorf("purge %d objects from etcd: %w", len(keys), err)
	}
	return nil
}

// ask sends a request to etcd's JSON gateway, which wants keys and values in base64.
func ask(ctx context.Context, client *http.Client, etcd netip.AddrPort, what string, said any) error {
	body, err := json.Marshal(said)
	if err != nil {
		return fmt.Errorf("encode a request to etcd: %w", err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://"+etcd.String()+"/v3/kv/"+what, bytes.NewReader(body))
	if err != nil {
		return err
	}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	answer, err := io.ReadAll(io.LimitReader(response.Body, 4<<10))
	if err = errors.Join(err, response.Body.Close()); err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", response.Status, strings.TrimSpace(string(answer)))
	}
	return nil
}
