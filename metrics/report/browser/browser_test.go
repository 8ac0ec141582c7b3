package browser

import (
	"flag"
	"net/url"
	"strings"
	"time"

	"github.com/chromedp/chromedp"
)

var recordDir = flag.String("record", "", "folder of a record whose page is tried, instead of one that is made up")

// open loads a file and says how long that took, from the request until the timeline of the run was drawn.
func (p *Tab) open(path string) time.Duration {
	p.t.Helper()
	begun := time.Now()
	p.Do(chromedp.Navigate((&url.URL{Scheme: "file", Path: path}).String()))
	Run(p, chromedp.Poll[bool](`window.report && (window.report.open(document.querySelector('[data-timeline=run]')), true)`))
	return time.Since(begun)
}

// drawAll unfolds everything and draws every timeline.
func (p *Tab) drawAll() {
	p.t.Helper()
	const unfold = `document.querySelectorAll('details').forEach(d => { d.open = true })`
	Ask[bool](p, unfold+`; document.querySelectorAll('.timeline').forEach(window.report.open); `+unfold+`; true`)
	p.Do(chromedp.Sleep(300 * time.Millisecond)) // what is unfolded is drawn by an event
}

// quiet fails if the browser complained of anything, or fetched anything besides the page.
func (p *Tab) quiet() {
	p.t.Helper()
	p.Quiet(func(url string) bool {
		return strings.HasPrefix(url, "file://") && strings.HasSuffix(url, "/report.html")
	})
}
