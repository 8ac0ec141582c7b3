//go:build linux

package web

import (
	"crypto/tls"
	"fmt"
	"io"
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/nodefv/nodefv/workloads/requests"
)

// TestFailuresHaveTheirKind wants no error to pass for another's.
func TestFailuresHaveTheirKind(t *testing.T) {
	for want, all := range map[requests.Failure][]error{
		requests.Closed:   {io.EOF, io.ErrUnexpectedEOF, errClosed},
		requests.Reset:    {os.NewSyscallError("read", unix.ECONNRESET)},
		requests.TimedOut: {os.ErrDeadlineExceeded},
		requests.Own:      {os.ErrClosed, os.NewSyscallError("socket", unix.EMFILE), &failed{requests.Own, unix.EINVAL}},
		requests.Other:    {os.NewSyscallError("connect", unix.EPERM), tls.AlertError(80)},
	} {
		for _, err := range all {
			if got := failureOf(fmt.Errorf("ask: %w", err)); got != want {
				t.Errorf("%v: %s, want %s", err, got, want)
			}
		}
	}
}
