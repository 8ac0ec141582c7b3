//go:build linux

package web_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"math/big"
	"net"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/nodefv/nodefv/workloads"
	"github.com/nodefv/nodefv/workloads/netns"
	"github.com/nodefv/nodefv/workloads/netns/netnstest"
	"github.com/nodefv/nodefv/workloads/requests"
	"github.com/nodefv/nodefv/workloads/traffic/web"
)

const port = 8080

// serving starts backends in all pods, and a client.
func serving(t testing.TB, plugger *netns.Plugger, pods []netnstest.Pod, o web.Serving) (*web.Backends, *web.Client) {
	t.Helper()
	backends, err := web.Serve(plugger, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { must(t, backends.Close()) })
	for _, p := range pods {
		must(t, backends.Add(p.Key, port))
	}
	client, err := web.NewClient(plugger)
	must(t, err)
	t.Cleanup(func() { must(t, client.Close()) })
	return backends, client
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestRequestsAreAnswered asks each pod from another and from the node, on new and on kept connections, by both families.
func TestRequestsAreAnswered(t *testing.T) {
	plugger, pods := netnstest.Pods(t, 3)
	backends, client := serving(t, plugger, pods, web.Serving{Threads: 2, Size: 100})
	asked := map[workloads.Key]uint64{}
	for i, to := range pods {
		for _, from := range []workloads.Key{{}, pods[(i+1)%len(pods)].Key} {
			for _, addr := range []netip.Addr{to.V4, to.V6} {
				if from == (workloads.Key{}) && addr.Is6() {
					continue // the node of a test has no address of that family
				}
				for n := range 4 {
					a := client.Ask(t.Context(), requests.Request{From: from, To: netip.AddrPortFrom(addr, port), Host: "a.example", Path: "/x?y", Keep: n > 1})
					asked[to.Key]++
					if a.Status != 200 || a.Backend != to.Key.String() || a.Size != 100 || a.Failure != "" || a.Reused != (n == 3) {
						t.Errorf("from %s to %s, request %d: %+v", from, addr, n, a)
					}
					if a.Sent.Before(a.Due) || a.First.Before(a.Sent) || a.Answered.Before(a.First) {
						t.Errorf("times are not in order: %+v", a)
					}
				}
			}
		}
	}
	for k, want := range asked {
		if s, ok := backends.Served(k); !ok || s.Requests != want || time.Since(s.Last) > time.Minute {
			t.Errorf("%s: served %+v, %v, want %d requests", k, s, ok, want)
		}
	}
}

// TestRequestSaysWhatItWants asks for a size and a status, with a body, without one, and by HEAD.
func TestRequestSaysWhatItWants(t *testing.T) {
	plugger, pods := netnstest.Pods(t, 1)
	_, client := serving(t, plugger, pods, web.Serving{})
	to := netip.AddrPortFrom(pods[0].V4, port)
	for _, c := range []struct {
		name   string
		r      requests.Request
		status int
		size   int64
	}{
		{"size", requests.Request{Headers: []requests.Header{{Name: requests.SizeHeader, Value: "3000000"}}}, 200, 3_000_000},
		{"empty", requests.Request{Headers: []requests.Header{{Name: "fv-size", Value: "0"}}}, 200, 0},
		{"status", requests.Request{Headers: []requests.Header{{Name: requests.StatusHeader, Value: "503"}}}, 503, 64},
		{"body", requests.Request{Method: "POST", Body: make([]byte, 500_000)}, 200, 64},
		{"HEAD", requests.Request{Method: "HEAD"}, 200, 0},
	} {
		c.r.To, c.r.Keep = to, true
		for range 3 {
			if a := client.Ask(t.Context(), c.r); a.Status != c.status || a.Size != c.size || a.Failure != "" {
				t.Errorf("%s: %+v", c.name, a)
			}
		}
	}
}

// TestFailuresAreTold wants each way in which a request can fail to have its name.
func TestFailuresAreTold(t *testing.T) {
	plugger, pods := netnstest.Pods(t, 2)
	backends, client := serving(t, plugger, pods[:1], web.Serving{})
	ask := func(p uint16, r requests.Request) requests.Answer {
		r.From, r.To = pods[0].Key, netip.AddrPortFrom(pods[1].V4, p)
		if r.Timeout == 0 {
			r.Timeout = 5 * time.Second
		}
		return client.Ask(t.Context(), r)
	}
	const quiet, closing, resetting, babbling = 9001, 9002, 9003, 9004
	for p, do := range map[uint16]func(*net.TCPConn){
		quiet: func(*net.TCPConn) {},
		closing: func(c *net.TCPConn) {
			_, _ = c.Read(make([]byte, 4096))
			_, _ = c.Write([]byte("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"))
			c.Close()
		},
		resetting: func(c *net.TCPConn) { _, _ = c.Read(make([]byte, 4096)); _ = c.SetLinger(0); c.Close() },
		babbling: func(c *net.TCPConn) {
			_, _ = c.Read(make([]byte, 4096))
			_, _ = c.Write([]byte("what?\r\n\r\n"))
			c.Close()
		},
	} {
		listener := listenIn(t, pods[1], p)
		go func() {
			for {
				c, err := listener.Accept()
				if err != nil {
					return
				}
				t.Cleanup(func() { c.Close() })
				do(c.(*net.TCPConn))
			}
		}()
	}
	ended, end := context.WithCancel(t.Context())
	end()
	for _, c := range []struct {
		name string
		got  requests.Answer
		want requests.Failure
	}{
		{"nobody listens", ask(9000, requests.Request{}), requests.Refused},
		{"no answer", ask(quiet, requests.Request{Timeout: 50 * time.Millisecond}), requests.TimedOut},
		{"half an answer", ask(closing, requests.Request{}), requests.Closed},
		{"a reset", ask(resetting, requests.Request{}), requests.Reset},
		{"no HTTP", ask(babbling, requests.Request{}), requests.Garbled},
		{"no TLS", ask(babbling, requests.Request{TLS: true, Host: "a.example"}), requests.Handshake},
		{"no pod", client.Ask(t.Context(), requests.Request{From: workloads.Key{Name: "none"}, To: netip.AddrPortFrom(pods[1].V4, quiet)}), requests.Own},
		{"we end it", client.Ask(ended, requests.Request{To: netip.AddrPortFrom(pods[1].V4, quiet)}), requests.GaveUp},
	} {
		if c.got.Failure != c.want || c.got.Status != 0 || c.got.Why == "" || c.got.Answered.IsZero() {
			t.Errorf("%s: %+v, want %s", c.name, c.got, c.want)
		}
	}
	// A connection that was kept and has been closed meanwhile is no failure.
	r := requests.Request{From: pods[1].Key, To: netip.AddrPortFrom(pods[0].V4, port), Keep: true}
	if a := client.Ask(t.Context(), r); a.Status != 200 {
		t.Fatalf("%+v", a)
	}
	backends.Remove(pods[0].Key)
	if a := client.Ask(t.Context(), r); a.Failure != requests.Refused || !a.Again {
		t.Errorf("its backend is gone: %+v", a)
	}
	must(t, backends.Add(pods[0].Key, port))
	if a := client.Ask(t.Context(), r); a.Status != 200 || a.Again {
		t.Errorf("its backend is back: %+v", a)
	}
}

// TestCertificateIsReturned asks by TLS, and wants the name to reach the server and its certificate to come back.
func TestCertificateIsReturned(t *testing.T) {
	plugger, pods := netnstest.Pods(t, 1)
	_, client := serving(t, plugger, nil, web.Serving{})
	names := make(chan string, 8)
	listener := tls.NewListener(listenIn(t, pods[0], 8443), &tls.Config{GetCertificate: func(h *tls.ClientHelloInfo) (*tls.Certificate, error) {
		names <- h.ServerName
		return certificate(t, h.ServerName), nil
	}})
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				for {
					if _, err := c.Read(make([]byte, 4096)); err != nil {
						return
					}
					fmt.Fprint(c, "HTTP/1.1 204 No Content\r\n\r\n")
				}
			}()
		}
	}()
	for i, r := range []requests.Request{{Host: "a.example"}, {Host: "a.example:8443", Keep: true}, {Host: "a.example", Keep: true}, {Host: "a.example", Server: "b.example"}} {
		r.To, r.TLS = netip.AddrPortFrom(pods[0].V4, 8443), true
		a := client.Ask(t.Context(), r)
		served, err := x509.ParseCertificate(a.Certificate)
		want := "a.example"
		if r.Server != "" {
			want = r.Server
		}
		if err != nil || a.Status != 204 || served.Subject.CommonName != want || a.Reused != (i == 2) {
			t.Errorf("request %d: %v, %d of %s, reused %v, %s", i, err, a.Status, want, a.Reused, a.Why)
			continue
		}
		if !a.Reused {
			if got := <-names; got != want {
				t.Errorf("request %d: the server was asked for %q", i, got)
			}
		}
	}
}

