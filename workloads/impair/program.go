//go:build linux

package impair

import (
	"encoding/binary"
	"fmt"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"golang.org/x/sys/unix"
)

// Where things are on the programs' stack. A string of bytes has the order of the wire.
const (
	atSource   = -16 // address, 16 bytes
	atTarget   = -32
	atPorts    = -36 // source and target, two bytes each
	atProtocol = -40
	atDSCP     = -44
	atVersion  = -48 // 4, 6 or, if it is no IP packet, 0
	atHeader   = -88 // of IP, 40 bytes
	atLoaded   = -92
	atMemory   = -160 // M of classic BPF, 16 words
	atLowest   = atMemory
)

// Fields of struct __sk_buff.
const (
	skbLength   = 0
	skbMark     = 8
	skbProtocol = 16
)

const ethernetHeader = 14

// What a program on tcx decides.
const (
	verdictNext = -1 // the next program, and then the packet goes on
	verdictDrop = 2
)

// classifier makes the program of a direction: it counts the packets of each rule, loses some, and sends those that are
// to be held into the rule's detour. What comes back from there has the mark and goes on.
func classifier(direction Direction, mark uint32, rules []*rule) (*ebpf.Program, error) {
	code := asm.Instructions{
		asm.Mov.Reg(asm.R6, asm.R1),
		asm.LoadMem(asm.R0, asm.R6, skbMark, asm.Word),
		asm.JNE.Imm32(asm.R0, int32(mark), "impair-fresh"),
		asm.Mov.Imm(asm.R0, 0),
		asm.StoreMem(asm.R6, skbMark, asm.R0, asm.Word),
		asm.Ja.Label("impair-next"),
	}
	parse := parseHeaders()
	parse[0] = parse[0].WithSymbol("impair-fresh")
	code = append(code, parse...)
	var functions asm.Instructions
	for i, r := range rules {
		name := fmt.Sprintf("impair-%d", i)
		match, err := r.asked.Filter.match(direction, name, name+"-miss")
		if err != nil {
			return nil, err
		}
		// The verifier refuses what no jump leads to, so one leads to the label that never does.
		code = append(code, asm.LoadMem(asm.R0, asm.RFP, atVersion, asm.Word), asm.JEq.Imm32(asm.R0, -1, name+"-miss"))
		code = append(code, match...)
		code = append(code, r.act(name, mark)...)
		code = append(code, asm.Mov.Imm(asm.R0, 0).WithSymbol(name+"-miss"))
		functions = append(functions, r.asked.Filter.functions(name)...)
	}
	code = append(code, verdict(verdictNext)...)
	code[len(code)-2] = code[len(code)-2].WithSymbol("impair-next")
	return load("impair_"+string(direction), append(code, functions...))
}

func load(name string, code asm.Instructions) (*ebpf.Program, error) {
	p, err := ebpf.NewProgram(&ebpf.ProgramSpec{Name: name, Type: ebpf.SchedCLS, License: "Dual MIT/GPL", Instructions: code})
	if err != nil {
		return nil, fmt.Errorf("load eBPF program %s: %w", name, err)
	}
	return p, nil
}

func verdict(v int32) asm.Instructions {
	return asm.Instructions{asm.Mov.Imm(asm.R0, v), asm.Return()}
}

// loadBytes reads bytes of the packet, from its Ethernet header on, to a place on the stack. R0 is 0 unless the packet
// is shorter.
func loadBytes(offset int32, to int16, size int32) asm.Instructions {
	return asm.Instructions{
		asm.Mov.Reg(asm.R1, asm.R6), asm.Mov.Imm(asm.R2, offset), asm.Mov.Reg(asm.R3, asm.RFP), asm.Add.Imm(asm.R3, int32(to)),
		asm.Mov.Imm(asm.R4, size), asm.FnSkbLoadBytes.Call(),
	}
}

// parseHeaders puts what filters ask for onto the stack: zero where the packet has no such thing.
func parseHeaders() asm.Instructions {
	const done = "impair-parsed"
	code := asm.Instructions{asm.Mov.Imm(asm.R0, 0)}
	for at := int16(-8); at >= atLowest; at -= 8 {
		code = append(code, asm.StoreMem(asm.RFP, at, asm.R0, asm.DWord))
	}
	etherType := func(v uint16) int32 { return int32(binary.NativeEndian.Uint16(binary.BigEndian.AppendUint16(nil, v))) }
	code = append(code,
		asm.LoadMem(asm.R7, asm.R6, skbProtocol, asm.Word),
		asm.JEq.Imm32(asm.R7, etherType(unix.ETH_P_IPV6), "impair-ipv6"),
		asm.JNE.Imm32(asm.R7, etherType(unix.ETH_P_IP), done))
	code = append(code, parseIPv4(done)...)
	six := parseIPv6(done)
	six[0] = six[0].WithSymbol("impair-ipv6")
	code = append(code, six...)
	return append(code, asm.Mov.Imm(asm.R0, 0).WithSymbol(done))
}

