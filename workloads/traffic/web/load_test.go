//go:build linux

package web_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nodefv/nodefv/workloads"
	"github.com/nodefv/nodefv/workloads/netns/netnstest"
	"github.com/nodefv/nodefv/workloads/requests"
	"github.com/nodefv/nodefv/workloads/traffic/web"
)

// TestLoadIsAccountedFor wants every request to be right, from several origins by several processes, and what is told to add up.
func TestLoadIsAccountedFor(t *testing.T) {
	plugger, pods := netnstest.Pods(t, 4)
	backends, _ := serving(t, plugger, pods[:2], web.Serving{})
	r, err := web.Press(t.Context(), plugger, requests.Load{
		From: []requests.Origin{{}, {Pod: pods[2].Key}, {Pod: pods[3].Key}}, To: []netip.AddrPort{netip.AddrPortFrom(pods[0].V4, port), netip.AddrPortFrom(pods[1].V4, port)},
		Mix:         []requests.Ask{{Host: "a.example", Path: "/a", Backends: []string{pods[0].Key.String(), pods[1].Key.String()}}, {Method: "HEAD"}},
		Connections: 12, Idle: 30, Rate: 500, Size: 600, Duration: 2 * time.Second, Processes: 3,
	})
	must(t, err)
	t.Log(r)
	if r.Count.Due != 1000 || r.Count.Sent != 1000 || r.Count.Right != 1000 || r.Count.Bad() != 0 || r.IdleStood != 30 || r.IdleLost != 0 || r.Standing != 12 {
		t.Errorf("%+v, %d idle stood, %d lost, %d stand", r.Count, r.IdleStood, r.IdleLost, r.Standing)
	}
	var due, right uint64
	n := 0
	for _, s := range r.Seconds {
		due, right, n = due+s.Due, right+s.Right, n+requestsIn(s)
	}
	if due != 1000 || right > 1000 || n != 1000 || r.Lateness.N() != 1000 || r.Connect.N() != 42 {
		t.Errorf("by second due %d, right %d, %d latencies; lateness of %d, %d connects", due, right, n, r.Lateness.N(), r.Connect.N())
	}
	var served uint64
	for _, s := range backends.All() {
		served += s.Requests
	}
	if served != 1030 {
		t.Errorf("the backends served %d", served)
	}
}

func requestsIn(s requests.Second) int {
	if s.Latency == nil {
		return 0
	}
	return int(s.Latency.HDR.Count())
}

// TestLoadTellsWhatIsWrong wants answers that are not the wanted ones, and requests that fail, to be counted exactly.
func TestLoadTellsWhatIsWrong(t *testing.T) {
	plugger, pods := netnstest.Pods(t, 2)
	serving(t, plugger, pods, web.Serving{})
	to := []netip.AddrPort{netip.AddrPortFrom(pods[0].V4, port)}
	r, err := web.Press(t.Context(), plugger, requests.Load{
		To: to, Connections: 4, Rate: 400, Duration: time.Second,
		Mix: []requests.Ask{{}, {Headers: []requests.Header{{Name: requests.StatusHeader, Value: "503"}}}, {Backends: []string{pods[1].Key.String()}}, {Status: 404, Headers: []requests.Header{{Name: requests.StatusHeader, Value: "404"}}}},
	})
	must(t, err)
	if c := r.Count; c.Right != 200 || c.Wrong["status 503"] != 100 || c.Strangers["ns/pod-0"] != 100 || c.Bad() != 200 {
		t.Errorf("%+v", r.Count)
	}
	// One that never answers, and one that nobody serves.
	quiet := listenIn(t, pods[1], 9001)
	go func() {
		for {
			c, err := quiet.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { c.Close() })
		}
	}()
	for _, c := range []struct {
		port uint16
		ok   func(requests.Count) bool
	}{
		{9001, func(c requests.Count) bool { return c.Failures[requests.TimedOut] == c.Sent && c.Sent >= 2 }},
		{9002, func(c requests.Count) bool { return c.Begun[requests.Refused] >= 2 && c.Sent == 0 && c.Bad() == 10 }},
	} {
		r, err := web.Press(t.Context(), plugger, requests.Load{To: []netip.AddrPort{netip.AddrPortFrom(pods[1].V4, c.port)}, Mix: []requests.Ask{{}}, Connections: 2, Rate: 10,
			Duration: time.Second, Timeout: 300 * time.Millisecond})
		must(t, err)
		if !c.ok(r.Count) || r.Count.Due != 10 || r.Count.Right != 0 || r.Asked() != 10 {
			t.Errorf("port %d: %+v, %g/s asked", c.port, r.Count, r.Asked())
		}
	}
}

