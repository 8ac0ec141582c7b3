//go:build linux

package web

import (
	"bytes"
	"strconv"
)

// reading is an answer that is read as it comes.
type reading struct {
	bare     bool // it has no body, because of what was asked
	headed   bool
	status   int
	backend  []byte // a copy: what was read of it is overwritten before the body has come
	closes   bool
	in       []byte // of a head that is not all there, or a line of a chunk
	left     int    // bytes of the body, or of the chunk
	chunked  bool
	trailing bool // the last chunk has come
	endless  bool // the body ends with the connection
}

// feed takes in what came; done: the answer is complete. What comes after it is garbled: we ask one thing at a time.
func (r *reading) feed(data []byte) (done bool, err error) {
	if !r.headed {
		if len(r.in) > 0 {
			data = append(r.in, data...)
			r.in = nil
		}
		at, err := r.head(data)
		if err != nil || at == 0 {
			return false, err
		}
		data = data[at:]
	}
	if r.chunked {
		return r.chunks(data)
	}
	if r.endless {
		return false, nil
	}
	if len(data) > r.left {
		return false, errGarbled
	}
	r.left -= len(data)
	return r.left == 0, nil
}

// head reads the head; at 0: it is not all there.
func (r *reading) head(data []byte) (at int, err error) {
	h, at, err := parseHead(data)
	if err != nil {
		return 0, err
	}
	if at == 0 {
		r.in = bytes.Clone(data)
		return 0, nil
	}
	if r.status, err = answerStatus(h.first); err != nil {
		return 0, err
	}
	r.headed, r.backend, r.closes = true, append(r.backend[:0], h.backend...), h.closes
	switch {
	case r.bare || r.status == 204 || r.status == 304:
	case h.chunked:
		r.chunked = true
	case h.length >= 0:
		r.left = h.length
	default:
		r.endless, r.closes = true, true
	}
	return at, nil
}

// chunks reads a body in chunks (RFC 9112, 7.1).
func (r *reading) chunks(data []byte) (done bool, err error) {
	if len(r.in) > 0 {
		data = append(r.in, data...)
		r.in = nil
	}
	for {
		n := min(r.left, len(data)) // of the chunk, with its end of line
		r.left -= n
		data = data[n:]
		line, rest, ok := bytes.Cut(data, []byte("\r\n"))
		if r.left > 0 || !ok {
			if len(data) > mostHead {
				return false, errGarbled
			}
			r.in = bytes.Clone(data)
			return false, nil
		}
		data = rest
		if r.trailing {
			if len(line) == 0 {
				return true, after(data)
			}
			continue
		}
		size, _, _ := bytes.Cut(line, []byte(";"))
		k, err := strconv.ParseUint(string(bytes.TrimSpace(size)), 16, 31)
		if err != nil {
			return false, errGarbled
		}
		if k == 0 {
			r.trailing = true
		} else {
			r.left = int(k) + 2
		}
	}
}

func after(rest []byte) error {
	if len(rest) > 0 {
		return errGarbled
	}
	return nil
}

// over reports whether the end of the connection is the answer's proper end.
func (r *reading) over() bool { return r.headed && r.endless }
