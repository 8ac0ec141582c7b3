package report

import (
	"context"
	"flag"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nodefv/nodefv/metrics"
)

var setClock = flag.Bool("set-clock", false, "let TestSetClockIsMarked set this machine's clock ahead by 60 ms, and back again; needs root")

// TestSetClockIsMarked sets the clock while a watch looks, as somebody may during a run, and wants every format to say so, and a budget on a time not
// to be judged.
func TestSetClockIsMarked(t *testing.T) {
	if !*setClock {
		t.Skip("without -set-clock this machine's clock is left alone")
	}
	for told, step := range map[string]time.Duration{"the clock was set ahead by ": 60 * time.Millisecond, "the clock was set back by ": -60 * time.Millisecond} {
		began := time.Now()
		var vitals []metrics.Vitals
		ctx, stop := context.WithTimeout(t.Context(), time.Second)
		set := make(chan struct{})
		time.AfterFunc(500*time.Millisecond, func() { moveClock(t, step); close(set) })
		metrics.NewWatch(200*time.Millisecond, func(v metrics.Vitals) { vitals = append(vitals, v) }).Run(ctx)
		stop()
		<-set // else it might be set when it is not set back any more
		moveClock(t, -step)
		allSay(t, doubted(t, vitals, began), told)
	}
}

// moveClock sets this machine's clock ahead, or back.
func moveClock(t *testing.T, by time.Duration) {
	var now unix.Timespec
	err := unix.ClockGettime(unix.CLOCK_REALTIME, &now)
	if err == nil {
		now = unix.NsecToTimespec(now.Nano() + int64(by))
		err = unix.ClockSettime(unix.CLOCK_REALTIME, &now)
	}
	if err != nil {
		t.Error(err)
	}
}
