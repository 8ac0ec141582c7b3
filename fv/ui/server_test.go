package ui

import (
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/nodefv/nodefv/scenarios/steer"
)

// rig is a page whose session takes every order and says so.
type rig struct {
	server *Server
	page   *Page
	orders chan steer.Request
	end    net.Conn // the session's
}

func newRig(t *testing.T) *rig {
	t.Helper()
	near, far := net.Pipe()
	l, err := Listen(0)
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{page: New(About{Run: "r", Stage: steer.Stage{Nodes: 1, Namespaces: 1, Pods: 2, Local: -1}}, near), orders: make(chan steer.Request, 8), end: far}
	r.server = NewServer(r.page, l)
	t.Cleanup(func() { _ = r.server.Close(); _ = far.Close() })
	go func() {
		requests := json.NewDecoder(far)
		for {
			var q steer.Request
			if requests.Decode(&q) != nil {
				return
			}
			r.orders <- q
			_ = json.NewEncoder(far).Encode(steer.Message{Answer: &steer.Answer{ID: q.ID}})
		}
	}()
	return r
}

const order = `{"mend":"*"}`

// TestWhoMaySteer wants an order to be carried out for who knows the token and comes from the page, and for nobody else.
func TestWhoMaySteer(t *testing.T) {
	r := newRig(t)
	url, root := r.server.URL(), "http://"+r.server.host+"/"
	type change func(*http.Request)
	header := func(name, value string) change { return func(q *http.Request) { q.Header.Set(name, value) } }
	for what, c := range map[string]struct {
		url  string
		as   change
		want int
	}{
		"the page":                      {url, header("Origin", strings.TrimSuffix(root, "/")), 200},
		"a program":                     {url, header("X-Nothing", ""), 200},
		"no token":                      {root, header("X-Nothing", ""), 403},
		"a wrong token":                 {root + "ZTFRGL6GJ5QQHRZ3D7L6WNZ4AY/", header("X-Nothing", ""), 403},
		"a part of the token":           {url[:len(url)-2] + "/", header("X-Nothing", ""), 403},
		"another page":                  {url, header("Origin", "http://example.org"), 403},
		"another page, as browsers say": {url, header("Sec-Fetch-Site", "cross-site"), 403},
		"another name of this machine":  {url, func(q *http.Request) { q.Host = "example.org" }, 421},
		"a form":                        {url, header("Content-Type", "text/plain"), 415},
	} {
		q, err := http.NewRequest(http.MethodPost, c.url+"order", strings.NewReader(order))
		if err != nil {
			t.Fatal(err)
		}
		q.Header.Set("Content-Type", "application/json")
		c.as(q)
		a, err := http.DefaultClient.Do(q)
		if err != nil {
			t.Fatal(err)
		}
		_ = a.Body.Close()
		if a.StatusCode != c.want {
			t.Errorf("%s: %s, want %d", what, a.Status, c.want)
		}
		if carried := len(r.orders) == 1; carried != (c.want == 200) {
			t.Errorf("%s: carried out: %v", what, carried)
		}
		for len(r.orders) > 0 {
			<-r.orders
		}
	}
}

// TestNothingIsReadWithoutToken wants each path to be closed to who does not know the token, and every answer to forbid what is not the page's.
func TestNothingIsReadWithoutToken(t *testing.T) {
	r := newRig(t)
	for path, want := range map[string]int{"": 200, "about": 200, "app.js": 200, "ui.css": 200, "scenario?name=x": 400, "none.js": 404, "..%2fserver.go": 403} {
		a, err := http.Get(r.server.URL() + path)
		if err != nil {
			t.Fatal(err)
		}
		_ = a.Body.Close()
		if a.StatusCode != want || a.Header.Get("Content-Security-Policy") != policy {
			t.Errorf("%q: %s, %v", path, a.Status, a.Header)
		}
		if a, err = http.Get("http://" + r.server.host + "/" + path); err != nil {
			t.Fatal(err)
		}
		_ = a.Body.Close()
		if a.StatusCode != 403 {
			t.Errorf("%q without token: %s", path, a.Status)
		}
	}
	if host, _, _ := net.SplitHostPort(r.server.host); host != "127.0.0.1" {
		t.Errorf("it listens on %s", host)
	}
}

// TestLatecomerIsToldAll wants a page that is opened late to be told what was told before, and then what is new.
func TestLatecomerIsToldAll(t *testing.T) {
	r := newRig(t)
	say := json.NewEncoder(r.end)
	for n := range 2 {
		if err := say.Encode(steer.Message{Entry: &steer.Entry{Number: n + 1, Order: steer.Order{Mend: "*"}, At: time.Second}}); err != nil {
			t.Fatal(err)
		}
	}
	if err := say.Encode(steer.Message{State: &steer.State{Trouble: "some"}}); err != nil {
		t.Fatal(err)
	}
	a, err := http.Get(r.server.URL() + "events")
	if err != nil {
		t.Fatal(err)
	}
	defer a.Body.Close()
	if err := say.Encode(steer.Message{Entry: &steer.Entry{Number: 3}}); err != nil {
		t.Fatal(err)
	}
	_ = r.end.Close()
	said, err := io.ReadAll(a.Body)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"trouble":"some"`, `"number":1`, `"number":2`, `"number":3`, "event: end"} {
		if strings.Count(string(said), want) != 1 {
			t.Errorf("%s is not told once:\n%s", want, said)
		}
	}
}
