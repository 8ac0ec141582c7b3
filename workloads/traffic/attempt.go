//go:build linux

package traffic

import (
	"errors"
	"os"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nodefv/nodefv/workloads/netns"
)

// attemptBound is how long a handshake's answer says something of its first packet, which TCP sends anew after a second.
const attemptBound = 900 * time.Millisecond

// errLateAnswer says that the answer may be to a second packet.
var errLateAnswer = errors.New("the answer was noticed too late to say which packet it is to: this machine is too busy")

// attempt is a TCP handshake of a Stream.
type attempt struct {
	number uint64
	socket int
}

// attempt begins a handshake, and comes home: a thread inside a namespace keeps it alive. The lock is held.
func (s *Stream) attempt(v *netns.Visitor, t *track) {
	number, try := t.first+uint64(len(t.sent)), try{flow: t.flow, from: t.from, socket: -1}
	at, err := monotonic(), v.Enter(t.from)
	if err == nil {
		err = s.prober.connect(&try, t.ports)
	}
	if err = errors.Join(err, v.Enter(s.prober.node)); err == nil {
		t.attempts = append(t.attempts, attempt{number, try.socket})
	} else if try.socket >= 0 {
		_ = closeSocket(try.socket)
	}
	s.note(t, at, err)
}

// meet notes what became of handshakes. The lock is held.
func (s *Stream) meet(t *track) {
	t.attempts = slices.DeleteFunc(t.attempts, func(a attempt) bool {
		d, now := &t.sent[a.number-t.first], s.time(monotonic())
		established, err := a.met()
		switch {
		case established && now.Sub(d.Sent) > attemptBound:
			d.Err = errLateAnswer
		case established:
			d.Received = now
		case err != nil:
			d.Err = err
		default:
			return false
		}
		_ = closeSocket(a.socket)
		return true
	})
}

// met says whether the handshake was completed, or why it never will be; neither as long as there is no answer.
func (a attempt) met() (established bool, err error) {
	if _, err := unix.Getpeername(a.socket); err == nil {
		return true, nil
	}
	code, err := unix.GetsockoptInt(a.socket, unix.SOL_SOCKET, unix.SO_ERROR)
	if err != nil || code == 0 {
		return false, err
	}
	if err := unix.Errno(code); !errors.Is(err, unix.ECONNRESET) { // else the other side has closed what was established
		return false, err
	}
	return true, nil
}

// forget closes the handshakes that were taken for dropped.
func (t *track) forget() {
	t.attempts = slices.DeleteFunc(t.attempts, func(a attempt) bool {
		if a.number >= t.first {
			return false
		}
		_ = closeSocket(a.socket)
		return true
	})
}

// abandon closes the handshakes of which nothing is certain yet: an end of them goes. The lock is held.
func (s *Stream) abandon(t *track) {
	s.meet(t)
	for _, a := range t.attempts {
		t.sent[a.number-t.first].Err = os.ErrClosed
		_ = closeSocket(a.socket)
	}
	t.attempts = nil
}
