package browser

import (
	"context"
	"flag"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

var (
	recordDir = flag.String("record", "", "folder of a record whose page is tried, instead of one that is made up")
	shots     = flag.String("shots", "", "folder for screenshots of each page, light and dark, at 1280 and 800 pixels")
)

// chromium finds the browser, or skips the test.
func chromium(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "headless-shell"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	const why = "there is no Chromium here: apt-get install chromium"
	if slices.Contains(strings.Split(os.Getenv("FV_REQUIRE"), ","), "browser") {
		t.Fatal(why)
	}
	t.Skip(why)
	return ""
}

// tab is an open page, with what the browser complained of and fetched.
type tab struct {
	context.Context
	t *testing.T

	mu       sync.Mutex
	troubles []string
	fetched  []string
}

// newTab starts a browser with one page that is as wide as asked for.
func newTab(t *testing.T, width int64) *tab {
	t.Helper()
	options := append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]), chromedp.ExecPath(chromium(t)), chromedp.NoSandbox)
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	t.Cleanup(cancel)
	ctx, stop := chromedp.NewExecAllocator(ctx, options...)
	t.Cleanup(stop)
	ctx, closeTab := chromedp.NewContext(ctx)
	t.Cleanup(closeTab)
	p := &tab{Context: ctx, t: t}
	if err := chromedp.Listen(ctx, p.hear); err != nil {
		t.Fatal(err)
	}
	if _, err := chromedp.Call(ctx, network.Enable, network.EnableParams{}); err != nil {
		t.Fatal(err)
	}
	p.do(chromedp.EmulateViewport(width, 900))
	return p
}

func (p *tab) hear(event any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		text := e.ExceptionDetails.Text
		if e.ExceptionDetails.Exception != nil {
			text += " " + e.ExceptionDetails.Exception.Description
		}
		p.troubles = append(p.troubles, text)
	case *runtime.EventConsoleAPICalled:
		for _, a := range e.Args {
			p.troubles = append(p.troubles, string(a.Value)+a.Description)
		}
	case *log.EventEntryAdded:
		p.troubles = append(p.troubles, e.Entry.Text)
	case *network.EventRequestWillBeSent:
		p.fetched = append(p.fetched, e.Request.URL)
	}
}

func (p *tab) do(actions ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	if err := chromedp.Do(p, actions...); err != nil {
		p.t.Fatal(err)
	}
}

// run runs an action that returns something.
func run[T any](p *tab, a chromedp.Action[T]) T {
	p.t.Helper()
	v, err := chromedp.Run(p, a)
	if err != nil {
		p.t.Fatal(err)
	}
	return v
}

// ask evaluates an expression.
func ask[T any](p *tab, expression string) T {
	p.t.Helper()
	return run(p, chromedp.Evaluate[T](expression))
}

// open loads a file and says how long that took, from the request until the timeline of the run was drawn.
func (p *tab) open(path string) time.Duration {
	p.t.Helper()
	begun := time.Now()
	p.do(chromedp.Navigate((&url.URL{Scheme: "file", Path: path}).String()))
	run(p, chromedp.Poll[bool](`window.report && (window.report.open(document.querySelector('[data-timeline=run]')), true)`))
	return time.Since(begun)
}

// drawAll unfolds everything and draws every timeline.
func (p *tab) drawAll() {
	p.t.Helper()
	const unfold = `document.querySelectorAll('details').forEach(d => { d.open = true })`
	ask[bool](p, unfold+`; document.querySelectorAll('.timeline').forEach(window.report.open); `+unfold+`; true`)
	p.do(chromedp.Sleep(300 * time.Millisecond)) // what is unfolded is drawn by an event
}

// quiet fails if the browser complained of anything, or fetched anything besides the page.
func (p *tab) quiet() {
	p.t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, s := range p.troubles {
		p.t.Errorf("the browser says: %s", s)
	}
	for _, u := range p.fetched {
		if !strings.HasPrefix(u, "file://") || !strings.HasSuffix(u, "/report.html") {
			if !strings.HasPrefix(u, "data:") {
				p.t.Errorf("the page fetches %s", u)
			}
		}
	}
}

// look writes screenshots, if they are asked for.
func (p *tab) look(name string) {
	p.t.Helper()
	if *shots == "" {
		return
	}
	for _, scheme := range []string{"light", "dark"} {
		for _, width := range []int64{1280, 800} {
			media := emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}}
			if _, err := chromedp.Call(p, emulation.SetEmulatedMedia, media); err != nil {
				p.t.Fatal(err)
			}
			p.do(chromedp.EmulateViewport(width, 900), chromedp.Sleep(300*time.Millisecond))
			png := run(p, chromedp.FullScreenshot(100))
			file := filepath.Join(*shots, fmt.Sprintf("%s-%s-%d.png", name, scheme, width))
			if err := os.WriteFile(file, png, 0o644); err != nil {
				p.t.Fatal(err)
			}
		}
	}
}
