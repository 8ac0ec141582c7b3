//go:build linux

package impair

import (
	"encoding/binary"
	"fmt"
	"sync/atomic"
	"unsafe"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"golang.org/x/sys/unix"
)

// The layout of a rule's memory, which the kernel's programs and this process share. All are 64-bit numbers; times are of
// CLOCK_MONOTONIC in nanoseconds, and their sums wrap.
const (
	offPackets   = 8 * iota // that matched
	offBytes                // of them
	offNumbered             // that loss was decided for
	offLost                 // of them
	offLostBytes            // of them
	offEntered              // the detour
	offEnteredAt            // the sum of when
	offTaken                // out of the device by this process
	offFull                 // that the detour had no room for
	offLeft                 // the detour
	offLeftAt               // the sum of when
	offLeftBytes            // of them

	offLosses  = 128                  // the schedule
	offTimes   = offLosses + Period/8 // when the last packets entered
	memorySize = offTimes + 8*timesKept
)

const (
	room      = 16384    // packets in a detour's device at most
	timesKept = 2 * room // so that none is overwritten before it is read
)

// memory is a map of one value, which this process has mapped.
type memory struct {
	m    *ebpf.Map
	data []byte
}

func newMemory() (*memory, error) {
	m, err := ebpf.NewMap(&ebpf.MapSpec{
		Name: "impair", Type: ebpf.Array, KeySize: 4, ValueSize: memorySize, MaxEntries: 1, Flags: unix.BPF_F_MMAPABLE,
	})
	if err != nil {
		return nil, fmt.Errorf("make eBPF map: %w", err)
	}
	data, err := unix.Mmap(m.FD(), 0, memorySize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		_ = m.Close()
		return nil, fmt.Errorf("map eBPF map into memory: %w", err)
	}
	return &memory{m, data}, nil
}

func (m *memory) close() error {
	if err := unix.Munmap(m.data); err != nil {
		return fmt.Errorf("unmap eBPF map: %w", err)
	}
	return m.m.Close()
}

// pointer loads the address of an offset.
func (m *memory) pointer(register asm.Register, offset uint32) asm.Instruction {
	return asm.LoadMapValue(register, m.m.FD(), offset)
}

func (m *memory) at(offset int) *uint64 { return (*uint64)(unsafe.Pointer(&m.data[offset])) }

func (m *memory) load(offset int) uint64 { return atomic.LoadUint64(m.at(offset)) }

func (m *memory) store(offset int, value uint64) { atomic.StoreUint64(m.at(offset), value) }

// entered returns when the packet of that number entered the detour.
func (m *memory) entered(number uint64) int64 {
	return int64(m.load(offTimes + int(8*(number%timesKept))))
}

// set writes a schedule, begins to number anew, and sets all counters to zero.
func (m *memory) set(s schedule) {
	for i := 0; i < len(s); i++ {
		binary.NativeEndian.PutUint64(m.data[offLosses+8*i:], s[i])
	}
	for _, offset := range []int{offPackets, offBytes, offNumbered, offLost, offLostBytes} {
		m.store(offset, 0)
	}
}