// TestConnectionsThatEndInOrder wants a connection to be begun again at once where each answer says that it is the last: all that is due is asked by one.
func TestConnectionsThatEndInOrder(t *testing.T) {
	plugger, pods := netnstest.Pods(t, 1)
	serving(t, plugger, pods, web.Serving{})
	r, err := web.Press(t.Context(), plugger, requests.Load{
		To: []netip.AddrPort{netip.AddrPortFrom(pods[0].V4, port)}, Connections: 1, Rate: 200, Duration: time.Second,
		Mix: []requests.Ask{{Headers: []requests.Header{{Name: "Connection", Value: "close"}}}},
	})
	must(t, err)
	if r.Count.Right != 200 || r.Count.Bad() != 0 || r.Connect.N() < 200 {
		t.Errorf("%+v, %d connections were begun", r.Count, r.Connect.N())
	}
}

// TestBodyComesLater wants an answer to be of who gave it, also if other connections' answers are read between its head and its body.
func TestBodyComesLater(t *testing.T) {
	plugger, pods := netnstest.Pods(t, 1)
	listener := listenIn(t, pods[0], port)
	between := make(chan struct{}, 1000)
	serve := func(c net.Conn) {
		defer c.Close()
		in := bufio.NewReader(c)
		for {
			r, err := http.ReadRequest(in)
			if err != nil {
				return
			}
			name := r.URL.Path[1:]
			fmt.Fprintf(c, "HTTP/1.1 200 OK\r\n%s: %s\r\nContent-Length: 4\r\n\r\n", requests.BackendHeader, name)
			if name == "late" {
				<-between
			}
			fmt.Fprint(c, "body")
			if name == "soon" {
				between <- struct{}{}
			}
		}
	}
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			go serve(c)
		}
	}()
	r, err := web.Press(t.Context(), plugger, requests.Load{To: []netip.AddrPort{netip.AddrPortFrom(pods[0].V4, port)}, Connections: 4, Rate: 200, Duration: time.Second,
		Mix: []requests.Ask{{Path: "/late", Backends: []string{"late"}}, {Path: "/soon", Backends: []string{"soon"}}}})
	must(t, err)
	if r.Count.Right != 200 {
		t.Errorf("%+v", r.Count)
	}
}

// TestStallIsNotHidden stalls the only server for a while, and wants all that was due meanwhile to have waited, by when it was due. A closed
// loop hides it: it must be another number.
func TestStallIsNotHidden(t *testing.T) {
	plugger, pods := netnstest.Pods(t, 1)
	listener := listenIn(t, pods[0], port)
	const stall = 600 * time.Millisecond
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				in := make([]byte, 4096)
				for n := 0; ; n++ {
					if _, err := c.Read(in); err != nil {
						return
					}
					if n == 50 {
						time.Sleep(stall)
					}
					if _, err := io.WriteString(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n0\r\nA: b\r\n\r\n"); err != nil {
						return
					}
				}
			}()
		}
	}()
	l := requests.Load{To: []netip.AddrPort{netip.AddrPortFrom(pods[0].V4, port)}, Mix: []requests.Ask{{}}, Connections: 1, Rate: 200, Duration: 2 * time.Second}
	open, err := web.Press(t.Context(), plugger, l)
	must(t, err)
	if open.Count.Right != 400 {
		t.Fatalf("%+v", open.Count)
	}
	waited := 0 // requests that took at least half of the stall: those that were due in its first half
	h := open.All()
	for q := 0.0; q <= 1; q += 0.001 {
		if h.Quantile(q) >= stall.Seconds()/2 {
			waited++
		}
	}
	if share := float64(waited) / 1000; share < 0.10 { // 60 of 400 by the clock
		t.Errorf("%.1f %% of the requests took half of the stall, want 15 %%: it is hidden", 100*share)
	}
	l.Closed, l.Duration = true, 3*time.Second
	closed, err := web.Press(t.Context(), plugger, l)
	must(t, err)
	if closed.Count.Right != closed.Count.Due || closed.Count.Right < 60 {
		t.Errorf("closed loop: %+v", closed.Count)
	}
}

