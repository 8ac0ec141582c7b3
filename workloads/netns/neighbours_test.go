//go:build linux

package netns

import (
	"encoding/binary"
	"syscall"
	"testing"

	"github.com/vishvananda/netlink/nl"
)

func TestParseNeighbourTable(t *testing.T) {
	statistics := make([]byte, ndtTableFulls+16) // a later kernel may count more
	binary.NativeEndian.PutUint64(statistics[ndtTableFulls:], 42)
	message := func(attributes ...*nl.RtAttr) syscall.NetlinkMessage {
		data := make([]byte, sizeofNdtMsg)
		for _, a := range attributes {
			data = append(data, a.Serialize()...)
		}
		return syscall.NetlinkMessage{Data: data}
	}
	name := nl.NewRtAttr(1, nl.ZeroTerminated("ndisc_cache"))
	if fulls, ok, err := parseNeighbourTable(message(name, nl.NewRtAttr(ndtaStatistics, statistics))); fulls != 42 || !ok || err != nil {
		t.Errorf("a table: got %d, %v, %v", fulls, ok, err)
	}
	if _, ok, err := parseNeighbourTable(message(name)); ok || err != nil {
		t.Errorf("an interface: got %v, %v", ok, err)
	}
	if _, _, err := parseNeighbourTable(syscall.NetlinkMessage{Data: []byte{1}}); err == nil {
		t.Error("a short message is no error")
	}
}

func TestOverflowsOfBothFamilies(t *testing.T) {
	got, err := Overflows()
	if err != nil || len(got) == 0 {
		t.Errorf("got %v, %v", got, err)
	}
}
