//go:build linux

package impair

import (
	"fmt"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/cilium/ebpf/asm"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"

	"github.com/nodefv/nodefv/workloads/netns"
	"github.com/nodefv/nodefv/workloads/netns/netnstest"
)

// chosen is a way to say which connection is meant, and what its socket must be given for it.
type chosen struct {
	filter Filter
	option func(fd int, on bool) error
}

// ways are all ways to choose one connection. They all know it by what is the connection's own.
func ways(t testing.TB, c talk) map[string]chosen {
	t.Helper()
	local := c.local()
	isV6, port := local.Address.Is6(), uint32(local.Port)
	transport := uint32(20)
	if isV6 {
		transport = 40
	}
	dscp, mark := uint8(46), Mark{Value: 0x70, Mask: 0xf0}
	set := func(level, name, value int) func(int, bool) error {
		return func(fd int, on bool) error {
			if !on {
				value = 0
			}
			return unix.SetsockoptInt(fd, level, name, value)
		}
	}
	class := set(unix.IPPROTO_IP, unix.IP_TOS, int(dscp)<<2)
	if isV6 {
		class = set(unix.IPPROTO_IPV6, unix.IPV6_TCLASS, int(dscp)<<2)
	}
	return map[string]chosen{
		"5-tuple": {filter: c.connection()},
		"u32":     {filter: Filter{U32: []U32{{Value: port << 16, Mask: 0xffff0000, Offset: uint16(transport)}}}},
		"classic BPF": {filter: Filter{Classic: assembled(t, []bpf.Instruction{
			bpf.LoadAbsolute{Off: ethernetHeader + transport, Size: 2},
			bpf.JumpIf{Cond: bpf.JumpEqual, Val: port, SkipFalse: 1},
			bpf.RetConstant{Val: 1 << 18},
			bpf.RetConstant{},
		})}},
		"eBPF": {filter: Filter{Program: asm.Instructions{
			asm.Mov.Imm(asm.R2, int32(ethernetHeader+transport)), asm.Mov.Reg(asm.R3, asm.RFP), asm.Add.Imm(asm.R3, -8), asm.Mov.Imm(asm.R4, 2),
			asm.FnSkbLoadBytes.Call(), asm.JNE.Imm(asm.R0, 0, "other"),
			asm.LoadMem(asm.R1, asm.RFP, -8, asm.Half), asm.HostTo(asm.BE, asm.R1, asm.Half), asm.Mov.Imm(asm.R0, 1), asm.JEq.Imm(asm.R1, int32(port), "done"),
			asm.Mov.Imm(asm.R0, 0).WithSymbol("other"), asm.Return().WithSymbol("done"),
		}}},
		"DSCP": {Filter{DSCP: &dscp}, class},
		"mark": {Filter{Mark: &mark}, set(unix.SOL_SOCKET, unix.SO_MARK, 0x73)},
	}
}

func assembled(t testing.TB, program []bpf.Instruction) []bpf.RawInstruction {
	t.Helper()
	raw, err := bpf.Assemble(program)
	must(t, err)
	return raw
}

func (c talk) setOption(t testing.TB, option func(fd int, on bool) error, on bool) {
	t.Helper()
	raw, err := c.Conn.(*net.TCPConn).SyscallConn()
	must(t, err)
	var failed error
	must(t, raw.Control(func(fd uintptr) { failed = option(int(fd), on) }))
	must(t, failed)
}

// hundred are connections between the same two pods, of which one is to be made slow.
type hundred struct {
	all  []talk
	slow int
	link *Link
}

// TestOneConnectionOfAHundred makes one connection slow, changes that and ends it, by each filter and family. The others are not
// delayed, and none breaks.
func TestOneConnectionOfAHundred(t *testing.T) {
	_, pods := netnstest.Pods(t, 2)
	before := devices(t, pods[0].Namespace)
	serve(t, pods[1].Namespace)
	h := hundred{link: nil}
	for i := range 100 {
		to := pods[1].V4
		if i%2 == 1 {
			to = pods[1].V6
		}
		h.all = append(h.all, dial(t, pods[0].Namespace, to))
	}
	for _, name := range []string{"5-tuple", "classic BPF", "eBPF", "DSCP", "mark", "u32"} {
		for family := range 2 {
			h.slow = family + 2*(len(name)%40) // of each family one, and not always the same
			t.Run(fmt.Sprintf("%s IPv%d", name, 4+2*family), func(t *testing.T) { h.oneIsSlow(t, pods[0].Namespace, ways(t, h.all[h.slow])[name]) })
		}
	}
	if after := devices(t, pods[0].Namespace); !slices.Equal(before, after) {
		t.Errorf("devices before %v, after %v", before, after)
	}
}

func (h *hundred) oneIsSlow(t *testing.T, ns *netns.Namespace, by chosen) {
	if by.option != nil {
		h.all[h.slow].setOption(t, by.option, true)
		defer h.all[h.slow].setOption(t, by.option, false)
	}
	h.link = openLink(t, ns)
	defer func() { must(t, h.link.Close()) }()
	must(t, h.link.Set(Impairment{Name: "slow", Filter: by.filter, Quality: Quality{Delay: 100 * time.Millisecond}}))
	h.delayed(t, 100*time.Millisecond)
	must(t, h.link.Change("slow", func(q *Quality) { q.Delay = 20 * time.Millisecond }))
	h.delayed(t, 20*time.Millisecond)
	must(t, h.link.Set(Impairment{Name: "back", Direction: In, Filter: h.all[h.slow].connection(), Quality: Quality{Delay: 30 * time.Millisecond}}))
	h.all[h.slow].delayed(t, 50*time.Millisecond) // both add up
	must(t, h.link.Clear("slow"))
	must(t, h.link.Clear("back"))
	for _, c := range h.all {
		c.undelayed(t, 20*time.Millisecond)
	}
}

// delayed wants rounds of the slow connection to take a delay longer than those of the others, which are not delayed. What a delay is
// at least, holds for each round. Its median may be a tenth above, if the machine lets that be seen.
func (h *hundred) delayed(t *testing.T, delay time.Duration) {
	t.Helper()
	for i, c := range h.all {
		if i != h.slow {
			c.undelayed(t, min(delay, 20*time.Millisecond))
		}
	}
	const tries, rounds = 5, 21 // a proof needs enough packets
	for try := range tries {
		var slow, others []time.Duration
		for i := range rounds {
			slow = append(slow, h.all[h.slow].round(t))
			others = append(others, h.all[(h.slow+1+i)%len(h.all)].round(t))
		}
		if least := slices.Min(slow); least < delay {
			t.Errorf("a round takes %v, not %v", least, delay)
		}
		r := report(t, h.link, "slow")
		got, noise := median(slow), median(others)
		if got <= delay+delay/10 {
			if ok, why := r.InForce(); !ok {
				t.Error(why)
			}
			if mean := r.Held.KernelDelay; mean < delay {
				t.Errorf("the kernel's mean delay is %v", mean)
			}
			return
		}
		if noise < delay/100 && r.Held.Lateness.P50 < delay/100 {
			t.Errorf("a round takes %v, asked were %v; others take %v, and the emulator is late by %v", got, delay, noise, r.Held.Lateness.P50)
			return
		}
		t.Logf("try %d: a round takes %v, others %v: this machine is too busy to say", try, got, noise)
	}
	t.Logf("not proved: the machine was too busy for a tenth of %v", delay)
}

func median(d []time.Duration) time.Duration {
	d = slices.Sorted(slices.Values(d))
	return d[len(d)/2]
}