// TestLoadByTLS wants a load to agree on TLS with each connection, idle ones as well.
func TestLoadByTLS(t *testing.T) {
	plugger, pods := netnstest.Pods(t, 1)
	served := certificate(t, "a.example")
	listener := tls.NewListener(listenIn(t, pods[0], 8443), &tls.Config{GetCertificate: func(h *tls.ClientHelloInfo) (*tls.Certificate, error) {
		if h.ServerName != "a.example" {
			t.Errorf("the server was asked for %q", h.ServerName)
		}
		return served, nil
	}})
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			go answerAll(c)
		}
	}()
	r, err := web.Press(t.Context(), plugger, requests.Load{To: []netip.AddrPort{netip.AddrPortFrom(pods[0].V4, 8443)}, Mix: []requests.Ask{{Host: "a.example"}}, TLS: true,
		Connections: 5, Idle: 5, Rate: 200, Duration: time.Second})
	must(t, err)
	if r.Count.Right != 200 || r.IdleStood != 5 || r.Standing != 5 {
		t.Errorf("%+v; %d idle stood, %d stand", r.Count, r.IdleStood, r.Standing)
	}
}

func answerAll(c net.Conn) {
	defer c.Close()
	for {
		if _, err := c.Read(make([]byte, 4096)); err != nil {
			return
		}
		if _, err := io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"+string(make([]byte, 100000))); err != nil {
			return
		}
	}
}

// TestLoadThatCannotBe wants loads that can't be made to be refused.
func TestLoadThatCannotBe(t *testing.T) {
	plugger, pods := netnstest.Pods(t, 1)
	good := requests.Load{To: []netip.AddrPort{netip.AddrPortFrom(pods[0].V4, port)}, Mix: []requests.Ask{{}}, Rate: 1, Duration: time.Second}
	for name, spoil := range map[string]func(*requests.Load){
		"no rate":   func(l *requests.Load) { l.Rate = 0 },
		"nobody":    func(l *requests.Load) { l.To = nil },
		"nothing":   func(l *requests.Load) { l.Mix = nil },
		"no time":   func(l *requests.Load) { l.Duration = 0 },
		"no pod":    func(l *requests.Load) { l.From = []requests.Origin{{Pod: workloads.Key{Name: "none"}}} },
		"too many":  func(l *requests.Load) { l.Connections, l.Processes = 1<<30, 1 },
		"below one": func(l *requests.Load) { l.Connections = -1 },
	} {
		l := good
		spoil(&l)
		if _, err := web.Press(t.Context(), plugger, l); err == nil {
			t.Errorf("%s: it is not refused", name)
		}
	}
}

// TestLoadIsEndedAsItBegins wants a load whose context ends before its connections stand to say why, and no process of it to be left.
func TestLoadIsEndedAsItBegins(t *testing.T) {
	plugger, pods := netnstest.Pods(t, 1)
	listener := listenIn(t, pods[0], port)
	l := requests.Load{To: []netip.AddrPort{netip.AddrPortFrom(pods[0].V4, port)}, Mix: []requests.Ask{{}}, Connections: 4, Rate: 4, TLS: true, Duration: time.Second,
		Timeout: time.Hour, Processes: 2}
	why := errors.New("the user has had enough")
	before := descriptors(t)
	for name, end := range map[string]func(context.CancelCauseFunc){
		"at once": func(end context.CancelCauseFunc) { end(why) },
		"while TLS is agreed on": func(end context.CancelCauseFunc) {
			c, err := listener.Accept()
			must(t, err)
			end(why)
			must(t, c.Close())
		},
	} {
		ctx, cancel := context.WithCancelCause(t.Context())
		ended := make(chan struct{})
		go func() { defer close(ended); end(cancel) }()
		if name == "at once" {
			<-ended
		}
		p, err := web.Start(ctx, plugger, l)
		<-ended
		if p != nil || !errors.Is(err, why) {
			t.Errorf("%s: %v, %v", name, p, err)
		}
		if pid, err := unix.Wait4(-1, nil, unix.WNOHANG, nil); err != unix.ECHILD {
			t.Errorf("%s: process %d is left: %v", name, pid, err)
		}
		if after := descriptors(t); after != before {
			t.Errorf("%s: %d descriptors, %d before", name, after, before)
		}
	}
}
