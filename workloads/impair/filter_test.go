//go:build linux

package impair

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"

	"github.com/cilium/ebpf/asm"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
	corev1 "k8s.io/api/core/v1"
	"pgregory.net/rapid"

	"github.com/nodefv/nodefv/workloads/netns/netnstest"
)

// udpPort8080 is `udp port 8080` as tcpdump compiles it, in the order of `tcpdump -d`.
var udpPort8080 = []bpf.Instruction{
	bpf.LoadAbsolute{Off: 12, Size: 2},
	bpf.JumpIf{Cond: bpf.JumpEqual, Val: 0x86dd, SkipFalse: 6},
	bpf.LoadAbsolute{Off: 20, Size: 1},
	bpf.JumpIf{Cond: bpf.JumpEqual, Val: 17, SkipFalse: 15},
	bpf.LoadAbsolute{Off: 54, Size: 2},
	bpf.JumpIf{Cond: bpf.JumpEqual, Val: 8080, SkipTrue: 12},
	bpf.LoadAbsolute{Off: 56, Size: 2},
	bpf.JumpIf{Cond: bpf.JumpEqual, Val: 8080, SkipTrue: 10, SkipFalse: 11},
	bpf.JumpIf{Cond: bpf.JumpEqual, Val: 0x800, SkipFalse: 10},
	bpf.LoadAbsolute{Off: 23, Size: 1},
	bpf.JumpIf{Cond: bpf.JumpEqual, Val: 17, SkipFalse: 8},
	bpf.LoadAbsolute{Off: 20, Size: 2},
	bpf.JumpIf{Cond: bpf.JumpBitsSet, Val: 0x1fff, SkipTrue: 6},
	bpf.LoadMemShift{Off: 14},
	bpf.LoadIndirect{Off: 14, Size: 2},
	bpf.JumpIf{Cond: bpf.JumpEqual, Val: 8080, SkipTrue: 2},
	bpf.LoadIndirect{Off: 16, Size: 2},
	bpf.JumpIf{Cond: bpf.JumpEqual, Val: 8080, SkipFalse: 1},
	bpf.RetConstant{Val: 262144},
	bpf.RetConstant{Val: 0},
}

// printed is what `tcpdump -ddd` prints of a filter.
func printed(t testing.TB, filter []bpf.Instruction) string {
	t.Helper()
	raw, err := bpf.Assemble(filter)
	must(t, err)
	var b strings.Builder
	fmt.Fprintln(&b, len(raw))
	for _, r := range raw {
		fmt.Fprintln(&b, r.Op, r.Jt, r.Jf, r.K)
	}
	return b.String()
}

