package kernel

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestRules(t *testing.T) {
	for name, c := range map[string]struct{ iptables, nft, want string }{
		"conntrack": {
			`-m comment --comment "cali:x" -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT`,
			`{"match":{"op":"in","left":{"ct":{"key":"state"}},"right":["related","established"]}},{"counter":{"packets":1,"bytes":2}},{"accept":null}`,
			"ct established,related: accept",
		},
		"set and ports": {
			`-p tcp -m set --match-set cali40s:abc src -m multiport --dports 9000:9100,80 -j MARK --set-xmark 0x10000/0x10000`,
			`{"match":{"op":"==","left":{"payload":{"protocol":"ip","field":"saddr"}},"right":"@cali40s:abc"}},
			 {"match":{"op":"==","left":{"payload":{"protocol":"tcp","field":"dport"}},"right":{"set":[80,{"range":[9000,9100]}]}}},
			 {"mangle":{"key":{"meta":{"key":"mark"}},"value":{"|":[{"meta":{"key":"mark"}},65536]}}}`,
			"proto tcp, to port 80,9000-9100, from @cali40s:abc: mark +0x10000",
		},
		"address and port": {
			`-p tcp -m set --match-set cali40n:abc dst,dst -j RETURN`,
			`{"match":{"op":"==","left":{"concat":[{"payload":{"protocol":"ip","field":"daddr"}},{"meta":{"key":"l4proto"}},{"payload":{"protocol":"tcp","field":"dport"}}]},"right":"@cali40n:abc"}},{"return":null}`,
			"proto tcp, to port @cali40n:abc: return",
		},
		"not in a set": {
			`-m set ! --match-set pool dst -j DROP`,
			`{"match":{"op":"!=","left":{"payload":{"protocol":"ip","field":"daddr"}},"right":"@pool"}},{"drop":null}`,
			"not to @pool: drop",
		},
		"prefix and mark": {
			`-s 10.128.0.0/16 -m mark --mark 0x80000/0x80000 -j MARK --set-xmark 0x0/0x80000`,
			`{"match":{"op":"==","left":{"payload":{"protocol":"ip","field":"saddr"}},"right":{"prefix":{"addr":"10.128.0.0","len":16}}}},
			 {"match":{"op":"==","left":{"&":[{"meta":{"key":"mark"}},524288]},"right":524288}},
			 {"mangle":{"key":{"meta":{"key":"mark"}},"value":{"&":[{"meta":{"key":"mark"}},4294443007]}}}`,
			"from 10.128.0.0/16, mark 0x80000/0x80000: mark -0x80000",
		},
		"set and clear": {
			`-j MARK --set-xmark 0x80000/0x180000`,
			`{"mangle":{"key":{"meta":{"key":"mark"}},"value":{"|":[{"&":[{"meta":{"key":"mark"}},4293918719]},524288]}}}`,
			"mark -0x100000 +0x80000",
		},
		"jump": {
			`-i cali+ -j other`, `{"match":{"op":"==","left":{"meta":{"key":"iifname"}},"right":"cali*"}},{"jump":{"target":"other"}}`,
			"in cali*: jump other",
		},
		"goto a single address": {
			`-d 10.0.0.1/32 ! -o lo -g other`,
			`{"match":{"op":"==","left":{"payload":{"protocol":"ip","field":"daddr"}},"right":"10.0.0.1"}},
			 {"match":{"op":"!=","left":{"meta":{"key":"oifname"}},"right":"lo"}},{"goto":{"target":"other"}}`,
			"not out lo, to 10.0.0.1: goto other",
		},
		"nothing": {`-m comment --comment "cali:x"`, `{"continue":null}`, "continue"},
	} {
		t.Run(name, func(t *testing.T) {
			old, now := New(), New()
			if err := old.ReadIPTables(IPv4, strings.NewReader("*filter\n:c - [0:0]\n-A c "+c.iptables+"\nCOMMIT\n")); err != nil {
				t.Fatal(err)
			}
			if err := now.ReadNFTables(strings.NewReader(`{"nftables":[{"rule":{"family":"ip","table":"filter","chain":"c","expr":[` + c.nft + `]}}]}`)); err != nil {
				t.Fatal(err)
			}
			for tool, k := range map[string]*State{"iptables": old, "nftables": now} {
				if got := k.Chains[ID{IPv4, "filter", "c"}].Rules; len(got) != 1 || got[0].String() != c.want {
					t.Errorf("%s: got %q, want %q", tool, got, c.want)
				}
			}
		})
	}
}

func TestUnknownWordsStay(t *testing.T) {
	k := New()
	text := "*raw\n:c - [0:0]\n-A c -m rpfilter --validmark --invert -m comment --comment \"a \\\"quoted\\\" one\" -j NFLOG --nflog-group 1\nCOMMIT\n"
	if err := k.ReadIPTables(IPv6, strings.NewReader(text)); err != nil {
		t.Fatal(err)
	}
	r := k.Chains[ID{IPv6, "raw", "c"}].Rules[0]
	if got := r.String(); got != "--invert, --nflog-group 1, --validmark: jump NFLOG" || r.Comment != `a "quoted" one` {
		t.Errorf("%q, comment %q", got, r.Comment)
	}
}

