//go:build linux

package netns

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// What a Multipath makes in the kernel, by numbers that no SUT uses which we know. The table is looked up before the
// main one, where a SUT may delete what it takes for its own.
const (
	multipathTable    = 0x6e67
	multipathPriority = 998
	multipathGroup    = 0x6e670000 // number of the group of next hops; each hop has the next ones
)

// Attributes of RTM_NEWNEXTHOP and of routes that the libraries lack.
const (
	nhaResGroup      = 12
	nhaResBuckets    = 1
	nhaResIdle       = 2
	groupResilient   = 1
	rtaNextHopID     = 30
	clockTicksSecond = 100 // USER_HZ, in which idle times are
)

const hashPolicy = "/proc/sys/net/ipv4/fib_multipath_hash_policy"

// Hop is a next hop: a pod's address and the host interface that leads to the pod.
type Hop struct {
	Via netip.Addr
	Dev string
}

// Resilient is a group of next hops in which a flow's hash names a bucket, and each bucket a hop. When the hops change,
// buckets pass on that have lost theirs, and, to a hop that has too few, those that no packet has used for the idle time
// or since they passed on last (within a tick of the kernel's clock, a packet counts for nothing).
type Resilient struct {
	Buckets uint16
	Idle    time.Duration
}

// Multipath is a route of a namespace that leads to one IPv4 address by several next hops, chosen for each packet by the
// hash of its 5-tuple.
type Multipath struct {
	conn      *conn
	to        netip.Addr
	resilient *Resilient // nil: hash-threshold
	rule      *netlink.Rule
	policy    string   // of hashes, as it was; empty: it is as it was
	made      []uint32 // numbers of next hops, the group first; only of a resilient group
}

// NewMultipath makes the route in the current namespace, with hops of equal weight in their order. With resilient, they
// are a resilient group. It must be closed in the same namespace. There can be one at a time.
func NewMultipath(to netip.Addr, hops []Hop, resilient *Resilient) (m *Multipath, err error) {
	m = &Multipath{to: to, resilient: resilient}
	defer func() {
		if err != nil {
			err = fmt.Errorf("route to %s by %d next hops: %w", to, len(hops), errors.Join(err, m.Close()))
		}
	}()
	if m.conn, err = dial(); err != nil {
		return m, err
	}
	was, err := os.ReadFile(hashPolicy)
	if err == nil {
		m.policy = strings.TrimSpace(string(was))
		err = os.WriteFile(hashPolicy, []byte("1"), 0) // by ports as well
	}
	if err != nil {
		return m, err
	}
	rule := netlink.NewRule()
	rule.Family, rule.Table, rule.Priority = netlink.FAMILY_V4, multipathTable, multipathPriority
	if err := netlink.RuleAdd(rule); err != nil && !errors.Is(err, unix.EEXIST) { // left by a driver that was killed
		return m, err
	}
	m.rule = rule
	return m, m.Set(hops)
}

// Set makes these the next hops, at once. Packets of flows that live take the hop that is theirs by now.
func (m *Multipath) Set(hops []Hop) error {
	if len(hops) == 0 {
		return errors.New("there must be a next hop")
	}
	indexes := make([]int, len(hops))
	for i, h := range hops {
		link, err := netlink.LinkByName(h.Dev)
		if err != nil {
			return fmt.Errorf("next hop %s: %w", h.Via, err)
		}
		indexes[i] = link.Attrs().Index
	}
	if m.resilient == nil {
		return m.conn.do(m.route(nextHops(hops, indexes)))
	}
	var requests []request
	for i, h := range hops {
		requests = append(requests, nextHop(indexes[i], h))
	}
	requests = append(requests, m.group(indexes))
	if len(m.made) == 0 {
		requests = append(requests, m.route(nl.NewRtAttr(rtaNextHopID, nl.Uint32Attr(multipathGroup))))
		m.made = append(m.made, multipathGroup)
	}
	for _, i := range indexes {
		if !slices.Contains(m.made, nextHopID(i)) {
			m.made = append(m.made, nextHopID(i))
		}
	}
	return m.conn.do(requests...)
}

func (m *Multipath) route(by nl.NetlinkRequestData) request {
	head := nl.NewRtMsg()
	head.Family, head.Dst_len, head.Table, head.Protocol = unix.AF_INET, 32, unix.RT_TABLE_UNSPEC, unix.RTPROT_STATIC
	return newRequest("route to "+m.to.String(), unix.RTM_NEWROUTE, replace, head, nl.NewRtAttr(unix.RTA_DST, m.to.AsSlice()),
		nl.NewRtAttr(unix.RTA_TABLE, nl.Uint32Attr(multipathTable)), by)
}

