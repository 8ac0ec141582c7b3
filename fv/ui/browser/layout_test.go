package browser

import (
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/nodefv/nodefv/fv/ui"
	"github.com/nodefv/nodefv/metrics"
	"github.com/nodefv/nodefv/metrics/report/browser"
	"github.com/nodefv/nodefv/scenarios/effects"
	"github.com/nodefv/nodefv/scenarios/steer"
	"github.com/nodefv/nodefv/workloads/load"
)

// madeUp is a state with so many namespaces of so many workloads, a fifth of them on two other nodes, in each of which all talk with the first;
// each first one talks with the next.
func madeUp(namespaces, pods int) steer.State {
	s := steer.State{At: time.Now(), Since: time.Minute, Nodes: []steer.Node{{Name: "fv-local", Local: true}, {Name: "node-1"}, {Name: "node-2"}}}
	roles, verdicts := []string{"web", "api", "db", "cache"}, []steer.Verdict{steer.Passes, steer.Passes, steer.Passes, steer.Dropped, steer.Unsure}
	n := 0
	name := func(ns, i int) string { return fmt.Sprintf("ns-%d/%s-%d", ns, roles[i%4], i/4) }
	link := func(from, to string) {
		path := steer.Path{Rate: float64(n * n % 3000), Loss: float64(n%7) / 100, N: 5, P50: time.Duration(n*n*n) * time.Microsecond, P99: time.Second}
		s.Links = append(s.Links, steer.Link{From: from, To: to, Protocol: load.TCP, Connections: 1, Standing: 1, Verdict: verdicts[n%5], Path: path})
		s.Connections = append(s.Connections, steer.Connection{ID: fmt.Sprint("t1#", n), Traffic: "t1", Number: n, From: from, To: to, Protocol: load.TCP, Local: "10.128.0.1:4711", Remote: "10.128.0.2:5201", Stands: true, Path: path})
		n++
	}
	for ns := range namespaces {
		s.Namespaces = append(s.Namespaces, fmt.Sprint("ns-", ns))
		for i := range pods {
			p := steer.Pod{Name: name(ns, i), Namespace: fmt.Sprint("ns-", ns), Node: "fv-local", IPs: []netip.Addr{netip.AddrFrom4([4]byte{10, 128, byte(ns), byte(i + 1)})}, Labels: map[string]string{"role": roles[i%4]}}
			if i%5 == 4 {
				p.Node = s.Nodes[1+i/5%2].Name
			}
			s.Pods = append(s.Pods, p)
			if i > 0 {
				link(p.Name, name(ns, 0))
			}
		}
		if namespaces > 1 {
			link(name(ns, 0), name((ns+1)%namespaces, 0))
		}
	}
	s.Traffic = []steer.TrafficState{{Traffic: steer.Traffic{Name: "t1", Pattern: steer.Namespaces, Protocol: load.TCP, Rate: 10}, Words: "start traffic t1: in each namespace, all to the first", Number: n}}
	s.Impairments = []steer.Impaired{{
		Impair: steer.Impair{Name: "t1#1", Traffic: "t1", Connection: 1, Quality: effects.Quality{Delay: 100 * time.Millisecond}}, Words: "impair connection 1 of traffic t1: 100ms delay",
		Ways: []steer.Proof{{Packets: 80, Claims: []metrics.Claim{{Property: "delay", Asked: 0.1, Achieved: 0.1001, N: 80, State: metrics.InForce}}}},
	}}
	if len(s.Connections) > 1 {
		s.Connections[1].Impairment = "t1#1"
	}
	return s
}

// shown serves a page of a state that is made up, and opens it.
func shown(t *testing.T, s steer.State) *page {
	t.Helper()
	near, far := net.Pipe()
	l, err := ui.Listen(0)
	if err != nil {
		t.Fatal(err)
	}
	server := ui.NewServer(ui.New(ui.About{Run: "made-up", Target: "agent", Churns: []ui.ChurnChoice{{Kind: "policies", Doc: "Policies come and go."}}}, near), l)
	t.Cleanup(func() { _ = server.Close(); _ = far.Close() })
	if err := json.NewEncoder(far).Encode(steer.Message{State: &s}); err != nil {
		t.Fatal(err)
	}
	heap, cpu := 9e6, 0.1
	if err := json.NewEncoder(far).Encode(steer.Message{Gauges: &steer.Gauges{At: time.Now(), Heap: &heap, CPU: &cpu}}); err != nil {
		t.Fatal(err)
	}
	return open(t, server.URL())
}

// circle is where a workload is drawn, in pixels.
type circle struct {
	Name    string
	X, Y, R float64
}

