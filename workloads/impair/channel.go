//go:build linux

package impair

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"golang.org/x/sys/unix"
)

// virtioHeader is before each frame: what of its checksum and segments is still to be done.
const virtioHeader = 10

// channel is what the emulator does to the packets of one impairment. It is not safe for concurrent use.
type channel struct {
	fd      int
	memory  *memory
	quality Quality

	jitter                      func() float64
	duplicate, reorder, corrupt func() bool
	random                      *rand.Rand
	taken, number               uint64 // frames read since the channel was made, and since it was changed
	order                       uint64 // of the next frame
	since                       uint64 // how often it was changed
	quietAt                     uint64 // notes when there was no frame to read, and since when
	quietSince                  int64
	last                        int64 // when the last one entered
	free                        int64 // when the line has sent all that it took, by the rate
	waiting                     frames
	buffer                      [virtioHeader + 1<<16 + 64]byte
	released                    // since it was changed
}

// released is what became of packets.
type released struct {
	sent, kept                                uint64 // kept: held back, doubles as well
	duplicated, reordered, corrupted, dropped uint64
	enteredAt                                 uint64 // the sum of when those sent had entered; it wraps
	base                                      kernelCount
	delays, lateness                          *hdrhistogram.Histogram // nanoseconds
	busy                                      time.Duration           // that packets waited for the line
	busyBytes                                 uint64                  // that left in it
}

// kernelCount is what the kernel's programs had counted.
type kernelCount struct{ left, leftAt, full uint64 }

func newChannel(fd int, m *memory) *channel {
	c := &channel{fd: fd, memory: m, taken: m.load(offEntered)} // which goes on from the rule's last detour
	m.store(offTaken, c.taken)
	c.set(Quality{})
	return c
}

// set begins to count anew. What is held goes at once if nothing is to be held any more.
func (c *channel) set(q Quality) {
	c.quality, c.number, c.free = q, 0, 0
	c.since++
	c.random = rand.New(rand.NewPCG(q.Seed, 'c'))
	stream := func(of uint64) *rand.Rand { return rand.New(rand.NewPCG(q.Seed, of)) }
	c.jitter = correlated(stream('j'), q.Correlation)
	c.duplicate, c.reorder, c.corrupt = q.Duplication.model(stream('d')), q.Reordering.model(stream('r')), q.Corruption.model(stream('b'))
	if !q.held() {
		for i := range c.waiting {
			c.waiting[i].due = 0
		}
		c.release()
	}
	c.released = released{delays: newHistogram(), lateness: newHistogram(), base: c.counted()}
}

func (c *channel) counted() kernelCount {
	return kernelCount{c.memory.load(offLeft), c.memory.load(offLeftAt), c.memory.load(offFull)}
}

// newHistogram is of nanoseconds, up to ten minutes.
func newHistogram() *hdrhistogram.Histogram {
	return hdrhistogram.New(1, int64(10*time.Minute), 3)
}

// take reads frames, at most so many, and decides on each.
func (c *channel) take(most int) error {
	entered := c.memory.load(offEntered)
	for range most {
		n, err := unix.Read(c.fd, c.buffer[:])
		switch {
		case errors.Is(err, unix.EAGAIN):
			c.catchUp(entered)
			return nil
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return fmt.Errorf("read from the detour: %w", err)
		case n <= virtioHeader:
			continue
		}
		c.decide(c.buffer[:n], c.cameAt())
	}
	return nil
}

// catchUp is called when there is no frame to read, with how many notes there were before that was found. The frame of the
// last note may still be on its way between the note and the device, so that they are matched anew after a quiet time alone.
// Where there are more frames than notes, none is matched.
func (c *channel) catchUp(entered uint64) {
	now := monotonic()
	if c.quality.whole() || entered == c.quietAt && now-c.quietSince > int64(time.Millisecond) {
		c.taken = entered
		c.memory.store(offTaken, c.taken)
	}
	if entered != c.quietAt {
		c.quietAt, c.quietSince = entered, now
	}
}