func parseIPv4(done string) asm.Instructions {
	code := append(loadBytes(ethernetHeader, atHeader, 20), asm.JNE.Imm(asm.R0, 0, done),
		asm.StoreImm(asm.RFP, atVersion, 4, asm.Word),
		asm.LoadMem(asm.R0, asm.RFP, atHeader+1, asm.Byte), asm.RSh.Imm(asm.R0, 2), asm.StoreMem(asm.RFP, atDSCP, asm.R0, asm.Word),
		asm.LoadMem(asm.R0, asm.RFP, atHeader+9, asm.Byte), asm.StoreMem(asm.RFP, atProtocol, asm.R0, asm.Word))
	for _, a := range []struct{ from, to int16 }{{atHeader + 12, atSource}, {atHeader + 16, atTarget}} {
		code = append(code, asm.StoreImm(asm.RFP, a.to+8, int64(int32(wire(0xffff))), asm.Word), // as IPv6 has it
			asm.LoadMem(asm.R0, asm.RFP, a.from, asm.Word), asm.StoreMem(asm.RFP, a.to+12, asm.R0, asm.Word))
	}
	return append(code,
		asm.LoadMem(asm.R0, asm.RFP, atHeader+6, asm.Half), asm.HostTo(asm.BE, asm.R0, asm.Half), asm.And.Imm(asm.R0, 0x1fff),
		asm.JNE.Imm(asm.R0, 0, done), // a later fragment
		asm.LoadMem(asm.R2, asm.RFP, atHeader, asm.Byte), asm.And.Imm(asm.R2, 0xf), asm.LSh.Imm(asm.R2, 2), asm.Add.Imm(asm.R2, ethernetHeader),
		asm.Mov.Reg(asm.R1, asm.R6), asm.Mov.Reg(asm.R3, asm.RFP), asm.Add.Imm(asm.R3, atPorts), asm.Mov.Imm(asm.R4, 4),
		asm.FnSkbLoadBytes.Call(), asm.Ja.Label(done))
}

func parseIPv6(done string) asm.Instructions {
	code := append(loadBytes(ethernetHeader, atHeader, 40), asm.JNE.Imm(asm.R0, 0, done),
		asm.StoreImm(asm.RFP, atVersion, 6, asm.Word),
		asm.LoadMem(asm.R0, asm.RFP, atHeader, asm.Half), asm.HostTo(asm.BE, asm.R0, asm.Half), asm.RSh.Imm(asm.R0, 6), asm.And.Imm(asm.R0, 0x3f),
		asm.StoreMem(asm.RFP, atDSCP, asm.R0, asm.Word),
		asm.LoadMem(asm.R0, asm.RFP, atHeader+6, asm.Byte), asm.StoreMem(asm.RFP, atProtocol, asm.R0, asm.Word))
	for i := int16(0); i < 16; i += 4 {
		code = append(code,
			asm.LoadMem(asm.R0, asm.RFP, atHeader+8+i, asm.Word), asm.StoreMem(asm.RFP, atSource+i, asm.R0, asm.Word),
			asm.LoadMem(asm.R0, asm.RFP, atHeader+24+i, asm.Word), asm.StoreMem(asm.RFP, atTarget+i, asm.R0, asm.Word))
	}
	return append(code, loadBytes(ethernetHeader+40, atPorts, 4)...)
}

// act counts a packet that matched, and decides.
func (r *rule) act(name string, mark uint32) asm.Instructions {
	code := asm.Instructions{
		r.memory.pointer(asm.R7, 0),
		asm.LoadMem(asm.R8, asm.R6, skbLength, asm.Word),
	}
	code = append(code, add(offPackets, 1)...)
	code = append(code, asm.AddAtomic.Mem(asm.R7, asm.R8, asm.DWord, offBytes))
	if r.schedule != nil {
		code = append(code, r.lose(name)...)
	}
	if r.detour == nil {
		return append(code, verdict(verdictNext)...)
	}
	return append(code, asm.Mov.Imm32(asm.R0, int32(mark)), asm.StoreMem(asm.R6, skbMark, asm.R0, asm.Word),
		asm.Mov.Imm(asm.R1, int32(r.detour.entry())), asm.Mov.Imm(asm.R2, 0), asm.FnRedirect.Call(), asm.Return())
}

// add adds to a counter of the rule that R7 points to.
func add(offset int16, n int32) asm.Instructions {
	return asm.Instructions{asm.Mov.Imm(asm.R1, n), asm.AddAtomic.Mem(asm.R7, asm.R1, asm.DWord, offset)}
}

// fetchAdd adds one to a counter of the rule that R7 points to, and leaves in R1 what it was.
func fetchAdd(offset int16) asm.Instructions {
	add := asm.FetchAdd.Mem(asm.R7, asm.R1, asm.DWord, offset)
	add.Constant = int64(asm.FetchAdd >> 8) // without it cilium/ebpf v0.22.0 encodes an addition that fetches nothing
	return asm.Instructions{asm.Mov.Imm(asm.R1, 1), add}
}

