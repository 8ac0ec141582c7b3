//go:build linux

package netns

import (
	"errors"
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/nodefv/nodefv/workloads/kernel"
)

// From linux/bpf.h.
const (
	bpfProgNextID   = 11
	bpfMapNextID    = 12
	bpfProgFromID   = 13
	bpfMapFromID    = 14
	bpfInfo         = 15
	bpfProgNameAt   = 64 // in struct bpf_prog_info
	bpfMapNameAt    = 24 // in struct bpf_map_info
	bpfNameLen      = 16
	bpfInfoLongest  = 256
	bpfAttributeLen = 24
)

// bpfKind is how one kind of eBPF object is listed.
type bpfKind struct {
	next, open, name int
}

var bpfKinds = map[kernel.Class]bpfKind{
	kernel.BPFPrograms: {bpfProgNextID, bpfProgFromID, bpfProgNameAt},
	kernel.BPFMaps:     {bpfMapNextID, bpfMapFromID, bpfMapNameAt},
}

// countBPF counts the machine's eBPF objects: they belong to no namespace. Where they can't be read, they are left out.
func countBPF(c kernel.Census) error {
	for class, k := range bpfKinds {
		names, err := k.list()
		if errors.Is(err, unix.EPERM) || errors.Is(err, unix.ENOSYS) {
			continue
		}
		if err != nil {
			return fmt.Errorf("list %s: %w", class, err)
		}
		c[class] = map[string]int{}
		for _, n := range names {
			c.Add(class, n)
		}
	}
	return nil
}

// list returns the objects' names, with their numbers.
func (k bpfKind) list() (names []string, err error) {
	for id := uint32(0); ; {
		attribute := [bpfAttributeLen / 4]uint32{id} // start_id, next_id, open_flags
		if _, err := bpf(k.next, &attribute); errors.Is(err, unix.ENOENT) {
			return names, nil
		} else if err != nil {
			return nil, err
		}
		id = attribute[1]
		name, err := k.nameOf(id)
		if errors.Is(err, unix.ENOENT) {
			continue // it went meanwhile
		}
		if err != nil {
			return nil, err
		}
		names = append(names, fmt.Sprintf("%d %s", id, name))
	}
}

func (k bpfKind) nameOf(id uint32) (string, error) {
	attribute := [bpfAttributeLen / 4]uint32{id}
	fd, err := bpf(k.open, &attribute)
	if err != nil {
		return "", err
	}
	defer unix.Close(fd)
	info := make([]byte, bpfInfoLongest)
	about := struct {
		fd, length uint32
		info       uint64
	}{uint32(fd), bpfInfoLongest, uint64(uintptr(unsafe.Pointer(&info[0])))}
	if _, _, errno := unix.Syscall(unix.SYS_BPF, bpfInfo, uintptr(unsafe.Pointer(&about)), unsafe.Sizeof(about)); errno != 0 {
		return "", errno
	}
	return unix.ByteSliceToString(info[k.name : k.name+bpfNameLen]), nil
}

func bpf(command int, attribute *[bpfAttributeLen / 4]uint32) (int, error) {
	n, _, errno := unix.Syscall(unix.SYS_BPF, uintptr(command), uintptr(unsafe.Pointer(attribute)), bpfAttributeLen)
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}