func TestFilters(t *testing.T) {
	_, pods := netnstest.Pods(t, 2)
	classic, err := ParseClassic(printed(t, udpPort8080))
	must(t, err)
	l := openLink(t, pods[0].Namespace)
	must(t, pods[1].Do(func() error { // or the senders hear that nobody listens
		c, err := net.ListenUDP("udp", &net.UDPAddr{Port: port})
		t.Cleanup(func() { must(t, c.Close()) })
		return err
	}))
	target := Endpoint{Address: pods[1].V4, Port: port}
	dscp := func(v uint8) *uint8 { return &v }
	longer := func(than int32) asm.Instructions {
		return asm.Instructions{
			asm.LoadMem(asm.R2, asm.R1, skbLength, asm.Word), asm.Mov.Imm(asm.R0, 0),
			asm.JLE.Imm(asm.R2, than, "own-end"), asm.Mov.Imm(asm.R0, 1), asm.Return().WithSymbol("own-end"),
		}
	}
	const size = 14 + 20 + 8 + 4
	for _, c := range []struct {
		name   string
		filter Filter
		match  bool
	}{
		{"all", Filter{}, true},
		{"5-tuple", Filter{Connection: &Connection{corev1.ProtocolUDP, Endpoint{Address: pods[0].V4}, target}}, true},
		{"5-tuple, other port", Filter{Connection: &Connection{corev1.ProtocolUDP, Endpoint{}, Endpoint{Port: port + 1}}}, false},
		{"5-tuple, other address", Filter{Connection: &Connection{Remote: Endpoint{Address: pods[0].V4}}}, false},
		{"5-tuple, other protocol", Filter{Connection: &Connection{Protocol: corev1.ProtocolTCP}}, false},
		{"range of ports", Filter{Connection: &Connection{Remote: Endpoint{Port: port - 1, Last: port}}}, true},
		{"range of other ports", Filter{Connection: &Connection{Remote: Endpoint{Port: port + 1, Last: port + 2}}}, false},
		{"all but others", Filter{Except: &Connection{Remote: Endpoint{Port: port + 1}}, DSCP: dscp(46)}, true},
		{"all but it", Filter{Except: &Connection{Protocol: corev1.ProtocolUDP, Remote: Endpoint{Port: port, Last: port + 1}}, DSCP: dscp(46)}, false},
		{"all but all", Filter{Except: &Connection{}}, false},
		{"DSCP", Filter{DSCP: dscp(46)}, true},
		{"other DSCP", Filter{DSCP: dscp(0)}, false},
		{"mark", Filter{Mark: &Mark{Value: 0x80000007}}, true},
		{"mark under a mask", Filter{Mark: &Mark{Value: 0x80000000, Mask: 0xf0000000}}, true},
		{"other mark", Filter{Mark: &Mark{Value: 8}}, false},
		{"u32", Filter{U32: []U32{{Value: 0x00110000, Mask: 0x00ff0000, Offset: 8}, {Value: port, Mask: 0xffff, Offset: 20}}}, true},
		{"other u32", Filter{U32: []U32{{Value: port + 1, Mask: 0xffff, Offset: 20}}}, false},
		{"u32 beyond the packet", Filter{U32: []U32{{Offset: 100}}}, false},
		{"classic BPF", Filter{Classic: classic}, true},
		{"eBPF", Filter{Program: longer(size - 1)}, true},
		{"other eBPF", Filter{Program: longer(size)}, false},
		{"all that is set", Filter{DSCP: dscp(46), Mark: &Mark{Value: 8}}, false},
	} {
		must(t, l.Set(Impairment{Name: "filter", Filter: c.filter}))
		send(t, pods[0], target, 10)
		want := uint64(0)
		if c.match {
			want = 10
		}
		if got := report(t, l, "filter").Counters.Packets; got != want && !(c.name == "all" && got > want) { // the kernel's own frames
			t.Errorf("%s: %d of 10 packets match", c.name, got)
		}
	}
	// The first of several that match takes the packet; one of 32 is found.
	for i := range most - 1 {
		must(t, l.Set(Impairment{Name: fmt.Sprint(i), Filter: Filter{Connection: &Connection{Remote: Endpoint{Port: uint16(i + 1)}}, Classic: classic, DSCP: dscp(1)}}))
	}
	must(t, l.Set(Impairment{Name: "filter", Filter: Filter{DSCP: dscp(46)}}))
	send(t, pods[0], target, 10)
	if got := report(t, l, "filter").Counters.Packets; got != 10 {
		t.Errorf("beside %d others: %d of 10 packets match", most-1, got)
	}
	if err := l.Set(Impairment{Name: "one more"}); err == nil {
		t.Error("there are more impairments than may be")
	}
}

// send sends datagrams of four bytes with DSCP 46 and mark 0x80000007.
func send(t testing.TB, from netnstest.Pod, to Endpoint, packets int) {
	t.Helper()
	must(t, from.Do(func() error {
		c, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(netip.AddrPortFrom(to.Address, to.Port)))
		must(t, err)
		defer c.Close()
		raw, err := c.SyscallConn()
		must(t, err)
		must(t, raw.Control(func(fd uintptr) {
			must(t, unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_MARK, 0x80000007-1<<32))
			must(t, unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_TOS, 46<<2))
		}))
		for range packets {
			_, err := c.Write(make([]byte, 4))
			must(t, err)
		}
		return nil
	}))
}

func TestParseClassic(t *testing.T) {
	for _, wrong := range []string{"", "x", "2\n6 0 0 1", "1\n6 0 0", "1\n6 0 0 x", "1\n6 0 0 4294967296"} {
		if _, err := ParseClassic(wrong); err == nil {
			t.Errorf("%q was read", wrong)
		}
	}
	if got, err := ParseClassic("1,6 0 0 262144"); err != nil || len(got) != 1 || got[0].K != 262144 {
		t.Errorf("got %v, %v", got, err)
	}
}

