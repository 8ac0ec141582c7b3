//go:build linux

package netns

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/nodefv/nodefv/workloads/kernel"
)

// TestInterfaces sets each setting to a value of its own and expects to read just that one changed.
func TestInterfaces(t *testing.T) {
	enterFresh(t)
	noLeak(t)
	p := newPlugger(t)
	pod := plugs(1)[0]
	if err := p.Plug(t.Context(), plugs(1)); err != nil {
		t.Fatal(err)
	}
	before, err := Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	if got := before[pod.HostInterface]; !got.Up || len(got.Sysctls) != len(sysctls4)+len(sysctls6) || before["lo"].Up {
		t.Fatalf("interfaces %v", before)
	}
	for name := range before[pod.HostInterface].Sysctls {
		path := filepath.Join("/proc/sys/net", strings.ReplaceAll(strings.ReplaceAll(name, ".", "/"), "*", pod.HostInterface))
		value := "1"
		if before[pod.HostInterface].Sysctls[name] == "1" {
			value = "0"
		}
		if err := os.WriteFile(path, []byte(value), 0); err != nil {
			t.Fatal(err)
		}
		now, err := Interfaces()
		if err != nil {
			t.Fatal(err)
		}
		for other, was := range before[pod.HostInterface].Sysctls {
			want := was
			if other == name {
				want = value
			}
			if got := now[pod.HostInterface].Sysctls[other]; got != want {
				t.Errorf("%s set to %s: %s is %s, want %s", name, value, other, got, want)
			}
		}
		before = now
	}
}

func runTools(t *testing.T, commands ...string) {
	t.Helper()
	for _, c := range commands {
		args := strings.Fields(c)
		if _, err := exec.LookPath(args[0]); err != nil {
			t.Skipf("no %s here", args[0])
		}
		if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v: %s", c, err, out)
		}
	}
}

func TestProgrammed(t *testing.T) {
	for backend, c := range map[kernel.Backend]struct {
		commands  []string
		chain     kernel.ID
		set       kernel.ID
		otherwise []string
	}{
		kernel.IPTablesNFT: {[]string{"ipset create s hash:net", "ipset add s 10.0.0.1", "iptables-nft -N c", "iptables-nft -A c -m set --match-set s src -j DROP"},
			kernel.ID{Family: kernel.IPv4, Table: "filter", Name: "c"}, kernel.ID{Family: kernel.IPv4, Name: "s"}, []string{"iptables-nft-save", "ip6tables-nft-save"}},
		kernel.IPTablesLegacy: {[]string{"ipset create s hash:net", "ipset add s 10.0.0.1", "iptables-legacy -N c", "iptables-legacy -A c -m set --match-set s src -j DROP"},
			kernel.ID{Family: kernel.IPv4, Table: "filter", Name: "c"}, kernel.ID{Family: kernel.IPv4, Name: "s"}, []string{"iptables-legacy-save", "ip6tables-legacy-save"}},
		kernel.NFTables: {[]string{"nft add table ip x", "nft add set ip x s { type ipv4_addr; }", "nft add element ip x s { 10.0.0.1 }", "nft add chain ip x c", "nft add rule ip x c ip saddr @s drop"},
			kernel.ID{Family: kernel.IPv4, Table: "x", Name: "c"}, kernel.ID{Family: kernel.IPv4, Table: "x", Name: "s"}, []string{"nft"}},
	} {
		t.Run(string(backend), func(t *testing.T) {
			enterFresh(t)
			for _, tool := range c.otherwise {
				if _, err := exec.LookPath(tool); err != nil {
					t.Skipf("no %s here", tool)
				}
			}
			runTools(t, c.commands...)
			k, err := Programmed(t.Context(), backend)
			if err != nil {
				t.Fatal(err)
			}
			if got := fmt.Sprint(k.Chains[c.chain].Rules); got != "[from @s: drop]" {
				t.Errorf("rules %s of %v", got, k.Chains)
			}
			if got := k.Sets[c.set].Members; !slices.Equal(got, []string{"10.0.0.1"}) {
				t.Errorf("members %v", got)
			}
			if _, ok := k.Interfaces["lo"]; !ok || k.Sysctls["ipv4.conf.default.rp_filter"] == "" {
				t.Errorf("interfaces %v, settings %v", k.Interfaces, k.Sysctls)
			}
		})
	}
	if _, err := Programmed(t.Context(), "smoke signals"); err == nil {
		t.Error("no error for an unknown backend")
	}
}