// TestLayout wants every workload to be in its place: none upon another, all inside of their namespace and of the picture, and each link to be drawn.
func TestLayout(t *testing.T) {
	for _, c := range []struct{ namespaces, pods int }{{1, 3}, {3, 5}, {1, 50}, {10, 20}, {40, 5}} {
		t.Run(fmt.Sprintf("%d of %d", c.namespaces, c.pods), func(t *testing.T) {
			s := madeUp(c.namespaces, c.pods)
			p := shown(t, s)
			circles := browser.Ask[[]circle](p.Tab, `[...document.querySelectorAll('#graph .pod')].map(g => { const r = g.querySelector('circle:not(.target)').getBoundingClientRect(); return {name: g.dataset.pod, x: r.x + r.width / 2, y: r.y + r.height / 2, r: r.width / 2}; })`)
			if len(circles) != c.namespaces*c.pods {
				t.Errorf("%d workloads of %d are drawn", len(circles), c.namespaces*c.pods)
			}
			for i, a := range circles {
				for _, b := range circles[:i] {
					if dx, dy := a.X-b.X, a.Y-b.Y; dx*dx+dy*dy < (a.R+b.R)*(a.R+b.R) {
						t.Errorf("%s is drawn upon %s", a.Name, b.Name)
					}
				}
				if a.R < 2 {
					t.Errorf("%s is no larger than %.1f pixels", a.Name, 2*a.R)
				}
			}
			const outside = `(() => { const p = window.app.graph.plan, inside = (q, r) => q.x >= r.x && q.y >= r.y && q.x <= r.x + r.width && q.y <= r.y + r.height;
				const box = document.querySelector('#graph').getBoundingClientRect();
				return [...p.pods.values()].filter(q => !inside(q, q.ring)).length + p.rings.filter(r => p.rings.some(o => o !== r && r.x < o.x + o.width && o.x < r.x + r.width && r.y < o.y + o.height && o.y < r.y + r.height)).length +
					[...document.querySelectorAll('#graph .node')].map(n => n.getBoundingClientRect()).filter(n => n.x < box.x - 1 || n.y < box.y - 1 || n.right > box.right + 1 || n.bottom > box.bottom + 1).length; })()`
			if n := browser.Ask[int](p.Tab, outside); n > 0 {
				t.Errorf("%d workloads, namespaces or nodes are not where they belong", n)
			}
			if n := browser.Ask[int](p.Tab, `document.querySelectorAll('#graph .lines > g').length`); n != len(s.Links) {
				t.Errorf("%d links of %d are drawn", n, len(s.Links))
			}
			name := fmt.Sprintf("made-up-%d", c.namespaces*c.pods)
			if c.namespaces != 40 && c.pods != 50 {
				p.Look(name)
				p.click(`#colours label:last-of-type`)
				p.click(`#links-table tr:nth-child(2) button`)
				p.Look(name + "-chosen")
			}
			p.Quiet(func(url string) bool { return strings.HasPrefix(url, p.url) })
		})
	}
}

// TestKeyboard wants all to be done without a mouse, and to be told to who hears it.
func TestKeyboard(t *testing.T) {
	p := shown(t, madeUp(3, 5))
	press := func(keys ...string) {
		t.Helper()
		for _, k := range keys {
			p.Do(chromedp.KeyEvent(k))
		}
	}
	p.Do(chromedp.Focus(`#graph`))
	press(kb.ArrowRight)
	first := browser.Ask[string](p.Tab, `window.app.choice.link`)
	press(kb.ArrowRight)
	if second := browser.Ask[string](p.Tab, `window.app.choice.link`); first == "" || first == second {
		t.Errorf("the arrow key goes from %q to %q", first, second)
	}
	said := browser.Ask[string](p.Tab, `document.getElementById('said').textContent`)
	if !strings.Contains(said, " to ns-0/web-0 by tcp") {
		t.Errorf("of the link it is said: %q", said)
	}
	press("i")
	if open := browser.Ask[bool](p.Tab, `document.querySelector('dialog#impair').matches(':modal')`); !open {
		t.Error("I opens no dialog")
	}
	press(kb.Escape)
	p.until(`!document.querySelector('dialog')`)
	if back := browser.Ask[string](p.Tab, `document.activeElement.id`); back != "graph" {
		t.Errorf("after the dialog the focus is on %q", back)
	}
	press(kb.Enter)
	if at := browser.Ask[string](p.Tab, `document.activeElement.dataset.key || ''`); at != "impair-link" {
		t.Errorf("Enter leads to %q", at)
	}
	press("/")
	press("d", "b", "-", "0")
	if found := browser.Ask[int](p.Tab, `window.app.found.size`); found != 3 {
		t.Errorf("%d workloads are found", found)
	}
	const nameless = `[...document.querySelectorAll('button,input,select,[tabindex]')].filter(el => !(el.getAttribute('aria-label') || el.getAttribute('aria-labelledby') || el.textContent.trim() || el.closest('label')?.textContent.trim() || el.title)).map(el => el.outerHTML)`
	if all := browser.Ask[[]string](p.Tab, nameless); len(all) > 0 {
		t.Errorf("without a name for who hears the page: %q", all)
	}
}