// nextHops are those of the route itself. The pods' addresses are on no subnet of the node.
func nextHops(hops []Hop, indexes []int) nl.NetlinkRequestData {
	var all []byte
	for i, h := range hops {
		hop := nl.RtNexthop{RtNexthop: unix.RtNexthop{Flags: unix.RTNH_F_ONLINK, Ifindex: int32(indexes[i])}}
		hop.Children = []nl.NetlinkRequestData{nl.NewRtAttr(unix.RTA_GATEWAY, h.Via.AsSlice())}
		all = append(all, hop.Serialize()...)
	}
	return nl.NewRtAttr(unix.RTA_MULTIPATH, all)
}

// nextHop has the number of its interface, so that it is the same hop when it comes again.
func nextHop(index int, h Hop) request {
	return newRequest("next hop "+h.Via.String(), unix.RTM_NEWNEXTHOP, replace, nextHopHead(unix.AF_INET, unix.RTPROT_STATIC, unix.RTNH_F_ONLINK),
		nl.NewRtAttr(unix.NHA_ID, nl.Uint32Attr(nextHopID(index))), nl.NewRtAttr(unix.NHA_OIF, nl.Uint32Attr(uint32(index))),
		nl.NewRtAttr(unix.NHA_GATEWAY, h.Via.AsSlice()))
}

func nextHopID(index int) uint32 { return multipathGroup + uint32(index) }

func (m *Multipath) group(indexes []int) request {
	var members []byte
	for _, i := range indexes {
		members = binary.NativeEndian.AppendUint32(members, nextHopID(i))
		members = append(members, 0, 0, 0, 0) // a weight of one
	}
	kind := nl.NewRtAttr(unix.NHA_GROUP_TYPE, nl.Uint16Attr(groupResilient))
	resilient := nl.NewRtAttr(nhaResGroup|unix.NLA_F_NESTED, nil)
	resilient.AddRtAttr(nhaResBuckets, nl.Uint16Attr(m.resilient.Buckets))
	resilient.AddRtAttr(nhaResIdle, nl.Uint32Attr(uint32(m.resilient.Idle.Seconds()*clockTicksSecond)))
	return newRequest("group of next hops", unix.RTM_NEWNEXTHOP, replace, nextHopHead(unix.AF_UNSPEC, unix.RTPROT_STATIC, 0),
		nl.NewRtAttr(unix.NHA_ID, nl.Uint32Attr(multipathGroup)), nl.NewRtAttr(unix.NHA_GROUP, members), kind, resilient)
}

// raw is a request's fixed part.
type raw []byte

func (r raw) Len() int          { return len(r) }
func (r raw) Serialize() []byte { return r }

// nextHopHead is the kernel's struct nhmsg.
func nextHopHead(family, protocol, flags int) raw {
	return binary.NativeEndian.AppendUint32(raw{byte(family), 0, byte(protocol), 0}, uint32(flags))
}

// Close removes all that the Multipath made.
func (m *Multipath) Close() (err error) {
	if m.rule != nil {
		err = netlink.RuleDel(m.rule)
	}
	if m.conn != nil {
		err = errors.Join(err, m.remove())
		m.conn.close()
	}
	if m.policy != "" {
		err = errors.Join(err, os.WriteFile(hashPolicy, []byte(m.policy), 0))
	}
	return err
}

// remove removes route and hops: all of them may have gone, with the interfaces that they lead to.
func (m *Multipath) remove() (errs error) {
	head := nl.NewRtDelMsg()
	head.Family, head.Dst_len, head.Table = unix.AF_INET, 32, unix.RT_TABLE_UNSPEC
	requests := []request{newRequest("remove route to "+m.to.String(), unix.RTM_DELROUTE, 0, head, nl.NewRtAttr(unix.RTA_DST, m.to.AsSlice()),
		nl.NewRtAttr(unix.RTA_TABLE, nl.Uint32Attr(multipathTable)))}
	for _, id := range m.made {
		requests = append(requests, newRequest("remove next hop", unix.RTM_DELNEXTHOP, 0, nextHopHead(unix.AF_UNSPEC, 0, 0), nl.NewRtAttr(unix.NHA_ID, nl.Uint32Attr(id))))
	}
	for _, r := range requests {
		if err := m.conn.do(r); err != nil && !errors.Is(err, unix.ESRCH) && !errors.Is(err, unix.ENOENT) {
			errs = errors.Join(errs, err)
		}
	}
	return errs
}

// AddAddress gives the loopback interface of the current namespace an IPv4 address more.
func AddAddress(ip netip.Addr) error {
	c, err := dial()
	if err != nil {
		return err
	}
	defer c.close()
	return c.do(addAddress(loopbackIndex, netip.PrefixFrom(ip, ip.BitLen())))
}
