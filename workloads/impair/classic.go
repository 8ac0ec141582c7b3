//go:build linux

package impair

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/cilium/ebpf/asm"
	"golang.org/x/net/bpf"
)

// ParseClassic reads a filter of classic BPF as `tcpdump -ddd EXPRESSION` prints it: the number of instructions, and for
// each a line with its four numbers. It must be compiled for Ethernet, as with `tcpdump -i eth0`, or -y EN10MB.
func ParseClassic(text string) ([]bpf.RawInstruction, error) {
	lines := strings.FieldsFunc(text, func(r rune) bool { return r == '\n' || r == ',' }) // iptables separates them by commas
	if len(lines) == 0 {
		return nil, fmt.Errorf("read a classic BPF filter: it is empty; print one with `tcpdump -ddd`")
	}
	count, err := strconv.Atoi(strings.TrimSpace(lines[0]))
	if err != nil || count != len(lines)-1 || count == 0 {
		return nil, fmt.Errorf("read a classic BPF filter: the first line must be the number of those that follow, %d; print one with `tcpdump -ddd`",
			len(lines)-1)
	}
	var filter []bpf.RawInstruction
	for i, line := range lines[1:] {
		var op, jt, jf, k uint64
		fields := strings.Fields(line)
		for j, field := range []*uint64{&op, &jt, &jf, &k} {
			if len(fields) != 4 {
				err = fmt.Errorf("%d numbers, not four", len(fields))
			} else if *field, err = strconv.ParseUint(fields[j], 10, []int{16, 8, 8, 32}[j]); err == nil {
				continue
			}
			return nil, fmt.Errorf("read a classic BPF filter: instruction %d: %q: %w", i, line, err)
		}
		filter = append(filter, bpf.RawInstruction{Op: uint16(op), Jt: uint8(jt), Jf: uint8(jf), K: uint32(k)})
	}
	return filter, nil
}

// Of a translated filter, R7 is A and R8 is X, both of 32 bits; M is on the stack.
const regA, regX = asm.R7, asm.R8

// translate makes eBPF of classic BPF. It goes on behind itself for packets that match, and to the label miss for
// others. A load from beyond the packet is a miss, as in classic BPF.
func translate(filter []bpf.RawInstruction, name, miss string) (asm.Instructions, error) {
	label := func(i int) string { return fmt.Sprintf("%s-classic-%d", name, i) }
	end := name + "-classic-end"
	out := asm.Instructions{asm.Mov.Imm32(regA, 0), asm.Mov.Imm32(regX, 0)}
	for slot := range int16(16) {
		out = append(out, asm.StoreImm(asm.RFP, atMemory+4*slot, 0, asm.Word))
	}
	for i, raw := range filter {
		one, err := translateOne(raw.Disassemble(), i, len(filter), label, miss, end)
		if err != nil {
			return nil, fmt.Errorf("classic BPF, instruction %d: %w", i, err)
		}
		one[0] = one[0].WithSymbol(label(i))
		out = append(out, one...)
	}
	// A jump must not lead behind the last instruction; a label needs one that does nothing.
	return append(out, asm.Mov.Imm(asm.R0, 0).WithSymbol(end)), nil
}

func translateOne(ins bpf.Instruction, at, count int, label func(int) string, miss, end string) (asm.Instructions, error) {
	register := func(r bpf.Register) asm.Register {
		if r == bpf.RegX {
			return regX
		}
		return regA
	}
	to := func(skip uint32) (string, error) {
		if next := uint64(at) + 1 + uint64(skip); next < uint64(count) {
			return label(int(next)), nil
		}
		return "", fmt.Errorf("jumps behind the last one")
	}
	slot := func(n int) int16 { return atMemory + 4*int16(n) }
	switch i := ins.(type) {
	case bpf.LoadConstant:
		return asm.Instructions{asm.Mov.Imm32(register(i.Dst), int32(i.Val))}, nil
	case bpf.LoadScratch:
		return asm.Instructions{asm.LoadMem(register(i.Dst), asm.RFP, slot(i.N), asm.Word)}, nil
	case bpf.StoreScratch:
		return asm.Instructions{asm.StoreMem(asm.RFP, slot(i.N), register(i.Src), asm.Word)}, nil
	case bpf.LoadAbsolute:
		return loadPacket(asm.Instructions{asm.Mov.Imm32(asm.R2, int32(i.Off))}, i.Size, miss)
	case bpf.LoadIndirect:
		return loadPacket(asm.Instructions{asm.Mov.Reg32(asm.R2, regX), asm.Add.Imm32(asm.R2, int32(i.Off))}, i.Size, miss)
	case bpf.LoadMemShift:
		load, err := loadPacket(asm.Instructions{asm.Mov.Reg32(asm.R9, regA), asm.Mov.Imm32(asm.R2, int32(i.Off))}, 1, miss)
		return append(load, asm.And.Imm32(regA, 0xf), asm.LSh.Imm32(regA, 2), asm.Mov.Reg32(regX, regA), asm.Mov.Reg32(regA, asm.R9)), err
	case bpf.LoadExtension:
		if i.Num != bpf.ExtLen {
			return nil, fmt.Errorf("%v: only the packet's length is supported of the extensions", i)
		}
		return asm.Instructions{asm.LoadMem(regA, asm.R6, skbLength, asm.Word)}, nil
	case bpf.ALUOpConstant:
		return arithmetic(i.Op, asm.Instructions{asm.Mov.Imm32(asm.R0, int32(i.Val))}, miss)
	case bpf.ALUOpX:
		return arithmetic(i.Op, asm.Instructions{asm.Mov.Reg32(asm.R0, regX)}, miss)
	case bpf.NegateA:
		return asm.Instructions{asm.Neg.Imm32(regA, 0)}, nil
	case bpf.TAX:
		return asm.Instructions{asm.Mov.Reg32(regX, regA)}, nil
	case bpf.TXA:
		return asm.Instructions{asm.Mov.Reg32(regA, regX)}, nil
	case bpf.Jump:
		next, err := to(i.Skip)
		return asm.Instructions{asm.Ja.Label(next)}, err
	case bpf.JumpIf:
		return jump(i.Cond, asm.Instructions{asm.Mov.Imm32(asm.R0, int32(i.Val))}, i.SkipTrue, i.SkipFalse, to)
	case bpf.JumpIfX:
		return jump(i.Cond, asm.Instructions{asm.Mov.Reg32(asm.R0, regX)}, i.SkipTrue, i.SkipFalse, to)
	case bpf.RetConstant:
		// A condition that always holds: the verifier refuses what no jump leads to, such as what stands behind a filter that
		// never matches.
		return asm.Instructions{asm.Mov.Imm32(asm.R0, int32(i.Val)), asm.JEq.Imm32(asm.R0, 0, miss), asm.JNE.Imm32(asm.R0, 0, end)}, nil
	case bpf.RetA:
		return asm.Instructions{asm.JEq.Imm32(regA, 0, miss), asm.Ja.Label(end)}, nil
	}
	return nil, fmt.Errorf("%v is not supported", ins)
}