func listenIn(t testing.TB, pod netnstest.Pod, p uint16) (l net.Listener) {
	t.Helper()
	must(t, pod.Do(func() (err error) {
		l, err = net.ListenTCP("tcp", &net.TCPAddr{Port: int(p)})
		return err
	}))
	t.Cleanup(func() { l.Close() })
	return l
}

func certificate(t testing.TB, name string) *tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	template.Subject.CommonName = name
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	must(t, err)
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// TestNothingIsLeft wants the descriptors of this process to be as before once all is closed, also of a pod that was released amid a request.
func TestNothingIsLeft(t *testing.T) {
	plugger, pods := netnstest.Pods(t, 2)
	before := descriptors(t)
	backends, err := web.Serve(plugger, web.Serving{})
	must(t, err)
	must(t, backends.Add(pods[0].Key, port))
	client, err := web.NewClient(plugger)
	must(t, err)
	listener := listenIn(t, pods[0], 9001)
	answered := make(chan requests.Answer)
	go func() {
		answered <- client.Ask(context.Background(), requests.Request{From: pods[1].Key, To: netip.AddrPortFrom(pods[0].V4, 9001)})
	}()
	c, err := listener.Accept()
	must(t, err)
	for range 10 {
		client.Ask(t.Context(), requests.Request{From: pods[1].Key, To: netip.AddrPortFrom(pods[0].V4, port), Keep: true})
	}
	client.Release(pods[1].Key)
	if a := <-answered; a.Failure != requests.Own {
		t.Errorf("of a pod that was released: %+v", a)
	}
	must(t, c.Close())
	must(t, listener.Close())
	must(t, client.Close())
	must(t, backends.Close())
	if after := descriptors(t); after != before {
		t.Errorf("%d descriptors, %d before", after, before)
	}
}

func descriptors(t testing.TB) int {
	t.Helper()
	all, err := os.ReadDir("/proc/self/fd")
	must(t, err)
	return len(all)
}
