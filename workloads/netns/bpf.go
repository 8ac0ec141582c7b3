//go:build linux

package netns

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"github.com/nodefv/nodefv/workloads/kernel"
)

// bpfKind is how one kind of eBPF object is listed.
type bpfKind struct {
	next   func(after uint32) (uint32, error)
	nameOf func(uint32) (string, error)
}

var bpfKinds = map[kernel.Class]bpfKind{
	kernel.BPFPrograms: {
		next: func(after uint32) (uint32, error) {
			id, err := ebpf.ProgramGetNextID(ebpf.ProgramID(after))
			return uint32(id), err
		},
		nameOf: func(id uint32) (string, error) {
			p, err := ebpf.NewProgramFromID(ebpf.ProgramID(id))
			if err != nil {
				return "", err
			}
			defer p.Close()
			info, err := p.Info()
			if err != nil {
				return "", err
			}
			return info.Name, nil
		},
	},
	kernel.BPFMaps: {
		next: func(after uint32) (uint32, error) {
			id, err := ebpf.MapGetNextID(ebpf.MapID(after))
			return uint32(id), err
		},
		nameOf: func(id uint32) (string, error) {
			m, err := ebpf.NewMapFromID(ebpf.MapID(id))
			if err != nil {
				return "", err
			}
			defer m.Close()
			info, err := m.Info()
			if err != nil {
				return "", err
			}
			return info.Name, nil
		},
	},
}

// countBPF counts the machine's eBPF objects: they belong to no namespace. Where they can't be read, they are left out.
func countBPF(c kernel.Census) error {
	for class, k := range bpfKinds {
		names, err := k.list()
		if errors.Is(err, unix.EPERM) || errors.Is(err, unix.ENOSYS) || errors.Is(err, ebpf.ErrNotSupported) {
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
		if id, err = k.next(id); errors.Is(err, fs.ErrNotExist) {
			return names, nil
		} else if err != nil {
			return nil, err
		}
		name, err := k.nameOf(id)
		if errors.Is(err, fs.ErrNotExist) {
			continue // it went meanwhile
		}
		if err != nil {
			return nil, err
		}
		names = append(names, fmt.Sprintf("%d %s", id, name))
	}
}