// cameAt returns when the frame that was just read entered, of which the kernel took a note. Where it cuts trains into
// frames on the way, there are more frames than notes: then it is now.
func (c *channel) cameAt() int64 {
	now := monotonic()
	if c.quality.whole() {
		return now
	}
	at := c.memory.entered(c.taken)
	c.taken++
	c.memory.store(offTaken, c.taken)
	if at < c.last || at > now { // two processors took their notes at once
		at = max(c.last, min(at, now))
	}
	c.last = at
	return at
}

// decide says when a frame is due.
func (c *channel) decide(data []byte, entered int64) {
	q, number := c.quality, c.number
	c.number++
	copies := 1
	if q.Duplication.hits(number, c.duplicate) {
		copies, c.duplicated = 2, c.duplicated+1
	}
	for range copies {
		if len(c.waiting) >= q.limit() {
			c.dropped++
			continue
		}
		f := frame{data: append([]byte(nil), data...), due: entered, entered: entered, number: c.order, since: c.since}
		c.order++
		if q.Reordering.hits(number, c.reorder) {
			c.reordered++
		} else {
			f.due += int64(q.delayOf(c.jitter()))
		}
		if q.Corruption.hits(number, c.corrupt) {
			c.corrupted++
			flip(f.data[virtioHeader:], c.random)
		}
		if q.Rate > 0 {
			f.due = c.onLine(f.due, len(data)-virtioHeader)
		}
		c.waiting.hold(f)
		c.kept++
	}
}

// onLine returns when the last bit of a frame is on the line, which sends one after the other.
func (c *channel) onLine(ready int64, size int) int64 {
	takes := int64(uint64(size) * 8 * uint64(time.Second) / c.quality.Rate)
	if c.free > ready { // it waits for others, so that the line is never idle
		c.busy += time.Duration(takes)
		c.busyBytes += uint64(size)
	}
	c.free = max(c.free, ready) + takes
	return c.free
}

// hits reports whether it happens to the packet of that number. It draws for every packet, so that numbered ones do not
// change the others' fate.
func (c Chance) hits(number uint64, draw func() bool) bool {
	hit := draw()
	for _, n := range c.Packets {
		hit = hit || n == number
	}
	return hit
}

// flip changes one bit behind the Ethernet header.
func flip(data []byte, r *rand.Rand) {
	if len(data) > ethernetHeader {
		bit := r.IntN(8 * (len(data) - ethernetHeader))
		data[ethernetHeader+bit/8] ^= 1 << (bit % 8)
	}
}

// release lets go what is due, and returns when the next is; -1: never.
func (c *channel) release() int64 {
	for len(c.waiting) > 0 {
		now := monotonic()
		if due := c.waiting[0].due; due > now {
			return due
		}
		f := c.waiting.first()
		if _, err := unix.Write(c.fd, f.data); err != nil {
			c.dropped++ // the interface is down, or the kernel has no memory
			continue
		}
		if f.since != c.since { // it was decided on before the last change
			c.base.left, c.base.leftAt = c.base.left+1, c.base.leftAt+uint64(monotonic())
			continue
		}
		c.sent++
		c.enteredAt += uint64(f.entered)
		_ = c.delays.RecordValue(max(now-f.entered, 0))
		_ = c.lateness.RecordValue(max(now-f.due, 0))
	}
	return -1
}

// report says what became of the packets since the channel was changed.
func (c *channel) report() Held {
	now := c.counted()
	h := Held{
		Came: c.number, Kept: c.kept, Waiting: len(c.waiting), Sent: c.sent, Duplicated: c.duplicated, Reordered: c.reordered, Corrupted: c.corrupted,
		Dropped: c.dropped + now.full - c.base.full,
		Delay:   spreadOf(c.delays), Lateness: spreadOf(c.lateness),
	}
	if left := now.left - c.base.left; left > 0 && left == c.sent {
		h.KernelDelay = time.Duration((now.leftAt - c.base.leftAt - c.enteredAt) / left)
	}
	if c.busy > 0 {
		h.Rate = float64(c.busyBytes) * 8 / c.busy.Seconds()
	}
	return h
}
