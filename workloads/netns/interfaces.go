//go:build linux

package netns

import (
	"encoding/binary"
	"fmt"
	"strconv"
	"syscall"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/nodefv/nodefv/workloads/kernel"
)

// Where the kernel keeps settings in its array of them for each interface (enum IPV4_DEVCONF_* less one, DEVCONF_*).
var (
	sysctls4 = map[string]int{
		"ipv4.conf.*.forwarding": 0, "ipv4.conf.*.proxy_arp": 2, "ipv4.conf.*.rp_filter": 7, "ipv4.conf.*.route_localnet": 25,
	}
	sysctls6 = map[string]int{"ipv6.conf.*.forwarding": 0, "ipv6.conf.*.accept_ra": 3, "ipv6.conf.*.proxy_ndp": 22}
)

const (
	inetConf  = 1 // IFLA_INET_CONF
	inet6Conf = 2 // IFLA_INET6_CONF
)

// Interfaces returns the current namespace's interfaces with the settings that a network agent makes. It costs one dump: a
// file of /proc/sys for each setting of each interface would cost thousands of system calls.
func Interfaces() (map[string]kernel.Interface, error) {
	c, err := dial()
	if err != nil {
		return nil, fmt.Errorf("list interfaces: %w", err)
	}
	defer c.close()
	interfaces := map[string]kernel.Interface{}
	r := newRequest("dump interfaces", unix.RTM_GETLINK, unix.NLM_F_DUMP, nl.NewIfInfomsg(unix.AF_UNSPEC),
		nl.NewRtAttr(unix.IFLA_EXT_MASK, nl.Uint32Attr(skipStatistics)))
	err = c.dump(r, func(m syscall.NetlinkMessage) error {
		name, i, err := parseInterface(m)
		interfaces[name] = i
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list interfaces: %w", err)
	}
	return interfaces, nil
}

func parseInterface(m syscall.NetlinkMessage) (name string, i kernel.Interface, err error) {
	if len(m.Data) < unix.SizeofIfInfomsg {
		return "", i, fmt.Errorf("parse interface: %w", errShort)
	}
	i = kernel.Interface{Up: nl.DeserializeIfInfomsg(m.Data).Flags&unix.IFF_UP != 0, Sysctls: map[string]string{}}
	attributes, err := nl.ParseRouteAttr(m.Data[unix.SizeofIfInfomsg:])
	if err != nil {
		return "", i, fmt.Errorf("parse interface: %w", err)
	}
	for _, a := range attributes {
		switch a.Attr.Type {
		case unix.IFLA_IFNAME:
			name = unix.ByteSliceToString(a.Value)
		case unix.IFLA_AF_SPEC:
			err = readSysctls(a.Value, i.Sysctls)
		}
	}
	return name, i, err
}

// readSysctls reads the settings of both families, which are nested two deep.
func readSysctls(spec []byte, into map[string]string) error {
	families, err := nl.ParseRouteAttr(spec)
	if err != nil {
		return fmt.Errorf("parse settings: %w", err)
	}
	for _, f := range families {
		wanted, holder := map[string]int(nil), uint16(0)
		switch f.Attr.Type {
		case unix.AF_INET:
			wanted, holder = sysctls4, inetConf
		case unix.AF_INET6:
			wanted, holder = sysctls6, inet6Conf
		}
		inner, err := nl.ParseRouteAttr(f.Value)
		if err != nil {
			return fmt.Errorf("parse settings: %w", err)
		}
		for _, a := range inner {
			if a.Attr.Type != holder {
				continue
			}
			for name, at := range wanted {
				if len(a.Value) >= 4*(at+1) {
					into[name] = strconv.Itoa(int(int32(binary.NativeEndian.Uint32(a.Value[4*at:]))))
				}
			}
		}
	}
	return nil
}
