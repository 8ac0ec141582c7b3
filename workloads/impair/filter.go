//go:build linux

package impair

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"

	"github.com/cilium/ebpf/asm"
	"golang.org/x/net/bpf"
	corev1 "k8s.io/api/core/v1"
)

// Filter says for which packets of a link an impairment is. All that is set must match; the zero Filter matches every
// frame, ARP as well.
type Filter struct {
	Connection *Connection `json:"connection,omitempty"`
	Except     *Connection `json:"except,omitempty"` // these do not match, whatever else does
	DSCP       *uint8      `json:"dscp,omitempty"`   // the upper six bits of the traffic class
	Mark       *Mark       `json:"mark,omitempty"`   // of the packet; none outlasts the way from one namespace to another
	U32        []U32       `json:"u32,omitempty"`
	// Classic is a program of classic BPF, such as ParseClassic reads. It gets the Ethernet frame; what it returns besides
	// 0 is a match.
	Classic []bpf.RawInstruction `json:"classic,omitempty"`
	// Program is a function of eBPF. It gets the packet (struct __sk_buff) in R1; what it returns in R0 besides 0 is a
	// match. It must not have labels beginning with "impair".
	Program asm.Instructions `json:"-"`
}

// Connection is a 5-tuple as the pod sees it: both directions match one. What is zero may be anything. Only the first
// fragment of a packet has ports, and an IPv6 packet with extension headers has none.
type Connection struct {
	Protocol corev1.Protocol `json:"protocol,omitempty"` // TCP, UDP or SCTP
	Local    Endpoint        `json:"local,omitzero"`
	Remote   Endpoint        `json:"remote,omitzero"`
}

// Endpoint is an address and a port, or a range of ports; what is zero may be anything.
type Endpoint struct {
	Address netip.Addr `json:"address,omitzero"`
	Port    uint16     `json:"port,omitzero"`
	Last    uint16     `json:"last,omitzero"` // of a range that begins with Port; 0: Port alone
}

// Mark matches packets whose mark has a value under a mask.
type Mark struct {
	Value uint32 `json:"value"`
	Mask  uint32 `json:"mask"` // 0 means all bits
}

// U32 matches packets that have a value under a mask at an offset from their IP header, as `u32 match u32` of tc does.
type U32 struct {
	Value  uint32 `json:"value"` // in the order of the wire
	Mask   uint32 `json:"mask"`
	Offset uint16 `json:"offset"` // bytes
}

var protocols = map[corev1.Protocol]int32{corev1.ProtocolTCP: 6, corev1.ProtocolUDP: 17, corev1.ProtocolSCTP: 132}

func (f Filter) check() error {
	var errs []error
	errs = append(errs, f.Connection.check(), f.Except.check())
	if f.DSCP != nil && *f.DSCP > 63 {
		errs = append(errs, fmt.Errorf("filter: DSCP %d: must be at most 63", *f.DSCP))
	}
	if len(f.Classic) > 0 {
		if _, err := translate(f.Classic, "check", "check"); err != nil {
			errs = append(errs, fmt.Errorf("filter: %w", err))
		}
	}
	return errors.Join(errs...)
}

func (c *Connection) check() error {
	if c == nil {
		return nil
	}
	if c.Protocol != "" && protocols[c.Protocol] == 0 {
		return fmt.Errorf("filter: protocol %q: must be TCP, UDP or SCTP", c.Protocol)
	}
	for _, e := range []Endpoint{c.Local, c.Remote} {
		if e.Last != 0 && e.Last < e.Port {
			return fmt.Errorf("filter: ports %d to %d: the last must not be less than the first", e.Port, e.Last)
		}
	}
	return nil
}

