//go:build linux

package continuous

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"

	"github.com/nodefv/nodefv/workloads/load"
)

// What is on the wire: a message begins with the number of its connection and its own, and is filled up to its size. An
// answer has the same numbers, and says which server it is from. Both have a fixed size, but for HTTP's head.

const (
	magic      = 0xf5 // in the first byte of a number, so that what is not ours is known
	answerSize = 20
)

// format is how messages are put on the wire.
type format struct {
	protocol load.Protocol
	size     int
}

// header says which message it is.
type header struct {
	connection uint32 // of the table of all, those that were begun again counted anew
	number     uint64
}

func (h header) append(to []byte) []byte {
	to = binary.BigEndian.AppendUint32(to, magic<<24)
	to = binary.BigEndian.AppendUint32(to, h.connection)
	return binary.BigEndian.AppendUint64(to, h.number)
}

func parseHeader(data []byte) (h header, ok bool) {
	if len(data) < load.MinSize || binary.BigEndian.Uint32(data) != magic<<24 {
		return h, false
	}
	return header{binary.BigEndian.Uint32(data[4:]), binary.BigEndian.Uint64(data[8:])}, true
}

// encodeMessage appends a message to what is to be sent.
func (s format) encodeMessage(to []byte, h header) []byte {
	if s.protocol == load.HTTP {
		to = fmt.Appendf(to, "POST / HTTP/1.1\r\nHost: load\r\nContent-Length: %d\r\n\r\n", s.size)
	}
	return append(h.append(to), make([]byte, s.size-load.MinSize)...)
}

// encodeAnswer appends the answer of a server.
func (s format) encodeAnswer(to []byte, h header, server uint32) []byte {
	if s.protocol == load.HTTP {
		to = fmt.Appendf(to, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", answerSize)
	}
	return binary.BigEndian.AppendUint32(h.append(to), server)
}

var errGarbled = errors.New("what came is no message")

// decode cuts the first message or answer of that size from a stream, and returns how long it is; 0: it is not all
// there yet.
func (s format) decode(stream []byte, size int) (body []byte, length int, err error) {
	head := 0
	if s.protocol == load.HTTP {
		end := bytes.Index(stream, []byte("\r\n\r\n"))
		if end < 0 {
			if len(stream) > 8192 {
				err = errGarbled
			}
			return nil, 0, err
		}
		if head = end + 4; contentLength(stream[:end]) != size {
			return nil, 0, errGarbled
		}
	}
	if len(stream) < head+size {
		return nil, 0, nil
	}
	return stream[head : head+size], head + size, nil
}

// contentLength reads it from the head of a request or response; -1: it has none, or is no success.
func contentLength(head []byte) int {
	first, rest, _ := bytes.Cut(head, []byte("\r\n"))
	if bytes.HasPrefix(first, []byte("HTTP/1.1")) && !bytes.HasPrefix(first, []byte("HTTP/1.1 200")) {
		return -1
	}
	for line := range bytes.SplitSeq(rest, []byte("\r\n")) {
		name, value, _ := bytes.Cut(line, []byte(":"))
		if bytes.EqualFold(name, []byte("Content-Length")) {
			if n, err := strconv.Atoi(string(bytes.TrimSpace(value))); err == nil {
				return n
			}
		}
	}
	return -1
}
