//go:build linux

package web

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"github.com/nodefv/nodefv/workloads"
	"github.com/nodefv/nodefv/workloads/netns"
	"github.com/nodefv/nodefv/workloads/requests"
)

// spare is how many open files a process has besides its connections, at most.
const spare = 200

// Pressing is a load under way. It asks in processes of its own, so that nothing else that this one does makes it late.
type Pressing struct {
	load    requests.Load
	helpers []*helper
	began   time.Time
	ended   sync.Once
	report  requests.Report
	err     error
}

// helper is one process that asks.
type helper struct {
	cmd    *exec.Cmd
	in     *json.Encoder
	closer io.Closer
	out    *json.Decoder
	said   bytes.Buffer // its error stream
}

// Press makes a load until its duration is over or ctx ends, and says what became of it.
func Press(ctx context.Context, pods Namespaces, l requests.Load) (requests.Report, error) {
	p, err := Start(ctx, pods, l)
	if err != nil {
		return requests.Report{}, err
	}
	return p.Wait(ctx)
}

// Press makes a load whose node is the client's. It has connections of its own.
func (c *Client) Press(ctx context.Context, l requests.Load) (r requests.Report, err error) {
	var p *Pressing
	if err := c.node.Do(func() (err error) {
		p, err = Start(ctx, c.pods, l)
		return err
	}); err != nil {
		return r, err
	}
	return p.Wait(ctx)
}

// Start begins a load, and returns once all its connections stand or have had their time. The node is the current network namespace. Wait
// or Stop must be called. Namespaces must not go before.
func Start(ctx context.Context, pods Namespaces, l requests.Load) (p *Pressing, err error) {
	if err := l.Check(); err != nil {
		return nil, err
	}
	l = l.WithDefaults()
	files, err := namespaces(pods, l.From)
	if err != nil {
		return nil, fmt.Errorf("begin a load: %w", err)
	}
	defer closeAll(files)
	if err := enough(&l); err != nil {
		return nil, fmt.Errorf("begin a load: %w", err)
	}
	p = &Pressing{load: l}
	if err := p.start(ctx, files); err != nil {
		p.kill()
		for _, h := range p.helpers {
			_ = h.cmd.Wait()
		}
		return nil, fmt.Errorf("begin a load: %w", because(ctx, err))
	}
	return p, nil
}

// start starts the processes, and tells them when to ask once the connections of all stand or have had their time.
func (p *Pressing) start(ctx context.Context, files []*os.File) error {
	for i := range p.load.Processes {
		h, err := startHelper(ctx, shareOf(p.load, i), files)
		if err != nil {
			return err
		}
		p.helpers = append(p.helpers, h)
	}
	stop := context.AfterFunc(ctx, p.kill)
	defer stop()
	for _, h := range p.helpers {
		var ready struct{}
		if err := h.out.Decode(&ready); err != nil {
			return h.failure(err)
		}
	}
	p.began = time.Now().Add(50 * time.Millisecond)
	for _, h := range p.helpers {
		if err := h.in.Encode(word{Start: p.began.UnixNano()}); err != nil {
			return h.failure(err)
		}
	}
	return nil
}

// because is why something failed: the cause of the end of ctx, if that has ended, for then we ended the processes ourselves.
func because(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// shareOf is what one process does of a load.
func shareOf(l requests.Load, i int) order {
	n := l.Processes
	o := order{Phase: float64(i) / float64(n), Offset: i * (l.Connections + l.Idle) / n}
	all := int(l.Rate * l.Duration.Seconds())
	part := func(all int) int { return (all + n - 1 - i) / n }
	l.Connections, l.Idle = part(l.Connections), part(l.Idle)
	l.Rate, l.ConnectRate = l.Rate/float64(n), l.ConnectRate/float64(n)
	o.Load, o.Total = l, uint64(part(all))
	return o
}

// enough sees that the limit of open files allows the connections of each process; where it says nothing of their number, it is the least.
func enough(l *requests.Load) error {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return fmt.Errorf("read the limit of open files: %w", err)
	}
	room := int(min(limit.Max, 1<<24)) - spare - len(l.From)
	all := l.Connections + l.Idle
	if room < 1 {
		return fmt.Errorf("a process may have %d open files: raise `ulimit -n`", limit.Max)
	}
	need := (all + room - 1) / room
	if l.Processes == 0 {
		l.Processes = need
	}
	l.Processes = min(l.Processes, l.Connections)
	if l.Processes < need {
		return fmt.Errorf("%d connections in %d processes: each may have %d open files; raise `ulimit -n` or ask for %d processes", all, l.Processes, limit.Max, need)
	}
	return nil
}