// match goes on behind itself for packets that match, and to the label miss for others. R6 is the packet; what
// parseHeaders found is on the stack. The name is part of all its labels.
func (f Filter) match(direction Direction, name, miss string) (asm.Instructions, error) {
	var out asm.Instructions
	if f.Connection != nil {
		out = append(out, f.Connection.match(direction, miss)...)
	}
	if f.Except != nil {
		other := name + "-no-exception"
		out = append(out, f.Except.match(direction, other)...)
		// The verifier refuses what no jump leads to, and an exception that any packet is has none to the label.
		out = append(out, asm.LoadMem(asm.R0, asm.RFP, atVersion, asm.Word), asm.JEq.Imm32(asm.R0, -1, other), asm.Ja.Label(miss),
			asm.Mov.Imm(asm.R0, 0).WithSymbol(other))
	}
	if f.DSCP != nil {
		out = append(out, asm.LoadMem(asm.R0, asm.RFP, atDSCP, asm.Word), asm.JNE.Imm32(asm.R0, int32(*f.DSCP), miss))
	}
	if m := f.Mark; m != nil {
		out = append(out, asm.LoadMem(asm.R0, asm.R6, skbMark, asm.Word))
		if m.Mask != 0 {
			out = append(out, asm.And.Imm32(asm.R0, int32(m.Mask)))
		}
		out = append(out, asm.JNE.Imm32(asm.R0, int32(m.Value), miss))
	}
	for _, u := range f.U32 {
		out = append(out, asm.LoadMem(asm.R0, asm.RFP, atVersion, asm.Word), asm.JEq.Imm32(asm.R0, 0, miss))
		out = append(out, loadBytes(ethernetHeader+int32(u.Offset), atLoaded, 4)...)
		out = append(out, asm.JNE.Imm(asm.R0, 0, miss), asm.LoadMem(asm.R0, asm.RFP, atLoaded, asm.Word),
			asm.And.Imm32(asm.R0, int32(wire(u.Mask))), asm.JNE.Imm32(asm.R0, int32(wire(u.Value&u.Mask)), miss))
	}
	if len(f.Classic) > 0 {
		classic, err := translate(f.Classic, name, miss)
		if err != nil {
			return nil, err
		}
		out = append(out, classic...)
	}
	if len(f.Program) > 0 {
		out = append(out, asm.Mov.Reg(asm.R1, asm.R6), asm.Call.Label(name+"-program"), asm.JEq.Imm(asm.R0, 0, miss))
	}
	return out, nil
}

// functions returns the filter's own function, to stand behind the program.
func (f Filter) functions(name string) asm.Instructions {
	if len(f.Program) == 0 {
		return nil
	}
	out := append(asm.Instructions(nil), f.Program...)
	out[0] = out[0].WithSymbol(name + "-program")
	return out
}

func (c Connection) match(direction Direction, miss string) asm.Instructions {
	var out asm.Instructions
	if c.Protocol != "" {
		out = append(out, asm.LoadMem(asm.R0, asm.RFP, atProtocol, asm.Word), asm.JNE.Imm32(asm.R0, protocols[c.Protocol], miss))
	}
	source, target := c.Local, c.Remote
	if direction == In {
		source, target = target, source
	}
	out = append(out, source.match(atSource, atPorts, miss)...)
	return append(out, target.match(atTarget, atPorts+2, miss)...)
}

func (e Endpoint) match(address, port int16, miss string) asm.Instructions {
	var out asm.Instructions
	if e.Address.IsValid() {
		want := e.Address.As16()
		for i := int16(0); i < 16; i += 4 {
			out = append(out, asm.LoadMem(asm.R0, asm.RFP, address+i, asm.Word),
				asm.JNE.Imm32(asm.R0, int32(binary.NativeEndian.Uint32(want[i:])), miss))
		}
	}
	switch {
	case e.Last != 0:
		out = append(out, asm.LoadMem(asm.R0, asm.RFP, port, asm.Half), asm.HostTo(asm.BE, asm.R0, asm.Half),
			asm.JLT.Imm32(asm.R0, int32(e.Port), miss), asm.JGT.Imm32(asm.R0, int32(e.Last), miss))
	case e.Port != 0:
		want := binary.NativeEndian.Uint16(binary.BigEndian.AppendUint16(nil, e.Port))
		out = append(out, asm.LoadMem(asm.R0, asm.RFP, port, asm.Half), asm.JNE.Imm32(asm.R0, int32(want), miss))
	}
	return out
}

// wire returns the number that memory with the value in the order of the wire reads as.
func wire(v uint32) uint32 { return binary.NativeEndian.Uint32(binary.BigEndian.AppendUint32(nil, v)) }
