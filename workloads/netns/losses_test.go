//go:build linux

package netns_test

import (
	"net"
	"os/exec"
	"testing"
	"time"

	"github.com/nodefv/nodefv/workloads/netns"
	"github.com/nodefv/nodefv/workloads/netns/netnstest"
)

// TestLossesAreCounted wants what does not arrive to be what the rules say they dropped.
func TestLossesAreCounted(t *testing.T) {
	if _, err := exec.LookPath("iptables"); err != nil {
		netnstest.Lacks(t, "iptables", err)
	}
	_, pods := netnstest.Pods(t, 1)
	l, err := netns.Lose(pods[0].Namespace, "udp", 9000, 0.2)
	if err != nil {
		t.Fatal(err)
	}
	var server *net.UDPConn
	if err := pods[0].Do(func() (err error) {
		server, err = net.ListenUDP("udp4", &net.UDPAddr{Port: 9000})
		return err
	}); err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	client, err := net.DialUDP("udp4", nil, &net.UDPAddr{IP: pods[0].V4.AsSlice(), Port: 9000})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	const sent = 2000
	arrived := uint64(0)
	for range sent {
		if _, err := client.Write([]byte("!")); err != nil {
			t.Fatal(err)
		}
		_ = server.SetReadDeadline(time.Now().Add(time.Millisecond))
		if n, _ := server.Read(make([]byte, 8)); n > 0 {
			arrived++
		}
	}
	for _ = server.SetReadDeadline(time.Now().Add(100 * time.Millisecond)); ; arrived++ {
		if n, _ := server.Read(make([]byte, 8)); n == 0 {
			break
		}
	}
	seen, dropped, err := l.Count()
	if err != nil || seen != sent || dropped != sent-arrived || dropped < sent/10 || dropped > sent*3/10 {
		t.Errorf("%d arrived of %d; the rules saw %d and dropped %d; %v", arrived, sent, seen, dropped, err)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
}
