//go:build linux

package netns

import (
	"encoding/binary"
	"errors"
	"fmt"
	"syscall"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// From linux/neighbour.h.
const (
	sizeofNdtMsg   = 4
	ndtaStatistics = 7
	// ndtTableFulls is where in struct ndt_stats the kernel counts the neighbours that it could not take in.
	ndtTableFulls = 10 * 8
)

// neighbourMessage is struct ndtmsg.
type neighbourMessage struct{ family uint8 }

func (m neighbourMessage) Len() int          { return sizeofNdtMsg }
func (m neighbourMessage) Serialize() []byte { return []byte{m.family, 0, 0, 0} }

// Overflows returns how often, since it was booted, the kernel had no room for another neighbour, by the setting that limits it. A packet
// to that neighbour is lost. All network namespaces of the machine share a table for each family.
func Overflows() (map[string]uint64, error) {
	c, err := dial()
	if err != nil {
		return nil, fmt.Errorf("read neighbour tables: %w", err)
	}
	defer c.close()
	overflows := map[string]uint64{}
	for family, setting := range map[uint8]string{unix.AF_INET: "net.ipv4.neigh.default.gc_thresh3", unix.AF_INET6: "net.ipv6.neigh.default.gc_thresh3"} {
		err := c.dump(newRequest("dump neighbour tables", unix.RTM_GETNEIGHTBL, unix.NLM_F_DUMP, neighbourMessage{family}), func(m syscall.NetlinkMessage) error {
			fulls, ok, err := parseNeighbourTable(m)
			if ok {
				overflows[setting] = fulls
			}
			return err
		})
		if err != nil && !errors.Is(err, unix.EAFNOSUPPORT) {
			return nil, fmt.Errorf("read neighbour tables: %w", err)
		}
	}
	return overflows, nil
}

// parseNeighbourTable reads how often a table was full; false for the messages on single interfaces, which have no statistics.
func parseNeighbourTable(m syscall.NetlinkMessage) (fulls uint64, ok bool, err error) {
	if len(m.Data) < sizeofNdtMsg {
		return 0, false, errShort
	}
	attributes, err := nl.ParseRouteAttr(m.Data[sizeofNdtMsg:])
	if err != nil {
		return 0, false, err
	}
	for _, a := range attributes {
		if a.Attr.Type == ndtaStatistics && len(a.Value) >= ndtTableFulls+8 {
			return binary.NativeEndian.Uint64(a.Value[ndtTableFulls:]), true, nil
		}
	}
	return 0, false, nil
}
