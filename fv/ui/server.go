package ui

import (
	"crypto/rand"
	"crypto/subtle"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"path"
	"strings"
	"time"

	"github.com/nodefv/nodefv/scenarios/steer"
)

//go:embed assets
var assets embed.FS

// types are those of the files that a browser may get.
var types = map[string]string{".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}

// policy lets the page use what comes from its own address, and nothing else.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// longestOrder is how many bytes an order may have.
const longestOrder = 64 << 10

// Server serves a page on an address of loopback.
type Server struct {
	page     *Page
	token    string
	host     string // and port
	http     *http.Server
	listener net.Listener
}

// Listen takes a port of 127.0.0.1; 0: any.
func Listen(port int) (net.Listener, error) {
	l, err := net.Listen("tcp4", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return nil, fmt.Errorf("listen on port %d of this machine: %w; choose another one with --port", port, err)
	}
	return l, nil
}

// NewServer begins to serve a page. Close must be called.
func NewServer(p *Page, l net.Listener) *Server {
	s := &Server{page: p, token: rand.Text(), host: l.Addr().String(), listener: l}
	s.http = &http.Server{Handler: s.guard(s.routes()), ReadHeaderTimeout: 5 * time.Second}
	go func() { _ = s.http.Serve(l) }() // until Close
	return s
}

// URL is the address of the page. Who knows it may steer.
func (s *Server) URL() string { return "http://" + s.host + "/" + s.token + "/" }

// Close ends the server and all connections.
func (s *Server) Close() error { return s.http.Close() }

// guard lets through what names this server, comes from its own page if it is from a page at all, and knows the token, which it takes away.
func (s *Server) guard(next http.Handler) http.Handler {
	own := http.NewCrossOriginProtection()
	return own.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		if r.Host != s.host { // a name that somebody made lead to this machine
			http.Error(w, "this server is called "+s.host, http.StatusMisdirectedRequest)
			return
		}
		token, rest, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
		if subtle.ConstantTimeCompare([]byte(token), []byte(s.token)) != 1 {
			http.Error(w, "the token is missing or wrong: open the whole address that fv ui printed", http.StatusForbidden)
			return
		}
		r.URL.Path = "/" + rest
		next.ServeHTTP(w, r)
	}))
}

func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) { s.file(w, "index.html") })
	mux.HandleFunc("GET /{name}", func(w http.ResponseWriter, r *http.Request) { s.file(w, r.PathValue("name")) })
	mux.HandleFunc("GET /about", func(w http.ResponseWriter, r *http.Request) { answer(w, s.page.about) })
	mux.HandleFunc("GET /events", s.events)
	mux.HandleFunc("GET /scenario", s.scenario)
	mux.HandleFunc("POST /order", s.order)
	return mux
}

func (s *Server) file(w http.ResponseWriter, name string) {
	data, err := fs.ReadFile(assets, "assets/"+name)
	kind, known := types[path.Ext(name)]
	if err != nil || !known {
		http.Error(w, "there is no "+name, http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Type", kind)
	_, _ = w.Write(data)
}

func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v)
}

// order carries out an order, and says what became of it.
func (s *Server) order(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Content-Type") != "application/json" { // which no form of another page can say
		http.Error(w, "an order is application/json", http.StatusUnsupportedMediaType)
		return
	}
	var o steer.Order
	body := json.NewDecoder(http.MaxBytesReader(w, r.Body, longestOrder))
	body.DisallowUnknownFields()
	if err := body.Decode(&o); err != nil {
		http.Error(w, "this is no order: "+err.Error(), http.StatusBadRequest)
		return
	}
	var said struct {
		Error string `json:"error,omitempty"`
	}
	if err := s.page.Order(r.Context(), o); err != nil {
		said.Error = err.Error()
	}
	answer(w, said)
}

// events tells what there is, and then what is new, as server-sent events.
func (s *Server) events(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	out := http.NewResponseController(w)
	so, news, end := s.page.follow()
	defer end()
	say := func(m steer.Message) error {
		data, err := json.Marshal(m)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(w, "data: %s\n\n", data)
		return err
	}
	for _, m := range so {
		if say(m) != nil {
			return
		}
	}
	_ = out.Flush()
	for {
		select {
		case m, open := <-news:
			if !open || errors.Join(say(m), out.Flush()) != nil {
				return
			}
		case <-s.page.Ended():
			for _, m := range waiting(news) { // all that was said before the end
				if say(m) != nil {
					return
				}
			}
			_, _ = fmt.Fprint(w, "event: end\ndata: {}\n\n")
			return
		case <-r.Context().Done():
			return
		}
	}
}

// waiting takes what is in a channel now, which may be closed.
func waiting(news <-chan steer.Message) (all []steer.Message) {
	for {
		select {
		case m, open := <-news:
			if !open {
				return all
			}
			all = append(all, m)
		default:
			return all
		}
	}
}

// scenario is the source of a scenario that does again what was done.
func (s *Server) scenario(w http.ResponseWriter, r *http.Request) {
	source, err := s.page.Source(r.FormValue("name"))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	if file := r.FormValue("file"); file != "" {
		w.Header().Set("Content-Disposition", fmt.Sprintf("attachment; filename=%q", steer.FileName(r.FormValue("name"))))
	}
	_, _ = w.Write(source)
}

// Source is the source of a scenario of that name, which does again what was done.
func (p *Page) Source(name string) ([]byte, error) {
	return steer.Source(name, p.about.Stage, p.Entries())
}
