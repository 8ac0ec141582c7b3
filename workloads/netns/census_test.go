//go:build linux

package netns

import (
	"net"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"github.com/nodefv/nodefv/workloads/kernel"
)

func census(t *testing.T) kernel.Census {
	t.Helper()
	c, err := Census(t.Context(), kernel.NFTables, os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	// They are the whole machine's, on which others run.
	delete(c, kernel.BPFMaps)
	delete(c, kernel.BPFPrograms)
	return c
}

// TestCensus puts an object of each class into a fresh namespace, wants each to be named, and nothing once they are gone.
func TestCensus(t *testing.T) {
	enterFresh(t)
	before := census(t)
	runTools(t,
		"ip link add left type veth peer name right", "ip link set left up", "ip addr add 192.0.2.1/24 dev left", "ip route add 198.51.100.0/24 dev left table 77",
		"ip rule add from 192.0.2.9 table 77", "ip neigh add 192.0.2.2 lladdr 02:00:00:00:00:01 dev left nud permanent",
		"nft add table ip t", "nft add chain ip t c", "nft add rule ip t c ip saddr 192.0.2.3 drop", "nft add set ip t s { type ipv4_addr; }", "nft add element ip t s { 192.0.2.4 }",
	)
	pipe := [2]int{}
	if err := unix.Pipe(pipe[:]); err != nil {
		t.Fatal(err)
	}
	socket, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Bind(socket, &unix.SockaddrInet4{Addr: [4]byte{192, 0, 2, 1}}); err != nil {
		t.Fatal(err)
	}
	file, err := os.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, c := range census(t).Since(before) {
		got = append(got, c.String())
	}
	for _, want := range []string{
		"left in links: left", "left in routes: 198.51.100.0/24 dev left table 77", "left in policy rules: family 2", "left in neighbours: 192.0.2.2 dev left", "left in chains: IPv4 t c",
		"left in rules: IPv4 t c: from 192.0.2.3: drop", "left in sets: IPv4 t s", "left in members of sets: IPv4 t s: 192.0.2.4", "+2 in descriptors: pipe", "left in descriptors: socket",
		"left in descriptors: " + file.Name(),
	} {
		if !slices.ContainsFunc(got, func(g string) bool { return strings.HasPrefix(g, want) }) {
			t.Errorf("no %q among\n%s", want, strings.Join(got, "\n"))
		}
	}
	for _, fd := range []int{pipe[0], pipe[1], socket} {
		_ = unix.Close(fd)
	}
	_ = file.Close()
	runTools(t, "nft delete table ip t", "ip rule del from 192.0.2.9 table 77", "ip link del left")
	if left := census(t).Since(before); len(left) > 0 {
		t.Errorf("all is gone again, but: %v", left)
	}
}

// TestCensusOfBPF makes a map and wants it to be named.
func TestCensusOfBPF(t *testing.T) {
	m, err := ebpf.NewMap(&ebpf.MapSpec{Name: "fv_census_test", Type: ebpf.Array, KeySize: 4, ValueSize: 4, MaxEntries: 1})
	if err != nil {
		t.Skipf("needs eBPF: %v", err)
	}
	defer m.Close()
	c := kernel.Census{}
	if err := countBPF(c); err != nil {
		t.Fatal(err)
	}
	for name := range c[kernel.BPFMaps] {
		if strings.HasSuffix(name, " fv_census_test") {
			return
		}
	}
	t.Errorf("the map is not among %v", c[kernel.BPFMaps])
}

// TestSocketKinds wants a socket of the process to be known by its protocol.
func TestSocketKinds(t *testing.T) {
	conn, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	c := kernel.Census{}
	if err := countProcess(c, os.Getpid()); err != nil {
		t.Fatal(err)
	}
	if c[kernel.Descriptors]["socket udp"] == 0 {
		t.Errorf("no UDP socket among %v", c[kernel.Descriptors])
	}
}
