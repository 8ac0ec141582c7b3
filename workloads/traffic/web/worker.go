//go:build linux

package web

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// worker serves connections that it took, on a goroutine of its own.
type worker struct {
	poll, wake int
	size       int // of a body, by default

	mu        sync.Mutex // held while events are worked off: what Backends closes is closed between
	listeners map[int32]*backend
	served    map[int32]*served
	scratch   []byte
	out       []byte
	stopped   bool
}

func newWorker(size int) (w *worker, err error) {
	w = &worker{poll: -1, wake: -1, size: size, listeners: map[int32]*backend{}, served: map[int32]*served{}, scratch: make([]byte, 64<<10)}
	if w.poll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	w.wake, err = unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC)
	if err == nil {
		err = w.watch(w.wake, unix.EPOLLIN)
	}
	if err != nil {
		return nil, errors.Join(os.NewSyscallError("eventfd", err), w.close())
	}
	return w, nil
}

func (w *worker) watch(fd int, events uint32) error {
	return os.NewSyscallError("epoll_ctl", unix.EpollCtl(w.poll, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: events, Fd: int32(fd)}))
}

func (w *worker) rewatch(fd int, events uint32) error {
	return unix.EpollCtl(w.poll, unix.EPOLL_CTL_MOD, fd, &unix.EpollEvent{Events: events, Fd: int32(fd)})
}

// listen takes connections of a backend, as other workers may.
func (w *worker) listen(fd int, of *backend) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.listeners[int32(fd)] = of
	return w.watch(fd, unix.EPOLLIN|unix.EPOLLEXCLUSIVE)
}

// forget closes a backend's connections, and listens for it no more.
func (w *worker) forget(gone *backend) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, fd := range gone.listeners {
		if w.listeners[int32(fd)] == gone {
			delete(w.listeners, int32(fd))
			_ = unix.EpollCtl(w.poll, unix.EPOLL_CTL_DEL, fd, nil)
		}
	}
	for _, c := range w.served {
		if c.of == gone {
			w.end(c)
		}
	}
}

func (w *worker) stop() {
	w.mu.Lock()
	w.stopped = true
	w.mu.Unlock()
	_, _ = unix.Write(w.wake, []byte{1, 0, 0, 0, 0, 0, 0, 0})
}

func (w *worker) close() (err error) {
	for _, fd := range []int{w.wake, w.poll} {
		if fd >= 0 {
			err = errors.Join(err, os.NewSyscallError("close", unix.Close(fd)))
		}
	}
	return err
}

// run works until it is stopped.
func (w *worker) run() {
	events := make([]unix.EpollEvent, 256)
	for {
		n, err := unix.EpollWait(w.poll, events, -1)
		if err != nil && err != unix.EINTR {
			panic(fmt.Sprintf("epoll_wait: %v", err)) // the descriptor is ours and open: only a bug of ours brings it about
		}
		if w.work(events[:max(n, 0)]) {
			return
		}
	}
}

func (w *worker) work(events []unix.EpollEvent) (stopped bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, e := range events {
		if c, ok := w.served[e.Fd]; ok {
			if !c.ready(w) {
				w.end(c)
			}
		} else if of, ok := w.listeners[e.Fd]; ok {
			w.take(int(e.Fd), of)
		}
	}
	return w.stopped
}

