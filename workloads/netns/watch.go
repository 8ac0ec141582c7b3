//go:build linux

package netns

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// Watcher tells that the links, the IPv4 or IPv6 routes or the nftables rules of a namespace changed.
type Watcher struct {
	wake      chan struct{}
	events    atomic.Uint64
	overflows atomic.Uint64
	mu        sync.Mutex
	err       error
}

// Watch starts to watch the current namespace, until ctx is done. On a kernel without nf_tables it watches links and
// routes alone.
func Watch(ctx context.Context) (*Watcher, error) {
	route, err := subscribe(unix.NETLINK_ROUTE, unix.RTNLGRP_LINK, unix.RTNLGRP_IPV4_ROUTE, unix.RTNLGRP_IPV6_ROUTE)
	if err != nil {
		return nil, fmt.Errorf("watch links and routes: %w", err)
	}
	sockets := []*os.File{route}
	rules, err := subscribe(unix.NETLINK_NETFILTER, unix.NFNLGRP_NFTABLES)
	switch {
	case err == nil:
		sockets = append(sockets, rules)
		err = onlyGenerations(rules)
	case errors.Is(err, unix.EPROTONOSUPPORT):
		err = nil
	}
	if err != nil {
		return nil, fmt.Errorf("watch nftables: %w", errors.Join(err, closeAll(sockets)))
	}
	w := &Watcher{wake: make(chan struct{}, 1)}
	w.start(ctx, sockets)
	return w, nil
}

// C receives after changes, once for any number since the last receive. It is closed when the watch has ended and its
// sockets are closed; see Err.
func (w *Watcher) C() <-chan struct{} { return w.wake }

// Events returns how many messages arrived so far: of nftables, one per committed transaction.
func (w *Watcher) Events() uint64 { return w.events.Load() }

// Overflows returns how often the kernel lost events because they came faster than they were read. Each wakes too, so a
// reader that looks at the whole state misses nothing.
func (w *Watcher) Overflows() uint64 { return w.overflows.Load() }

// Err returns why a watch ended before its context; nil while it goes on and after the context's end.
func (w *Watcher) Err() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.err
}

func (w *Watcher) start(ctx context.Context, sockets []*os.File) {
	failed := make(chan struct{}, len(sockets))
	var readers sync.WaitGroup
	for _, s := range sockets {
		readers.Go(func() {
			w.read(s)
			failed <- struct{}{}
		})
	}
	go func() {
		select {
		case <-ctx.Done():
		case <-failed:
		}
		_ = closeAll(sockets) // which ends the readers
		readers.Wait()
		close(w.wake)
	}()
}

func (w *Watcher) read(socket *os.File) {
	var head [unix.NLMSG_HDRLEN]byte // the rest of a message is of no interest
	for {
		_, err := socket.Read(head[:])
		switch {
		case err == nil:
			w.events.Add(1)
		case errors.Is(err, unix.ENOBUFS):
			w.overflows.Add(1)
		case errors.Is(err, os.ErrClosed):
			return
		default:
			w.mu.Lock()
			w.err = errors.Join(w.err, fmt.Errorf("watch: %w", err))
			w.mu.Unlock()
			return
		}
		select {
		case w.wake <- struct{}{}:
		default:
		}
	}
}

// onlyGenerations has the kernel drop all nftables messages but NEWGEN, which closes a transaction and comes in a
// packet of its own: a thousand workloads make some 40,000 messages of the other kinds.
func onlyGenerations(socket *os.File) error {
	var raw [2]byte
	binary.NativeEndian.PutUint16(raw[:], unix.NFNL_SUBSYS_NFTABLES<<8|unix.NFT_MSG_NEWGEN)
	const typeOffset = 4 // in struct nlmsghdr; the filter loads it as big endian
	filter := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_H | unix.BPF_ABS, K: typeOffset},
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jf: 1, K: uint32(binary.BigEndian.Uint16(raw[:]))},
		{Code: unix.BPF_RET | unix.BPF_K, K: 0xffffffff},
		{Code: unix.BPF_RET | unix.BPF_K},
	}
	conn, err := socket.SyscallConn()
	if err != nil {
		return err
	}
	var set error
	err = conn.Control(func(fd uintptr) {
		set = unix.SetsockoptSockFprog(int(fd), unix.SOL_SOCKET, unix.SO_ATTACH_FILTER,
			&unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]})
	})
	return errors.Join(err, set)
}

func closeAll(files []*os.File) error {
	var errs error
	for _, f := range files {
		errs = errors.Join(errs, f.Close())
	}
	return errs
}
