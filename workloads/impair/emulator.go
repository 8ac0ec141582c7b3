//go:build linux

package impair

import (
	"container/heap"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// grace is how long packets may still come into a detour after the program that sends them there was replaced: it may
	// be at work on another processor.
	grace = 5 * time.Millisecond
	// batch is how many frames are read before those are looked at that are due.
	batch = 32
)

// emulator is a thread that holds packets back and lets them go when they are due.
type emulator struct {
	wake int // an eventfd
	done chan struct{}

	mu       sync.Mutex // held by the thread but while it waits
	channels []*channel
	failure  error // the thread has ended with it
	closed   bool
}

func newEmulator() (*emulator, error) {
	wake, err := unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("start emulator: %w", os.NewSyscallError("eventfd", err))
	}
	return &emulator{wake: wake}, nil
}

// add gives the emulator another channel. The thread starts with the first.
func (e *emulator) add(c *channel) {
	e.mu.Lock()
	e.channels = append(e.channels, c)
	started := e.done != nil
	if !started {
		e.done = make(chan struct{})
	}
	e.mu.Unlock()
	if started {
		e.poke()
		return
	}
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with its priority
		defer close(e.done)
		hurry()
		e.run()
	}()
}

// hurry makes the thread's waits exact and, where that is permitted, the thread come first: a packet that leaves late is
// wrong.
func hurry() {
	_ = unix.Prctl(unix.PR_SET_TIMERSLACK, 1, 0, 0, 0)
	_ = unix.SchedSetAttr(0, &unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_FIFO, Priority: 1}, 0)
}

func (e *emulator) run() {
	e.mu.Lock()
	defer e.mu.Unlock()
	for !e.closed {
		next := int64(-1)
		for _, c := range e.channels {
			if due := c.release(); due >= 0 && (next < 0 || due < next) {
				next = due
			}
		}
		ready, err := e.wait(next)
		for _, c := range ready {
			if err == nil {
				err = c.take(batch)
			}
		}
		if err != nil {
			e.failure = fmt.Errorf("emulate: %w", err)
			return
		}
	}
}

// wait gives up the lock until a frame can be read, next comes or the emulator is woken.
func (e *emulator) wait(next int64) (ready []*channel, err error) {
	channels := slices.Clone(e.channels)
	fds := []unix.PollFd{{Fd: int32(e.wake), Events: unix.POLLIN}}
	for _, c := range channels {
		fds = append(fds, unix.PollFd{Fd: int32(c.fd), Events: unix.POLLIN})
	}
	var timeout *unix.Timespec
	if next >= 0 {
		left := unix.NsecToTimespec(max(next-monotonic(), 0))
		timeout = &left
	}
	e.mu.Unlock()
	_, err = unix.Ppoll(fds, timeout, nil)
	e.mu.Lock()
	if errors.Is(err, unix.EINTR) {
		err = nil
	}
	if fds[0].Revents != 0 {
		var count [8]byte
		_, _ = unix.Read(e.wake, count[:])
	}
	for i, c := range channels {
		if fds[i+1].Revents != 0 && slices.Contains(e.channels, c) {
			ready = append(ready, c)
		}
	}
	return ready, os.NewSyscallError("poll", err)
}

func (e *emulator) poke() {
	_, _ = unix.Write(e.wake, []byte{1, 0, 0, 0, 0, 0, 0, 1}) // whatever the byte order, it is not zero
}

// change makes a channel do to the packets that come what is asked. What is held stays until it is due, unless nothing
// is to be held.
func (e *emulator) change(c *channel, q Quality) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	c.set(q)
	e.poke()
	return e.failure
}

// held says what a channel did since it was changed last.
func (e *emulator) held(c *channel) (Held, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return c.report(), e.failure
}

// retire lets go what a channel holds, to which no more is sent, and forgets it.
func (e *emulator) retire(c *channel) error {
	if err := e.change(c, Quality{}); err != nil {
		return err
	}
	time.Sleep(grace)
	e.mu.Lock()
	defer e.mu.Unlock()
	err := c.take(2 * room)
	c.release()
	e.channels = slices.DeleteFunc(e.channels, func(o *channel) bool { return o == c })
	e.poke()
	return errors.Join(err, e.failure)
}

// close ends the thread.
func (e *emulator) close() error {
	e.mu.Lock()
	e.closed = true
	done := e.done
	e.mu.Unlock()
	e.poke()
	if done != nil {
		<-done
	}
	return errors.Join(e.failure, os.NewSyscallError("close", unix.Close(e.wake)))
}

// frame is a packet that is held, with the header that says how far the kernel is with it.
type frame struct {
	data    []byte
	due     int64
	entered int64
	number  uint64 // of its coming; of two that are due at once, the first goes first
	since   uint64 // the channel's, when it came
}

type frames []frame

func (f frames) Len() int { return len(f) }
func (f frames) Less(i, j int) bool {
	return f[i].due < f[j].due || f[i].due == f[j].due && f[i].number < f[j].number
}
func (f frames) Swap(i, j int) { f[i], f[j] = f[j], f[i] }
func (f *frames) Push(x any)   { *f = append(*f, x.(frame)) }
func (f *frames) Pop() any     { old := *f; x := old[len(old)-1]; *f = old[:len(old)-1]; return x }
func (f *frames) hold(x frame) { heap.Push(f, x) }
func (f *frames) first() frame { return heap.Pop(f).(frame) }

// monotonic is the time on the clock of eBPF programs.
func monotonic() int64 { return epoch + int64(time.Since(start)) }

var start, epoch = func() (time.Time, int64) {
	var now unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &now)
	return time.Now(), now.Nano()
}()
