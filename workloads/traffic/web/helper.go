//go:build linux

package web

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nodefv/nodefv/metrics"
	"github.com/nodefv/nodefv/workloads/requests"
)

// helperName is what a process that asks is called, instead of a program's name: it is this program, started once more.
const helperName = "fv-web-load"

// A program that links this package is one that asks, if it is started so. That must be decided before main.
func init() {
	if len(os.Args) == 1 && os.Args[0] == helperName {
		if err := help(os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
}

// order is what a process of a load is told first.
type order struct {
	Load   requests.Load // its own share of it
	Total  uint64        // of its requests; in a closed loop that is not heeded
	Phase  float64       // of its requests, from 0 to 1
	Offset int           // of its connections among all, by which they are spread
	Files  []int         // of the namespaces of Load.From
}

// word is what it is told later: when to start (Unix, in nanoseconds), or to stop.
type word struct {
	Start int64
	Stop  bool
}

// share is a requests.Share as a process writes it.
type share struct {
	Count     requests.Count
	Seconds   []second
	Lateness  *metrics.Histogram
	Connect   *metrics.Histogram
	Standing  int
	IdleStood int
	IdleLost  int
}

// help asks as it is told, and tells what became of it. If who told it ends, it ends as well.
func help(in io.Reader, out io.Writer) error {
	runtime.LockOSThread()
	runtime.GOMAXPROCS(max(runtime.NumCPU(), 4)) // so that the thread that asks never waits for another of ours
	debug.SetGCPercent(400)
	orders := json.NewDecoder(bufio.NewReader(in))
	var o order
	if err := orders.Decode(&o); err != nil {
		return fmt.Errorf("read the order of a load: %w", err)
	}
	p, err := newPresser(o)
	if err != nil {
		return fmt.Errorf("begin a load: %w", err)
	}
	_ = unix.Prctl(unix.PR_SET_TIMERSLACK, 1, 0, 0, 0) // so that waits are exact
	go p.listen(orders)
	answers := json.NewEncoder(out)
	if err := p.run(func() { _ = answers.Encode(struct{}{}) }); err != nil {
		return fmt.Errorf("press: %w", err)
	}
	return answers.Encode(p.share())
}

// listen takes in what is told later.
func (p *presser) listen(orders *json.Decoder) {
	for {
		var w word
		if orders.Decode(&w) != nil {
			os.Exit(1) // nobody is left to tell
		}
		p.mu.Lock()
		if w.Start != 0 {
			p.started = p.now() + max(int64(time.Until(time.Unix(0, w.Start))), 0)
		}
		p.stopped = p.stopped || w.Stop
		p.mu.Unlock()
		p.rouse()
	}
}