// take takes one connection; where there are more, the listener's event comes again, perhaps to another worker.
func (w *worker) take(listener int, of *backend) {
	fd, _, err := unix.Accept4(listener, unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
	if err != nil {
		if !again(err) && err != unix.ECONNABORTED {
			err = os.NewSyscallError("accept", err)
			of.failed.CompareAndSwap(nil, &err)
			time.Sleep(time.Millisecond) // the event comes again at once, for as long as there are too many open files
		}
		return
	}
	_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
	if err := w.watch(fd, unix.EPOLLIN|unix.EPOLLRDHUP); err != nil {
		_ = unix.Close(fd)
		of.failed.CompareAndSwap(nil, &err)
		return
	}
	w.served[int32(fd)] = &served{fd: fd, of: of}
	of.connections.Add(1)
}

func (w *worker) end(c *served) {
	delete(w.served, int32(c.fd))
	_ = unix.Close(c.fd)
	c.of.connections.Add(-1)
}

// served is the server's end of a connection. While it waits for the kernel to take more, it reads nothing.
type served struct {
	fd     int
	of     *backend
	in     []byte // came, and was not worked off
	skip   int    // so much of a request's body is still to come
	out    []byte // was not taken by the kernel yet
	closes bool   // once out is
}

// ready reads and answers; false: the connection is over.
func (c *served) ready(w *worker) bool {
	if len(c.out) > 0 {
		rest, ok := send(c.fd, c.out)
		if !ok || len(rest) == 0 && c.closes {
			return false
		}
		if c.out = rest; len(rest) > 0 {
			return true
		}
		if c.out = nil; w.rewatch(c.fd, unix.EPOLLIN|unix.EPOLLRDHUP) != nil {
			return false
		}
	}
	for {
		n, err := unix.Read(c.fd, w.scratch)
		switch {
		case err == unix.EINTR:
			continue
		case again(err):
			return true
		case err != nil || n == 0:
			return false
		}
		w.out = w.out[:0]
		if !c.arrive(w, w.scratch[:n]) {
			return false
		}
		rest, ok := send(c.fd, w.out)
		if !ok || len(rest) == 0 && c.closes {
			return false
		}
		if len(rest) > 0 {
			c.out = bytes.Clone(rest)
			return w.rewatch(c.fd, unix.EPOLLOUT) == nil
		}
		if n < len(w.scratch) {
			return true
		}
	}
}

// arrive takes in what came, and answers what of it is complete.
func (c *served) arrive(w *worker, data []byte) bool {
	if len(c.in) > 0 {
		data = append(c.in, data...)
		c.in = nil
	}
	for len(data) > 0 && !c.closes {
		if c.skip > 0 {
			n := min(c.skip, len(data))
			c.skip -= n
			data = data[n:]
			continue
		}
		h, at, err := parseHead(data)
		if err != nil {
			return false
		}
		if at == 0 {
			c.in = bytes.Clone(data)
			break
		}
		c.answer(w, h)
		data = data[at:]
		c.skip = max(h.length, 0)
	}
	return true
}

// filler is what bodies are made of.
var filler = bytes.Repeat([]byte("nodefv "), 10<<10)

// answer appends the answer of a request to what is to be sent.
func (c *served) answer(w *worker, h head) {
	c.of.requests.Add(1)
	c.of.last.Store(time.Now().UnixNano())
	status, size := 200, w.size
	if h.status != 0 {
		status = h.status
	}
	if h.size >= 0 {
		size = h.size
	}
	if h.chunked { // our requests say how long they are
		status, c.closes = http.StatusLengthRequired, true
	}
	c.closes = c.closes || h.closes
	w.out = append(w.out, "HTTP/1.1 "...)
	w.out = strconv.AppendInt(w.out, int64(status), 10)
	w.out = append(w.out, ' ')
	w.out = append(w.out, http.StatusText(status)...)
	w.out = append(w.out, "\r\n"+backendHeader+": "...)
	w.out = append(w.out, c.of.name...)
	w.out = append(w.out, "\r\nContent-Type: text/plain\r\nContent-Length: "...)
	w.out = strconv.AppendInt(w.out, int64(size), 10)
	if c.closes {
		w.out = append(w.out, "\r\nConnection: close"...)
	}
	w.out = append(w.out, "\r\n\r\n"...)
	if bytes.HasPrefix(h.first, []byte("HEAD ")) {
		return
	}
	for size > 0 {
		n := min(size, len(filler))
		w.out = append(w.out, filler[:n]...)
		size -= n
	}
}

// send gives the kernel what it takes, and returns the rest; false: the connection is over.
func send(fd int, data []byte) (rest []byte, ok bool) {
	for len(data) > 0 {
		n, err := unix.Write(fd, data)
		switch {
		case err == unix.EINTR:
		case again(err):
			return data, true
		case err != nil:
			return data, false
		default:
			data = data[n:]
		}
	}
	return nil, true
}