// TestTranslation compares what drawn filters say of drawn packets with what the virtual machine of golang.org/x/net
// says.
func TestTranslation(t *testing.T) {
	netnstest.Pods(t, 0) // needs root
	rapid.Check(t, func(t *rapid.T) {
		filter := drawFilter(t)
		vm, err := bpf.NewVM(filter)
		if err != nil {
			t.Skip(err)
		}
		raw, err := bpf.Assemble(filter)
		if err != nil {
			t.Skip(err)
		}
		code, err := translate(raw, "f", "miss")
		if err != nil {
			t.Fatal(err)
		}
		code = append(asm.Instructions{asm.Mov.Reg(asm.R6, asm.R1)}, code...)
		code = append(code, verdict(1)...)
		code = append(code, asm.Mov.Imm(asm.R0, 0).WithSymbol("miss"), asm.Return())
		p, err := load("classic", code)
		if err != nil {
			if strings.Contains(err.Error(), "unreachable") {
				t.Skip(err) // of a filter that no compiler writes
			}
			t.Fatal(err)
		}
		defer p.Close()
		data := rapid.SliceOfN(rapid.Byte(), 54, 64).Draw(t, "packet") // the kernel refuses shorter ones if they say IP
		want, _ := vm.Run(data)
		got, _, err := p.Test(data)
		if err != nil {
			t.Fatal(err)
		}
		if (got != 0) != (want != 0) {
			t.Fatalf("%v of %x: got %d, want %d", filter, data, got, want)
		}
	})
}

// drawFilter draws jumps that lead forwards, and ends with what returns A.
func drawFilter(t *rapid.T) (filter []bpf.Instruction) {
	n := rapid.IntRange(1, 12).Draw(t, "length")
	register := rapid.SampledFrom([]bpf.Register{bpf.RegA, bpf.RegX})
	offset, size := rapid.Uint32Range(0, 68), rapid.SampledFrom([]int{1, 2, 4})
	value, slot := rapid.OneOf(rapid.Uint32Range(0, 300), rapid.Uint32()), rapid.IntRange(0, 15)
	op := rapid.SampledFrom([]bpf.ALUOp{bpf.ALUOpAdd, bpf.ALUOpSub, bpf.ALUOpMul, bpf.ALUOpDiv, bpf.ALUOpMod, bpf.ALUOpOr, bpf.ALUOpAnd, bpf.ALUOpXor})
	test := rapid.SampledFrom([]bpf.JumpTest{bpf.JumpEqual, bpf.JumpNotEqual, bpf.JumpGreaterThan, bpf.JumpLessThan,
		bpf.JumpGreaterOrEqual, bpf.JumpLessOrEqual, bpf.JumpBitsSet, bpf.JumpBitsNotSet})
	for i := range n {
		skip := func(name string) uint8 { return uint8(rapid.IntRange(0, n-1-i).Draw(t, name)) }
		switch rapid.IntRange(0, 11).Draw(t, "kind") {
		case 0:
			filter = append(filter, bpf.LoadConstant{Dst: register.Draw(t, "to"), Val: value.Draw(t, "value")})
		case 1:
			filter = append(filter, bpf.LoadScratch{Dst: register.Draw(t, "to"), N: slot.Draw(t, "slot")})
		case 2:
			filter = append(filter, bpf.StoreScratch{Src: register.Draw(t, "from"), N: slot.Draw(t, "slot")})
		case 3, 4:
			filter = append(filter, bpf.LoadAbsolute{Off: offset.Draw(t, "offset"), Size: size.Draw(t, "size")})
		case 5:
			// With X as a packet may have it: where the sum overflows, the virtual machine differs from the kernel.
			filter = append(filter, bpf.LoadConstant{Dst: bpf.RegX, Val: offset.Draw(t, "x")},
				bpf.LoadIndirect{Off: offset.Draw(t, "offset"), Size: size.Draw(t, "size")})
		case 6:
			filter = append(filter, bpf.LoadMemShift{Off: offset.Draw(t, "offset")})
		case 7:
			filter = append(filter, bpf.ALUOpConstant{Op: op.Draw(t, "op"), Val: max(value.Draw(t, "value"), 1)})
		case 8:
			filter = append(filter, bpf.ALUOpX{Op: op.Draw(t, "op")})
		case 9:
			filter = append(filter, []bpf.Instruction{bpf.TAX{}, bpf.TXA{}, bpf.LoadExtension{Num: bpf.ExtLen}}[rapid.IntRange(0, 2).Draw(t, "which")])
		case 10:
			filter = append(filter, bpf.JumpIf{Cond: test.Draw(t, "test"), Val: value.Draw(t, "value"), SkipTrue: skip("true"), SkipFalse: skip("false")})
		default:
			filter = append(filter, bpf.JumpIfX{Cond: test.Draw(t, "test"), SkipTrue: skip("true"), SkipFalse: skip("false")})
		}
	}
	return append(filter, bpf.RetA{})
}
