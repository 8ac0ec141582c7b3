//go:build linux

package web

import (
	"bytes"
	"errors"
	"strconv"
)

// mostHead is how many bytes the head of a message has at most.
const mostHead = 64 << 10

var errGarbled = errors.New("what came is no HTTP/1.1 message")

// head is what we heed of a message's head.
type head struct {
	first   []byte // the first line
	length  int    // of the body, which follows; -1: not said
	chunked bool
	closes  bool   // the connection ends after it
	backend []byte // the value of BackendHeader
	size    int    // the value of SizeHeader; -1: none
	status  int    // the value of StatusHeader, or of an answer's first line; 0: none
}

// parseHead reads a head from the beginning of a stream, and returns where the body begins; 0: the head is not all there. It holds on
// to the stream.
func parseHead(stream []byte) (h head, at int, err error) {
	end := bytes.Index(stream, []byte("\r\n\r\n"))
	if end < 0 {
		if len(stream) > mostHead {
			err = errGarbled
		}
		return h, 0, err
	}
	h.length, h.size = -1, -1
	rest := stream[:end]
	h.first, rest, _ = bytes.Cut(rest, []byte("\r\n"))
	h.closes = bytes.Contains(h.first, []byte("HTTP/1.0"))
	for len(rest) > 0 {
		var line []byte
		line, rest, _ = bytes.Cut(rest, []byte("\r\n"))
		name, value, ok := bytes.Cut(line, []byte(":"))
		if !ok {
			return h, 0, errGarbled
		}
		if err := h.heed(name, bytes.TrimSpace(value)); err != nil {
			return h, 0, err
		}
	}
	return h, end + 4, nil
}

// heed takes in one header. Its name's length tells most of them apart.
func (h *head) heed(name, value []byte) (err error) {
	is := func(s string) bool { return len(name) == len(s) && bytes.EqualFold(name, []byte(s)) }
	switch {
	case is("Content-Length"):
		h.length, err = number(value)
	case is("Transfer-Encoding"):
		h.chunked = bytes.EqualFold(value, []byte("chunked"))
	case is("Connection"):
		h.closes = h.closes && !bytes.EqualFold(value, []byte("keep-alive")) || bytes.EqualFold(value, []byte("close"))
	case is(backendHeader):
		h.backend = value
	case is(sizeHeader):
		h.size, err = number(value)
	case is(statusHeader):
		h.status, err = number(value)
	}
	return err
}

func number(text []byte) (int, error) {
	n, err := strconv.Atoi(string(text))
	if err != nil || n < 0 {
		return -1, errGarbled
	}
	return n, nil
}

// answerStatus reads the status of an answer's first line.
func answerStatus(first []byte) (int, error) {
	if len(first) < 12 || !bytes.HasPrefix(first, []byte("HTTP/1.")) || first[8] != ' ' {
		return 0, errGarbled
	}
	return number(first[9:12])
}
