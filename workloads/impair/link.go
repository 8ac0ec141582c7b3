//go:build linux

package impair

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"

	"github.com/nodefv/nodefv/workloads/netns"
)

// PodInterface is the name of a pod's interface.
const PodInterface = "eth0"

// most is how many impairments a direction of a link has at most: the verifier looks at each way through all filters.
const most = 32

// Link is an interface whose packets may be impaired.
type Link struct {
	ns       *netns.Namespace
	device   *net.Interface
	mark     uint32 // of packets that come out of a detour, or are about to enter one
	emulator *emulator

	mu     sync.Mutex
	rules  []*rule // in the order in which they were set
	sides  map[Direction]*side
	bare   bool // the kernel has no netem
	closed bool
}

// side is what is attached to the interface for a direction.
type side struct {
	program *ebpf.Program
	link    link.Link
}

// rule is an impairment in force.
type rule struct {
	asked    Impairment
	since    time.Time // it was set or changed
	memory   *memory
	schedule schedule // nil: nothing is lost
	detour   detour   // nil: no packet is held
}

// detour is a way that packets take out of a link and back.
type detour interface {
	entry() int // index of the device that leads into it
	can(Quality) bool
	set(Quality) error
	held() (Held, error)
	close() error // lets what is held go first
}

// Open makes the link of an interface in a namespace, of which nothing is impaired. The namespace must stay open as long
// as the Link, which must be closed.
func Open(ns *netns.Namespace, device string) (*Link, error) {
	l := &Link{ns: ns, mark: rand.Uint32() | 1, sides: map[Direction]*side{}}
	err := ns.Do(func() (err error) {
		if l.device, err = net.InterfaceByName(device); err != nil {
			return fmt.Errorf("find interface %s: %w", device, err)
		}
		return sweep()
	})
	if err == nil {
		l.emulator, err = newEmulator()
	}
	if err != nil {
		return nil, fmt.Errorf("open link: %w", err)
	}
	return l, nil
}

// Set puts an impairment in force, in the place of the one of its name if there is one. All that is counted of it begins
// anew.
func (l *Link) Set(i Impairment) error {
	if i.Direction == "" {
		i.Direction = Out
	}
	if err := i.Check(); err != nil {
		return fmt.Errorf("impair: %w", err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return fmt.Errorf("impair: %w", os.ErrClosed)
	}
	at := l.find(i.Name)
	if at >= 0 && l.rules[at].asked.Direction != i.Direction {
		return fmt.Errorf("impair: %s is in the other direction: clear it first, or choose another name", i.Name)
	}
	if at < 0 && l.count(i.Direction) == most {
		return fmt.Errorf("impair: a direction of a link has at most %d impairments", most)
	}
	return l.put(at, i)
}

// Change changes what is done to the packets of an impairment that is in force. What change leaves as it is stays so.
func (l *Link) Change(name string, change func(*Quality)) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	at := l.find(name)
	if at < 0 {
		return fmt.Errorf("change impairment: there is no %s", name)
	}
	asked := l.rules[at].asked
	change(&asked.Quality)
	if err := asked.Check(); err != nil {
		return fmt.Errorf("change impairment: %w", err)
	}
	return l.put(at, asked)
}

// put makes the rule at a place do what is asked, or a new one if the place is negative. Packets meet either what was or
// what is, and none is lost by it.
func (l *Link) put(at int, asked Impairment) (err error) {
	rules, old := slices.Clone(l.rules), &rule{}
	r := &rule{asked: asked, since: time.Now(), schedule: asked.Loss.schedule(asked.Seed)}
	if at >= 0 {
		old, rules[at] = rules[at], r
		r.memory = old.memory
	} else if r.memory, err = newMemory(); err == nil {
		rules = append(rules, r)
	}
	if err == nil && asked.held() {
		if r.detour = old.detour; r.detour == nil || !r.detour.can(asked.Quality) {
			r.detour, err = l.newDetour(r)
		}
	}
	var program *ebpf.Program
	if err == nil { // before what is in force is touched: the kernel may refuse a filter
		program, err = l.classifier(asked.Direction, rules)
	}
	if err == nil && r.detour != nil {
		if err = r.detour.set(asked.Quality); err != nil {
			err = errors.Join(err, program.Close())
		}
	}
	if err == nil {
		r.memory.set(r.schedule)
		err = l.attach(asked.Direction, program)
	}
	if err != nil {
		return errors.Join(err, r.discard(old))
	}
	l.rules = rules
	return old.discard(r)
}