// loadPacket reads one, two or four bytes of the packet into A, at the offset that the first instructions put into R2.
func loadPacket(offset asm.Instructions, size int, miss string) (asm.Instructions, error) {
	width, ok := map[int]asm.Size{1: asm.Byte, 2: asm.Half, 4: asm.Word}[size]
	if !ok {
		return nil, fmt.Errorf("a load of %d bytes", size)
	}
	out := append(offset, asm.Mov.Reg(asm.R1, asm.R6), asm.Mov.Reg(asm.R3, asm.RFP), asm.Add.Imm(asm.R3, int32(atLoaded)),
		asm.Mov.Imm(asm.R4, int32(size)), asm.FnSkbLoadBytes.Call(), asm.JNE.Imm(asm.R0, 0, miss),
		asm.LoadMem(regA, asm.RFP, atLoaded, width))
	if size > 1 {
		out = append(out, asm.HostTo(asm.BE, regA, width))
	}
	return out, nil
}

// arithmetic applies an operation to A and what the first instructions put into R0. A division by zero is a miss.
func arithmetic(op bpf.ALUOp, operand asm.Instructions, miss string) (asm.Instructions, error) {
	known := map[bpf.ALUOp]asm.ALUOp{
		bpf.ALUOpAdd: asm.Add, bpf.ALUOpSub: asm.Sub, bpf.ALUOpMul: asm.Mul, bpf.ALUOpDiv: asm.Div, bpf.ALUOpMod: asm.Mod,
		bpf.ALUOpOr: asm.Or, bpf.ALUOpAnd: asm.And, bpf.ALUOpXor: asm.Xor, bpf.ALUOpShiftLeft: asm.LSh, bpf.ALUOpShiftRight: asm.RSh,
	}
	do, ok := known[op]
	if !ok {
		return nil, fmt.Errorf("operation %d is not supported", op)
	}
	if op == bpf.ALUOpDiv || op == bpf.ALUOpMod {
		operand = append(operand, asm.JEq.Imm32(asm.R0, 0, miss))
	}
	return append(operand, do.Reg32(regA, asm.R0)), nil
}

// jump compares A with what the first instructions put into R0.
func jump(cond bpf.JumpTest, operand asm.Instructions, yes, no uint8, to func(uint32) (string, error)) (asm.Instructions, error) {
	switch cond { // what eBPF lacks is the opposite of what it has
	case bpf.JumpNotEqual, bpf.JumpLessThan, bpf.JumpLessOrEqual, bpf.JumpBitsNotSet:
		yes, no = no, yes
	}
	known := map[bpf.JumpTest]asm.JumpOp{
		bpf.JumpEqual: asm.JEq, bpf.JumpNotEqual: asm.JEq, bpf.JumpGreaterThan: asm.JGT, bpf.JumpLessOrEqual: asm.JGT,
		bpf.JumpGreaterOrEqual: asm.JGE, bpf.JumpLessThan: asm.JGE, bpf.JumpBitsSet: asm.JSet, bpf.JumpBitsNotSet: asm.JSet,
	}
	whenTrue, err := to(uint32(yes))
	if err != nil {
		return nil, err
	}
	whenFalse, err := to(uint32(no))
	return append(operand, known[cond].Reg32(regA, asm.R0, whenTrue), asm.Ja.Label(whenFalse)), err
}