// namespaces are those of origins, as descriptors for other processes.
func namespaces(pods Namespaces, from []requests.Origin) (files []*os.File, err error) {
	for _, o := range from {
		var f *os.File
		if o.Pod == (workloads.Key{}) {
			f, err = os.Open("/proc/thread-self/ns/net")
		} else if ns, ok := pods.Namespace(o.Pod); ok {
			f, err = ns.File()
		} else {
			err = fmt.Errorf("pod %s is not plugged: %w", o.Pod, os.ErrNotExist)
		}
		if err != nil {
			closeAll(files)
			return nil, err
		}
		files = append(files, f)
	}
	return files, nil
}

func closeAll(files []*os.File) {
	for _, f := range files {
		_ = f.Close()
	}
}

func startHelper(ctx context.Context, o order, files []*os.File) (*helper, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	h := &helper{cmd: exec.Command("/proc/self/exe")}
	h.cmd.Args = []string{helperName}
	h.cmd.Stderr = &h.said
	h.cmd.ExtraFiles = files
	in, err := h.cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := h.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	h.in, h.closer, h.out = json.NewEncoder(in), in, json.NewDecoder(out)
	if err := h.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start a process that asks: %w", err)
	}
	for i := range files {
		o.Files = append(o.Files, 3+i)
	}
	stop := context.AfterFunc(ctx, h.kill)
	defer stop()
	if err := h.in.Encode(o); err != nil {
		return nil, h.failure(err)
	}
	return h, nil
}

// failure is an error of talking to a process, which it ends, with what that said itself.
func (h *helper) failure(err error) error {
	h.kill()
	_ = h.cmd.Wait()
	if said := bytes.TrimSpace(h.said.Bytes()); len(said) > 0 {
		return fmt.Errorf("%s (%w)", said, err)
	}
	return fmt.Errorf("a process that asks ended: %s (%w)", h.cmd.ProcessState, err)
}

// Processes are the numbers of the processes that ask.
func (p *Pressing) Processes() (all []int) {
	for _, h := range p.helpers {
		all = append(all, h.cmd.Process.Pid)
	}
	return all
}

func (p *Pressing) kill() {
	for _, h := range p.helpers {
		h.kill()
	}
}

func (h *helper) kill() {
	_ = h.closer.Close()
	_ = h.cmd.Process.Kill()
}

// Stop ends the load, but for answers that are under way, and says what became of it.
func (p *Pressing) Stop() (requests.Report, error) {
	for _, h := range p.helpers {
		_ = h.in.Encode(word{Stop: true}) // one that has ended needs no word
	}
	return p.Wait(context.Background())
}

// Wait waits for the end of the load, and says what became of it. If ctx ends, the load is ended at once and nothing is known of it.
func (p *Pressing) Wait(ctx context.Context) (requests.Report, error) {
	p.ended.Do(func() {
		stop := context.AfterFunc(ctx, p.kill)
		defer stop()
		shares := make([]requests.Share, len(p.helpers))
		var all errgroup.Group
		for i, h := range p.helpers {
			all.Go(func() error {
				if err := h.out.Decode(&shares[i]); err != nil {
					err = h.failure(err)
					p.kill() // without it nothing is known of the whole
					return err
				}
				_ = h.closer.Close()
				_ = h.cmd.Wait()
				return nil
			})
		}
		if err := all.Wait(); err != nil {
			p.err = fmt.Errorf("load of requests: %w", because(ctx, err))
			return
		}
		p.report, p.err = requests.Join(p.load, p.began, min(time.Since(p.began), p.load.Duration), shares)
	})
	return p.report, p.err
}

var _ Namespaces = (*netns.Plugger)(nil)
