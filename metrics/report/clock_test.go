package report

import (
	"context"
	"flag"
	"strings"
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
		time.AfterFunc(500*time.Millisecond, func() { moveClock(t, step) })
		metrics.NewWatch(200*time.Millisecond, func(v metrics.Vitals) { vitals = append(vitals, v) }).Run(ctx)
		stop()
		moveClock(t, -step)
		sc := Scenario{Name: "churn", Started: began, Ended: time.Now(), Verdict: metrics.Pass}
		rec := Record{Run: Run{ID: "clock", Started: began}, Vitals: vitals, Scenarios: []Scenario{sc}, Verdict: metrics.Pass}
		rec.Scenarios[0].Validity = rec.ValidityOf(sc)
		rec.Validity = rec.RunValidity()
		t.Log(rec.Validity)
		if Falsified(rec.Doubts(sc), Times) == "" {
			t.Fatalf("its times are believed; %s", rec.Watched())
		}
		for file, text := range outputs(t, rec) {
			if !strings.Contains(text, told) {
				t.Errorf("%s does not say that %s…", file, told)
			}
		}
	}
}

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