func TestSets(t *testing.T) {
	k := New()
	err := k.ReadIPSets(strings.NewReader(`create a hash:net family inet hashsize 1024 maxelem 65536 bucketsize 12 initval 0x1
add a 10.0.0.1
add a 10.1.0.0/16
create b hash:ip,port family inet6 hashsize 1024 maxelem 65536
add b fd00::1,tcp:80
create c hash:net family inet hashsize 1024
`))
	if err != nil {
		t.Fatal(err)
	}
	for id, want := range map[ID][]string{{IPv4, "", "a"}: {"10.0.0.1", "10.1.0.0/16"}, {IPv6, "", "b"}: {"fd00::1 tcp 80"}, {IPv4, "", "c"}: nil} {
		if got, ok := k.Sets[id]; !ok || !slices.Equal(got.Members, want) {
			t.Errorf("%s: %v", id, got)
		}
	}
}

func TestNFTablesSetsAndMaps(t *testing.T) {
	k := New()
	err := k.ReadNFTables(strings.NewReader(`{"nftables":[{"metainfo":{"version":"1"}},{"table":{"family":"ip","name":"calico"}},
		{"set":{"family":"ip","name":"s","table":"calico","type":"ipv4_addr","elem":["10.0.0.1",{"prefix":{"addr":"10.1.0.0","len":16}},{"range":["10.2.0.1","10.2.0.3"]}]}},
		{"set":{"family":"ip6","name":"p","table":"calico","elem":[{"concat":["fd00::1","tcp",80]}]}},
		{"set":{"family":"inet","name":"foreign","table":"x","elem":["a"]}},
		{"map":{"family":"ip","name":"m","table":"calico","type":"ifname","map":"verdict","elem":[["cali1",{"goto":{"target":"c"}}]]}}]}`))
	if err != nil {
		t.Fatal(err)
	}
	if got := k.Sets[ID{IPv4, "calico", "s"}].Members; !slices.Equal(got, []string{"10.0.0.1", "10.1.0.0/16", "10.2.0.1-10.2.0.3"}) {
		t.Errorf("s %v", got)
	}
	if got := k.Sets[ID{IPv6, "calico", "p"}].Members; !slices.Equal(got, []string{"fd00::1 tcp 80"}) {
		t.Errorf("p %v", got)
	}
	if got := k.Maps[ID{IPv4, "calico", "m"}].Verdicts["cali1"]; got != "goto c" || len(k.Sets) != 2 {
		t.Errorf("m %q, %d sets", got, len(k.Sets))
	}
}

func TestBrokenDumps(t *testing.T) {
	for name, read := range map[string]func(*State) error{
		"iptables": func(s *State) error { return s.ReadIPTables(IPv4, strings.NewReader("Segmentation fault\n")) },
		"quote": func(s *State) error {
			return s.ReadIPTables(IPv4, strings.NewReader("*filter\n-A c --comment \"open\n"))
		},
		"mark":  func(s *State) error { return s.ReadIPTables(IPv4, strings.NewReader("*filter\n-A c --mark x/y\n")) },
		"ipset": func(s *State) error { return s.ReadIPSets(strings.NewReader("ipset v7.17: Kernel error\n")) },
		"cut":   func(s *State) error { return s.ReadNFTables(strings.NewReader(`{"nftables":[{"rule":`)) },
	} {
		if err := read(New()); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

const benchmarkMembers = 10_000

func BenchmarkReadIPSets(b *testing.B) {
	var text strings.Builder
	text.WriteString("create cali40s:x hash:net family inet hashsize 1024 maxelem 1048576\n")
	for i := range benchmarkMembers {
		fmt.Fprintf(&text, "add cali40s:x 10.128.%d.%d\n", i>>8, i&255)
	}
	for b.Loop() {
		k := New()
		if err := k.ReadIPSets(strings.NewReader(text.String())); err != nil || len(k.Sets[ID{IPv4, "", "cali40s:x"}].Members) != benchmarkMembers {
			b.Fatal(err)
		}
	}
}

// BenchmarkReadNFTables reads the rules of a thousand endpoints and a large set.
func BenchmarkReadNFTables(b *testing.B) {
	var text strings.Builder
	text.WriteString(`{"nftables":[{"set":{"family":"ip","name":"s","table":"calico","elem":["10.127.0.0"`)
	for i := range benchmarkMembers - 1 {
		fmt.Fprintf(&text, `,"10.128.%d.%d"`, i>>8, i&255)
	}
	text.WriteString(`]}}`)
	for i := range 16_000 {
		fmt.Fprintf(&text, `,{"rule":{"family":"ip","table":"calico","chain":"c%d","comment":"cali:x;","expr":[{"match":{"op":"==","left":{"&":[{"meta":{"key":"mark"}},131072]},"right":0}},{"counter":{"packets":0,"bytes":0}},{"jump":{"target":"x%d"}}]}}`, i/16, i/160)
	}
	text.WriteString(`]}`)
	b.SetBytes(int64(text.Len()))
	for b.Loop() {
		k := New()
		if err := k.ReadNFTables(strings.NewReader(text.String())); err != nil || len(k.Chains) != 1000 {
			b.Fatal(err)
		}
	}
}

// BenchmarkReadIPTables reads the 16,000 rules of a thousand endpoints.
func BenchmarkReadIPTables(b *testing.B) {
	var text strings.Builder
	text.WriteString("*filter\n")
	for i := range 16_000 {
		fmt.Fprintf(&text, "-A c%d -m comment --comment \"cali:x\" -m comment --comment \"End of tier\" -m mark --mark 0x0/0x20000 -j DROP\n", i/16)
	}
	for b.Loop() {
		k := New()
		if err := k.ReadIPTables(IPv4, strings.NewReader(text.String())); err != nil || len(k.Chains) != 1000 {
			b.Fatal(err)
		}
	}
}
