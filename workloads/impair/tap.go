//go:build linux

package impair

import (
	"errors"
	"fmt"
	"os"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

const (
	tunDevice = "/dev/net/tun"
	// offloads make the kernel hand over trains of segments, and packets without a checksum yet, as they are.
	offloads = unix.TUN_F_CSUM | unix.TUN_F_TSO4 | unix.TUN_F_TSO6 | unix.TUN_F_TSO_ECN | unix.TUN_F_USO4 | unix.TUN_F_USO6
)

// ends are the programs where a detour begins and ends.
type ends struct {
	programs []*ebpf.Program
	links    []link.Link
}

// newEnds attaches the programs to the devices where a rule's detour begins and ends.
func (l *Link) newEnds(r *rule, entry, exit int) (e ends, err error) {
	for _, end := range []struct {
		device int
		way    ebpf.AttachType
		make   func() (*ebpf.Program, error)
	}{
		{entry, ebpf.AttachTCXEgress, func() (*ebpf.Program, error) { return r.entering(l.mark, entry == exit) }}, // a veth pair is not read
		{exit, ebpf.AttachTCXIngress, func() (*ebpf.Program, error) { return r.leaving(l.mark, l.device.Index) }},
	} {
		program, err := end.make()
		if err != nil {
			return e, errors.Join(err, e.close())
		}
		e.programs = append(e.programs, program)
		attached, err := attachTo(l.ns, end.device, program, end.way)
		if err != nil {
			return e, errors.Join(err, e.close())
		}
		e.links = append(e.links, attached)
	}
	return e, nil
}

func (e ends) close() (err error) {
	for _, l := range e.links {
		err = errors.Join(err, l.Close())
	}
	for _, p := range e.programs {
		err = errors.Join(err, p.Close())
	}
	return err
}

// tap is a detour through this process: what is sent to its device is read here, and what is written here arrives from
// it. The device goes with its descriptor.
type tap struct {
	*channel
	emulator *emulator
	index    int
	ends     ends
}

func (l *Link) newTap(r *rule) (detour, error) { // a nil *tap would be no nil detour
	t := &tap{emulator: l.emulator}
	fd, err := l.openTap(t)
	if err != nil {
		return nil, fmt.Errorf("make detour: %w", err)
	}
	if t.ends, err = l.newEnds(r, t.index, t.index); err != nil {
		return nil, fmt.Errorf("make detour: %w", errors.Join(err, unix.Close(fd)))
	}
	t.channel = newChannel(fd, r.memory)
	l.emulator.add(t.channel)
	return t, nil
}

// openTap makes the device and brings it up.
func (l *Link) openTap(t *tap) (fd int, err error) {
	err = l.ns.Do(func() error {
		fd, err = unix.Open(tunDevice, unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
		if errors.Is(err, os.ErrNotExist) { // as in a container: /dev has it, though the device may be used
			if fd, err = makeTun(); err != nil {
				return err
			}
		}
		if err != nil {
			return fmt.Errorf("open %s: %w", tunDevice, err)
		}
		if err = t.setUp(fd, l.device.MTU); err != nil {
			return errors.Join(err, unix.Close(fd))
		}
		return nil
	})
	return fd, err
}

// makeTun opens the device by a node of its own. A container's root may be mounted so that nodes there can't be opened, while its /dev is made
// for them.
func makeTun() (fd int, err error) {
	for _, parent := range []string{"/dev", ""} {
		if fd, err = makeTunBelow(parent); err == nil {
			return fd, nil
		}
	}
	return -1, err
}

func makeTunBelow(parent string) (fd int, err error) {
	dir, err := os.MkdirTemp(parent, "tun")
	if err != nil {
		return -1, err
	}
	defer os.RemoveAll(dir)
	path := dir + "/tun"
	if err := unix.Mknod(path, unix.S_IFCHR|0o600, int(unix.Mkdev(10, 200))); err != nil {
		return -1, fmt.Errorf("make device node for tun: %w", err)
	}
	if fd, err = unix.Open(path, unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0); err != nil {
		return -1, fmt.Errorf("open a device node for tun: %w", err)
	}
	return fd, nil
}

// setUp acts in the calling thread's namespace.
func (t *tap) setUp(fd, mtu int) error {
	request, err := unix.NewIfreq(DevicePrefix + "%d")
	if err != nil {
		return err
	}
	request.SetUint16(unix.IFF_TAP | unix.IFF_NO_PI | unix.IFF_VNET_HDR)
	if err := unix.IoctlIfreq(fd, unix.TUNSETIFF, request); err != nil {
		return fmt.Errorf("make tap device: %w", err)
	}
	device, err := bringUp(request.Name(), mtu, 2*room) // which the entry never fills
	if err != nil {
		return err
	}
	t.index = device.Attrs().Index
	return nil
}

// bringUp sets up a device of ours that no address is for and that nobody but us sends to.
func bringUp(name string, mtu, queue int) (netlink.Link, error) {
	device, err := netlink.LinkByName(name)
	if err != nil {
		return nil, fmt.Errorf("find device %s: %w", name, err)
	}
	quiet := os.WriteFile("/proc/sys/net/ipv6/conf/"+name+"/disable_ipv6", []byte("1"), 0)
	if errors.Is(quiet, os.ErrNotExist) || errors.Is(quiet, unix.EROFS) { // what it says of itself is dropped anyway
		quiet = nil
	}
	for _, err := range []error{
		quiet, netlink.LinkSetARPOff(device), netlink.LinkSetMTU(device, mtu), netlink.LinkSetTxQLen(device, queue), netlink.LinkSetUp(device),
	} {
		if err != nil {
			return nil, fmt.Errorf("set up device %s: %w", name, err)
		}
	}
	return device, nil
}

func (t *tap) entry() int { return t.index }

func (t *tap) can(Quality) bool { return true }

func (t *tap) set(q Quality) error {
	wanted := offloads
	if q.whole() {
		wanted = 0
	}
	if err := unix.IoctlSetInt(t.fd, unix.TUNSETOFFLOAD, wanted); err != nil {
		return fmt.Errorf("set offloads: %w", err)
	}
	return t.emulator.change(t.channel, q)
}

func (t *tap) held() (Held, error) { return t.emulator.held(t.channel) }

func (t *tap) close() error {
	return errors.Join(t.emulator.retire(t.channel), t.ends.close(), unix.Close(t.fd))
}