// discard gives up what the rule has and another one has not.
func (r *rule) discard(kept *rule) (err error) {
	if r.detour != nil && r.detour != kept.detour {
		err = r.detour.close()
	}
	if r.memory != nil && r.memory != kept.memory {
		err = errors.Join(err, r.memory.close())
	}
	return err
}

func (l *Link) newDetour(r *rule) (detour, error) {
	if !l.bare && r.asked.inNetem() {
		d, err := l.newNetem(r)
		if l.bare = errors.Is(err, unix.ENOENT) || errors.Is(err, unix.EOPNOTSUPP); !l.bare {
			return d, err
		}
	}
	return l.newTap(r)
}

// classifier makes the program of those rules that are of a direction; nil if there are none.
func (l *Link) classifier(direction Direction, rules []*rule) (*ebpf.Program, error) {
	var ours []*rule
	for _, r := range rules {
		if r.asked.Direction == direction {
			ours = append(ours, r)
		}
	}
	if len(ours) == 0 {
		return nil, nil
	}
	return classifier(direction, l.mark, ours)
}

// attach makes a program that of a direction, in the place of the one there was, or closes it; nil: there is to be none.
func (l *Link) attach(direction Direction, program *ebpf.Program) error {
	old := l.sides[direction]
	if program == nil {
		delete(l.sides, direction)
		return old.close()
	}
	if old != nil {
		if err := old.link.Update(program); err != nil {
			return errors.Join(fmt.Errorf("change program of %s: %w", l.device.Name, err), program.Close())
		}
		err := old.program.Close()
		old.program = program
		return err
	}
	way := ebpf.AttachTCXEgress
	if direction == In {
		way = ebpf.AttachTCXIngress
	}
	attached, err := attachTo(l.ns, l.device.Index, program, way)
	if err != nil {
		return errors.Join(err, program.Close())
	}
	l.sides[direction] = &side{program, attached}
	return nil
}

// attachTo attaches a program to an interface of a namespace. It stays no longer than the process.
func attachTo(ns *netns.Namespace, index int, p *ebpf.Program, way ebpf.AttachType) (attached link.Link, err error) {
	err = ns.Do(func() error {
		attached, err = link.AttachTCX(link.TCXOptions{Interface: index, Program: p, Attach: way})
		return err
	})
	if errors.Is(err, ebpf.ErrNotSupported) {
		err = fmt.Errorf("%w; impairments need Linux 6.6, which has tcx", err)
	}
	if err != nil {
		return nil, fmt.Errorf("attach eBPF program: %w", err)
	}
	return attached, nil
}

func (s *side) close() error {
	if s == nil {
		return nil
	}
	return errors.Join(s.link.Close(), s.program.Close())
}

// Clear ends an impairment. Packets that it holds go on at once.
func (l *Link) Clear(name string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	at := l.find(name)
	if at < 0 {
		return fmt.Errorf("clear impairment: there is no %s", name)
	}
	return l.remove(at)
}

func (l *Link) remove(at int) error {
	r := l.rules[at]
	rules := slices.Delete(slices.Clone(l.rules), at, at+1)
	program, err := l.classifier(r.asked.Direction, rules)
	if err == nil {
		err = l.attach(r.asked.Direction, program)
	}
	if err != nil {
		return fmt.Errorf("clear impairment %s: %w", r.asked.Name, err)
	}
	l.rules = rules
	return r.discard(&rule{})
}

// Close ends all impairments and removes whatever the Link made.
func (l *Link) Close() (err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil
	}
	l.closed = true
	for _, s := range l.sides { // first, so that no packet enters a detour any more
		err = errors.Join(err, s.close())
	}
	for _, r := range l.rules {
		err = errors.Join(err, r.discard(&rule{}))
	}
	l.sides, l.rules = nil, nil
	return errors.Join(err, l.emulator.close())
}

func (l *Link) find(name string) int {
	return slices.IndexFunc(l.rules, func(r *rule) bool { return r.asked.Name == name })
}

func (l *Link) count(d Direction) (n int) {
	for _, r := range l.rules {
		if r.asked.Direction == d {
			n++
		}
	}
	return n
}
