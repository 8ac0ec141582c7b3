//go:build linux

package netns

import (
	"net"
	"net/netip"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

const (
	podInterface  = "eth0"
	loopbackIndex = 1
	create        = unix.NLM_F_CREATE | unix.NLM_F_EXCL
	replace       = unix.NLM_F_CREATE | unix.NLM_F_REPLACE // so that a batch can be sent again
)

var (
	hostMAC = net.HardwareAddr{0xee, 0xee, 0xee, 0xee, 0xee, 0xee}
	// gateway4 is nobody's address: a permanent neighbour entry leads to the host interface.
	gateway4 = netip.AddrFrom4([4]byte{169, 254, 1, 1})
	// gateway6 is the link-local address that hostMAC yields.
	gateway6 = netip.MustParseAddr("fe80::ecee:eeff:feee:eeee")
)

func newRequest(what string, message, flags int, parts ...nl.NetlinkRequestData) request {
	r := request{what: what, NetlinkRequest: nl.NewNetlinkRequest(message, flags)}
	r.Data = parts
	return r
}

// createVeth makes the pair with its pod end inside the namespace at once: creating and then moving it is some twenty
// times slower.
func createVeth(host string, pod uintptr) request {
	info := nl.NewRtAttr(unix.IFLA_LINKINFO, nil)
	info.AddRtAttr(nl.IFLA_INFO_KIND, nl.NonZeroTerminated("veth"))
	peer := info.AddRtAttr(nl.IFLA_INFO_DATA, nil).AddRtAttr(nl.VETH_INFO_PEER, nil)
	nl.NewIfInfomsgChild(peer, unix.AF_UNSPEC)
	peer.AddRtAttr(unix.IFLA_IFNAME, nl.ZeroTerminated(podInterface))
	peer.AddRtAttr(unix.IFLA_NET_NS_FD, nl.Uint32Attr(uint32(pod)))
	return newRequest("create veth "+host, unix.RTM_NEWLINK, create, nl.NewIfInfomsg(unix.AF_UNSPEC),
		nl.NewRtAttr(unix.IFLA_IFNAME, nl.ZeroTerminated(host)),
		nl.NewRtAttr(unix.IFLA_ADDRESS, hostMAC), info)
}

func linkUp(what string, index int) request {
	m := nl.NewIfInfomsg(unix.AF_UNSPEC)
	m.Index, m.Flags, m.Change = int32(index), unix.IFF_UP, unix.IFF_UP
	return newRequest(what, unix.RTM_NEWLINK, 0, m)
}

// noLinkLocal keeps the kernel from generating a link-local address, which would be tentative for a second or two. It
// must come before the interface is up.
func noLinkLocal(index int) request {
	m := nl.NewIfInfomsg(unix.AF_UNSPEC)
	m.Index = int32(index)
	spec := nl.NewRtAttr(unix.IFLA_AF_SPEC, nil)
	spec.AddRtAttr(unix.AF_INET6, nil).AddRtAttr(unix.IFLA_INET6_ADDR_GEN_MODE, []byte{nl.IN6_ADDR_GEN_MODE_NONE})
	return newRequest("set IPv6 address generation", unix.RTM_NEWLINK, 0, m, spec)
}

func addAddress(index int, prefix netip.Prefix) request {
	ip := prefix.Addr()
	m := nl.NewIfAddrmsg(family(ip))
	m.Index, m.Prefixlen = uint32(index), uint8(prefix.Bits())
	if ip.Is6() {
		m.IfAddrmsg.Flags = unix.IFA_F_NODAD
		if ip.IsLinkLocalUnicast() {
			m.Scope = unix.RT_SCOPE_LINK
		}
	}
	return newRequest("add address "+prefix.String(), unix.RTM_NEWADDR, replace, m,
		nl.NewRtAttr(unix.IFA_LOCAL, ip.AsSlice()), nl.NewRtAttr(unix.IFA_ADDRESS, ip.AsSlice()))
}

func addNeighbour(index int, ip netip.Addr) request {
	m := &netlink.Ndmsg{Family: uint8(family(ip)), Index: uint32(index), State: unix.NUD_PERMANENT}
	return newRequest("add neighbour "+ip.String(), unix.RTM_NEWNEIGH, replace, m,
		nl.NewRtAttr(unix.NDA_DST, ip.AsSlice()), nl.NewRtAttr(unix.NDA_LLADDR, hostMAC))
}

func addDefaultRoute(index int, gateway netip.Addr) request {
	m := nl.NewRtMsg()
	m.Family, m.Flags = uint8(family(gateway)), unix.RTNH_F_ONLINK
	return newRequest("add default route via "+gateway.String(), unix.RTM_NEWROUTE, replace, m,
		nl.NewRtAttr(unix.RTA_GATEWAY, gateway.AsSlice()), nl.NewRtAttr(unix.RTA_OIF, nl.Uint32Attr(uint32(index))))
}

func blackhole(what string, message, flags int, prefix netip.Prefix) request {
	m := nl.NewRtMsg()
	m.Family, m.Dst_len = uint8(family(prefix.Addr())), uint8(prefix.Bits())
	m.Type, m.Protocol = unix.RTN_BLACKHOLE, unix.RTPROT_STATIC
	return newRequest(what+" blackhole route "+prefix.String(), message, flags, m,
		nl.NewRtAttr(unix.RTA_DST, prefix.Addr().AsSlice()))
}

func deleteLink(name string) request {
	return newRequest("delete link "+name, unix.RTM_DELLINK, 0, nl.NewIfInfomsg(unix.AF_UNSPEC),
		nl.NewRtAttr(unix.IFLA_IFNAME, nl.ZeroTerminated(name)))
}

func setGroup(name string, group uint32) request {
	return newRequest("set group of link "+name, unix.RTM_NEWLINK, 0, nl.NewIfInfomsg(unix.AF_UNSPEC),
		nl.NewRtAttr(unix.IFLA_IFNAME, nl.ZeroTerminated(name)), nl.NewRtAttr(unix.IFLA_GROUP, nl.Uint32Attr(group)))
}

func deleteGroup(group uint32) request {
	return newRequest("delete link group", unix.RTM_DELLINK, 0, nl.NewIfInfomsg(unix.AF_UNSPEC),
		nl.NewRtAttr(unix.IFLA_GROUP, nl.Uint32Attr(group)))
}

func getLink(name string) request {
	return newRequest("get link "+name, unix.RTM_GETLINK, unix.NLM_F_ACK, nl.NewIfInfomsg(unix.AF_UNSPEC),
		nl.NewRtAttr(unix.IFLA_IFNAME, nl.ZeroTerminated(name)))
}

func family(ip netip.Addr) int {
	if ip.Is4() {
		return unix.AF_INET
	}
	return unix.AF_INET6
}