// lose numbers the packet and loses it if the schedule says so.
func (r *rule) lose(name string) asm.Instructions {
	kept := name + "-kept"
	code := fetchAdd(offNumbered)
	if r.asked.Loss.once() {
		code = append(code, asm.JGE.Imm(asm.R1, Period, kept))
	}
	code = append(code,
		asm.Mov.Reg(asm.R2, asm.R1), asm.RSh.Imm(asm.R2, 6), asm.And.Imm(asm.R2, Period/64-1), asm.LSh.Imm(asm.R2, 3),
		r.memory.pointer(asm.R3, offLosses), asm.Add.Reg(asm.R3, asm.R2), asm.LoadMem(asm.R3, asm.R3, 0, asm.DWord),
		asm.And.Imm(asm.R1, 63), asm.RSh.Reg(asm.R3, asm.R1), asm.And.Imm(asm.R3, 1), asm.JEq.Imm(asm.R3, 0, kept))
	code = append(code, add(offLost, 1)...)
	code = append(code, asm.AddAtomic.Mem(asm.R7, asm.R8, asm.DWord, offLostBytes))
	// To send it to no device loses it as a network does. Had we dropped it, the kernel would tell the sender: TCP then
	// does not take it for sent, so that it neither counts nor behaves as after a loss.
	code = append(code, asm.Mov.Imm(asm.R1, 0), asm.Mov.Imm(asm.R2, 0), asm.FnRedirect.Call(), asm.Return())
	return append(code, asm.Mov.Imm(asm.R0, 0).WithSymbol(kept))
}

// entering makes the program where a detour begins: it notes when each packet came, and drops what nobody sent there
// and, of a device that this process reads, what has no room in it.
func (r *rule) entering(mark uint32, isRead bool) (*ebpf.Program, error) {
	taken := asm.LoadMem(asm.R2, asm.R7, offTaken, asm.DWord)
	if !isRead {
		taken = asm.Mov.Reg(asm.R2, asm.R1)
	}
	code := asm.Instructions{
		asm.LoadMem(asm.R0, asm.R1, skbMark, asm.Word),
		asm.JNE.Imm32(asm.R0, int32(mark), "impair-drop"),
		r.memory.pointer(asm.R7, 0),
		asm.LoadMem(asm.R1, asm.R7, offEntered, asm.DWord),
		taken,
		asm.Sub.Reg(asm.R1, asm.R2),
		asm.JSGE.Imm(asm.R1, room, "impair-full"), // signed: see channel.catchUp
		asm.FnKtimeGetNs.Call(),
	}
	code = append(code, fetchAdd(offEntered)...)
	code = append(code,
		asm.And.Imm(asm.R1, timesKept-1), asm.LSh.Imm(asm.R1, 3),
		r.memory.pointer(asm.R3, offTimes), asm.Add.Reg(asm.R3, asm.R1), asm.StoreMem(asm.R3, 0, asm.R0, asm.DWord),
		asm.AddAtomic.Mem(asm.R7, asm.R0, asm.DWord, offEnteredAt))
	code = append(code, verdict(verdictNext)...)
	full := add(offFull, 1)
	full[0] = full[0].WithSymbol("impair-full")
	code = append(code, full...)
	code = append(code, verdict(verdictDrop)...)
	code[len(code)-2] = code[len(code)-2].WithSymbol("impair-drop")
	return load("impair_enter", code)
}

// leaving makes the program where a detour ends: it counts each packet, and puts it back where it was taken from.
func (r *rule) leaving(mark uint32, device int) (*ebpf.Program, error) {
	back := int32(0)
	if r.asked.Direction == In {
		back = 1 // BPF_F_INGRESS
	}
	return load("impair_leave", asm.Instructions{
		asm.Mov.Reg(asm.R6, asm.R1),
		r.memory.pointer(asm.R7, 0),
		asm.FnKtimeGetNs.Call(),
		asm.AddAtomic.Mem(asm.R7, asm.R0, asm.DWord, offLeftAt),
		asm.Mov.Imm(asm.R1, 1),
		asm.AddAtomic.Mem(asm.R7, asm.R1, asm.DWord, offLeft),
		asm.LoadMem(asm.R1, asm.R6, skbLength, asm.Word),
		asm.AddAtomic.Mem(asm.R7, asm.R1, asm.DWord, offLeftBytes),
		asm.Mov.Imm32(asm.R0, int32(mark)), asm.StoreMem(asm.R6, skbMark, asm.R0, asm.Word),
		asm.Mov.Imm(asm.R1, int32(device)), asm.Mov.Imm(asm.R2, back), asm.FnRedirect.Call(), asm.Return(),
	})
}
