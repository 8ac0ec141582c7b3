//go:build linux

package impair

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"strings"
	"time"

	"github.com/florianl/go-tc"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// longestClose bounds how long the end of a detour waits for packets that netem holds.
const longestClose = 2 * time.Second

// DevicePrefix begins the names of the devices that we make in pods' namespaces.
const DevicePrefix = "impair"

// sweep removes devices of detours whose process was killed, from the calling thread's namespace. A tap went with it.
func sweep() error {
	devices, err := netlink.LinkList()
	if err != nil {
		return fmt.Errorf("list devices: %w", err)
	}
	for _, d := range devices {
		// Only the end that has the qdisc: the other one goes with it. It has an owner, who may be alive.
		if owner, ours := strings.CutPrefix(d.Attrs().Alias, DevicePrefix+" of "); ours && d.Type() == "veth" {
			if _, err := os.Stat("/proc/" + owner); errors.Is(err, os.ErrNotExist) {
				if err := netlink.LinkDel(d); err != nil {
					return fmt.Errorf("remove device %s: %w", d.Attrs().Name, err)
				}
			}
		}
	}
	return nil
}

// netemDetour is a detour through the kernel's netem: a veth pair, of which the end that packets enter has the qdisc.
type netemDetour struct {
	link   *Link
	memory *memory
	pair   netlink.Link
	ends   ends
	base   netemCount
	asked  Quality
}

type netemCount struct{ entered, enteredAt, left, leftAt, full uint64 }

// inNetem reports whether netem can do what is asked: it knows no packets by their number.
func (q Quality) inNetem() bool {
	return len(q.Duplication.Packets)+len(q.Reordering.Packets)+len(q.Corruption.Packets) == 0
}

// newNetem makes a detour. The kernel says ENOENT if it has no netem.
func (l *Link) newNetem(r *rule) (detour, error) {
	d := &netemDetour{link: l, memory: r.memory}
	exit := 0
	err := l.ns.Do(func() (err error) {
		exit, err = d.makePair(l.device.MTU)
		if err == nil {
			err = d.apply(r.asked.Quality, (*tc.Qdisc).Add)
		}
		return err
	})
	if err == nil {
		d.ends, err = l.newEnds(r, d.pair.Attrs().Index, exit)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("make detour through netem: %w", err), d.unmake())
	}
	return d, nil
}

func (d *netemDetour) makePair(mtu int) (exit int, err error) {
	name := fmt.Sprintf("%s%08x", DevicePrefix, rand.Uint32())
	pair := &netlink.Veth{LinkAttrs: netlink.NewLinkAttrs(), PeerName: name + "x"}
	pair.Name = name
	if err := netlink.LinkAdd(pair); err != nil {
		return 0, fmt.Errorf("make veth pair: %w", err)
	}
	d.pair = pair
	if err := netlink.LinkSetAlias(pair, fmt.Sprintf("%s of %d", DevicePrefix, os.Getpid())); err != nil {
		return 0, fmt.Errorf("name owner of veth pair: %w", err)
	}
	other, err := bringUp(pair.PeerName, mtu, 0)
	if err != nil {
		return 0, err
	}
	if d.pair, err = bringUp(name, mtu, 2*room); err != nil {
		return 0, err
	}
	return other.Attrs().Index, nil
}

func (d *netemDetour) unmake() error {
	if d.pair == nil {
		return nil
	}
	return d.link.ns.Do(func() error { return netlink.LinkDel(d.pair) })
}

// apply acts in the calling thread's namespace.
func (d *netemDetour) apply(q Quality, do func(*tc.Qdisc, *tc.Object) error) error {
	d.asked = q
	socket, err := tc.Open(&tc.Config{})
	if err != nil {
		return fmt.Errorf("open netlink socket: %w", err)
	}
	defer socket.Close()
	options := q.netem()
	return do(socket.Qdisc(), &tc.Object{
		Msg:       tc.Msg{Family: unix.AF_UNSPEC, Ifindex: uint32(d.pair.Attrs().Index), Handle: 1 << 16, Parent: tc.HandleRoot},
		Attribute: tc.Attribute{Kind: "netem", Netem: &options},
	})
}

// netem puts the quality into netem's words. Loss is not among them: it is decided before, where it is counted.
func (q Quality) netem() tc.Netem {
	scaled := func(share float64) uint32 { return uint32(math.Round(share * math.MaxUint32)) }
	delay, jitter, seed := int64(q.Delay), int64(q.Jitter), q.Seed
	n := tc.Netem{
		Qopt:      tc.NetemQopt{Limit: uint32(q.limit()), Duplicate: scaled(q.Duplication.Share)},
		Corr:      &tc.NetemCorr{Delay: scaled(q.Correlation), Dup: scaled(q.Duplication.Correlation)},
		Latency64: &delay, Jitter64: &jitter, PrngSeed: &seed,
		Corrupt: &tc.NetemCorrupt{Probability: scaled(q.Corruption.Share), Correlation: scaled(q.Corruption.Correlation)},
	}
	if q.Reordering.Share > 0 { // netem draws who is late, and needs a gap of 1 to draw at all
		n.Qopt.Gap = 1
		n.Reorder = &tc.NetemReorder{Probability: scaled(q.Reordering.Share), Correlation: scaled(q.Reordering.Correlation)}
	}
	// What is not said stays as it was, so all is said.
	bytes := q.Rate / 8
	n.Rate = &tc.NetemRate{Rate: uint32(min(bytes, math.MaxUint32))}
	if bytes > math.MaxUint32 {
		n.Rate64 = &bytes
	}
	if q.Jitter > 0 {
		table := q.Distribution.table()
		n.DelayDist = &table
	}
	return n
}

func (d *netemDetour) entry() int { return d.pair.Attrs().Index }

func (d *netemDetour) can(q Quality) bool { return q.inNetem() }

func (d *netemDetour) set(q Quality) error {
	err := d.link.ns.Do(func() error { return d.apply(q, (*tc.Qdisc).Replace) })
	d.base = d.counted()
	if err != nil {
		return fmt.Errorf("change netem: %w", err)
	}
	return nil
}

func (d *netemDetour) counted() netemCount {
	m := d.memory
	return netemCount{m.load(offEntered), m.load(offEnteredAt), m.load(offLeft), m.load(offLeftAt), m.load(offFull)}
}

// held says what can be known from both ends: a mean, and no more of single packets.
func (d *netemDetour) held() (Held, error) {
	now := d.counted()
	entered, left := now.entered-d.base.entered, now.left-d.base.left
	h := Held{Came: entered, Kept: left, Sent: left}
	switch {
	case left > entered:
		h.Duplicated = left - entered
	case left < entered:
		h.Waiting = int(entered - left)
	case left > 0:
		h.KernelDelay = time.Duration((now.leftAt - d.base.leftAt - now.enteredAt + d.base.enteredAt) / left)
	}
	return h, nil
}

func (d *netemDetour) close() error {
	// What it holds can't be asked to go, and goes with it if it takes too long.
	time.Sleep(min(d.asked.Delay+4*d.asked.Jitter, longestClose) + grace)
	return errors.Join(d.ends.close(), d.unmake())
}
