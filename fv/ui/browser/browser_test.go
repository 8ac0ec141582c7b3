// Package browser tests the page on which a cluster is steered, in Chromium and on a real agent. It holds tests alone, in a package of their
// own because they are a tier of their own.
package browser

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/nodefv/nodefv/metrics/report/browser"
)

var (
	given = flag.String("url", "", "address of a page that is served already")
	start = flag.Bool("up", false, "start an environment, and serve the page of that")
)

// fv is the harness of this checkout. Without it, or without root, the test is skipped.
func fv(t *testing.T) string {
	t.Helper()
	path, err := filepath.Abs("../../../bin/fv")
	if err != nil {
		t.Fatal(err)
	}
	why := ""
	if _, err := os.Stat(path); err != nil {
		why = "bin/fv is not built: make build"
	} else if os.Geteuid() != 0 {
		why = "an environment needs root"
	} else if !*start {
		why = "no page is given by -url, and no environment is to be started, without -up"
	}
	if why == "" {
		return path
	}
	if slices.Contains(strings.Split(os.Getenv("FV_REQUIRE"), ","), "browser") {
		t.Fatal(why)
	}
	t.Skip(why)
	return ""
}

// served starts an environment and a page on it with some flags, and returns the page's address. At the end, both are ended as a user ends them.
func served(t *testing.T, flags ...string) string {
	t.Helper()
	if *given != "" {
		return *given
	}
	program, out := fv(t), t.TempDir()
	said, err := exec.Command(program, "up", "--runtime", "local").CombinedOutput()
	if err != nil {
		t.Fatalf("fv up: %v\n%s", err, said)
	}
	run := regexp.MustCompile(`(?m)^run +(\S+)$`).FindStringSubmatch(string(said))[1]
	t.Cleanup(func() {
		if said, err := exec.Command(program, "down", run).CombinedOutput(); err != nil {
			t.Errorf("fv down: %v\n%s", err, said)
		}
	})
	c := exec.Command(program, append([]string{"ui", "--run", run, "--out", out}, flags...)...)
	c.Stderr = os.Stderr
	output, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	lines, tail := bufio.NewReader(output), make(chan string, 1)
	t.Cleanup(func() {
		_ = c.Process.Signal(syscall.SIGINT)
		rest := <-tail
		if err := c.Wait(); err != nil {
			t.Errorf("fv ui after Ctrl-C: %v\n%s", err, rest)
		}
	})
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			tail <- line
			t.Fatalf("fv ui ended before it was ready: %v", err)
		}
		if _, url, ok := strings.Cut(line, "open  "); ok {
			go func() {
				rest, _ := io.ReadAll(lines)
				tail <- string(rest)
			}()
			return strings.TrimSpace(url)
		}
	}
}

// page is an open page of a session.
type page struct {
	*browser.Tab
	t   *testing.T
	url string
}

func open(t *testing.T, url string) *page {
	t.Helper()
	p := &page{browser.New(t, 1440), t, url}
	p.Do(chromedp.Navigate(url))
	p.until(`window.app && window.app.state`)
	return p
}

// until waits until an expression is true.
func (p *page) until(expression string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.Tab, 30*time.Second)
	defer cancel()
	for {
		is, err := chromedp.Run(ctx, chromedp.Evaluate[bool](`Boolean(`+expression+`)`))
		if err == nil && is {
			return
		}
		if ctx.Err() != nil {
			p.t.Fatalf("it never was so: %s (%v)", expression, err)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// click clicks with the mouse on the middle of what a selector finds.
func (p *page) click(selector string) {
	p.t.Helper()
	type point struct{ X, Y float64 }
	at := browser.Ask[point](p.Tab, fmt.Sprintf(`(() => { const el = document.querySelector(%q); el.scrollIntoView({block: 'nearest'}); const r = el.getBoundingClientRect(); return {x: r.x + r.width / 2, y: r.y + r.height / 2}; })()`, selector))
	p.Do(chromedp.MouseClickXY(at.X, at.Y))
}

// fill types into a field of the open dialog.
func (p *page) fill(name, value string) {
	p.t.Helper()
	selector := fmt.Sprintf("dialog [name=%s]", name)
	browser.Ask[bool](p.Tab, fmt.Sprintf(`(document.querySelector(%q).select(), true)`, selector))
	p.click(selector)
	browser.Ask[bool](p.Tab, fmt.Sprintf(`(document.querySelector(%q).select(), true)`, selector))
	p.Do(chromedp.KeyEvent(value))
}

// connection is one as the page knows it.
type connection struct {
	ID, From, To, Impairment string
	N                        int
	P50                      float64
	Lost                     int
}

func (p *page) connections() []connection {
	return browser.Ask[[]connection](p.Tab, `window.app.state.connections`)
}

// TestOneConnectionOfMany sets 100 ms on one connection by mouse, and wants it in what is measured of that connection and of no other; then it
// is changed, and ended.
func TestOneConnectionOfMany(t *testing.T) {
	p := open(t, served(t, "--namespaces", "2", "--pods", "4"))
	p.click(`[data-open=traffic]`)
	p.fill("connections", "5")
	p.click(`dialog [type=submit]`)
	p.until(`window.app.state.connections.length > 5 && window.app.state.connections.every(c => c.n > 0)`)
	one := p.connections()[2].ID
	link := browser.Ask[string](p.Tab, fmt.Sprintf(`(() => { const c = window.app.state.connections.find(c => c.id === %q); return window.app.state.links.find(l => l.from === c.from && l.to === c.to).key; })()`, one))
	p.click(fmt.Sprintf(`[data-row=%q] button`, link))
	p.click(fmt.Sprintf(`[data-connection=%q] button`, one))
	p.fill("delay", "100")
	p.click(`dialog [type=submit]`)
	p.until(`document.querySelector('dialog [data-claim=delay].in-force')`)
	p.Look("impaired")
	p.click(`dialog [data-key=close]`)
	settled := fmt.Sprintf(`window.app.state.connections.find(c => c.id === %q).p50 > 90e6`, one)
	p.until(settled)
	p.apart(one, 100)
	p.Look("connection")
	p.click(fmt.Sprintf(`[data-connection=%q] button`, one))
	p.fill("delay", "20")
	p.click(`dialog [type=submit]`)
	p.until(fmt.Sprintf(`(c => c.n > 0 && c.p50 < 60e6)(window.app.state.connections.find(c => c.id === %q))`, one))
	p.click(`dialog [data-key=close]`)
	p.apart(one, 20)
	p.click(fmt.Sprintf(`[data-key=%q]`, "mend-"+one))
	p.until(`window.app.state.impairments.length === 0`)
	p.Quiet(func(url string) bool { return strings.HasPrefix(url, p.url) })
}

// apart wants the measured delay of one connection to be that of the impairment, and of every other one to be far from it. The machine may
// be busy, so medians count.
func (p *page) apart(one string, asked float64) {
	p.t.Helper()
	var others []float64
	for _, c := range p.connections() {
		ms := c.P50 / 1e6
		if c.ID == one {
			if ms < asked || c.Lost > 0 {
				p.t.Errorf("connection %s takes %.1f ms and lost %d, asked for %g ms", one, ms, c.Lost, asked)
			}
			continue
		}
		if c.N > 0 {
			others = append(others, ms)
		}
		if c.Impairment != "" {
			p.t.Errorf("connection %s is said to be impaired", c.ID)
		}
	}
	slices.Sort(others)
	if len(others) < 5 || others[len(others)/2] > asked/2 {
		p.t.Errorf("the other connections take %v ms", others)
	}
}
