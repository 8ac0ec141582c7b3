// Package browser is Chromium without a window, for tests of pages. Its own tests are of the page of a run: they are here because they are a
// tier of their own.
package browser

import (
	"context"
	"flag"
	"fmt"
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

var shots = flag.String("shots", "", "folder for screenshots of each page, light and dark, at 1280 and 800 pixels")

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

// Tab is an open page, with what the browser complained of and fetched.
type Tab struct {
	context.Context
	t *testing.T

	mu       sync.Mutex
	troubles []string
	fetched  []string
}

// New starts a browser with one page that is as wide as asked for. Where there is none, the test is skipped.
func New(t *testing.T, width int64) *Tab {
	t.Helper()
	options := append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]), chromedp.ExecPath(chromium(t)), chromedp.NoSandbox)
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	t.Cleanup(cancel)
	ctx, stop := chromedp.NewExecAllocator(ctx, options...)
	t.Cleanup(stop)
	ctx, closeTab := chromedp.NewContext(ctx)
	t.Cleanup(closeTab)
	p := &Tab{Context: ctx, t: t}
	if err := chromedp.Listen(ctx, p.hear); err != nil {
		t.Fatal(err)
	}
	if _, err := chromedp.Call(ctx, network.Enable, network.EnableParams{}); err != nil {
		t.Fatal(err)
	}
	p.Do(chromedp.EmulateViewport(width, 900))
	return p
}

func (p *Tab) hear(event any) {
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

// Do does what is asked for.
func (p *Tab) Do(actions ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	if err := chromedp.Do(p, actions...); err != nil {
		p.t.Fatal(err)
	}
}

// Run runs an action that returns something.
func Run[T any](p *Tab, a chromedp.Action[T]) T {
	p.t.Helper()
	v, err := chromedp.Run(p, a)
	if err != nil {
		p.t.Fatal(err)
	}
	return v
}

// Ask evaluates an expression.
func Ask[T any](p *Tab, expression string) T {
	p.t.Helper()
	return Run(p, chromedp.Evaluate[T](expression))
}

// Quiet fails if the browser complained of anything, or fetched what is not allowed.
func (p *Tab) Quiet(allowed func(url string) bool) {
	p.t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, s := range p.troubles {
		p.t.Errorf("the browser says: %s", s)
	}
	for _, u := range p.fetched {
		if !allowed(u) && !strings.HasPrefix(u, "data:") {
			p.t.Errorf("the page fetches %s", u)
		}
	}
}

// Look writes screenshots, if they are asked for.
func (p *Tab) Look(name string) {
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
			p.Do(chromedp.EmulateViewport(width, 900), chromedp.Sleep(300*time.Millisecond))
			png := Run(p, chromedp.FullScreenshot(100))
			file := filepath.Join(*shots, fmt.Sprintf("%s-%s-%d.png", name, scheme, width))
			if err := os.WriteFile(file, png, 0o644); err != nil {
				p.t.Fatal(err)
			}
		}
	}
}
