// Package sites says where a Go program holds memory and goroutines: by function and line, and which of these places hold more and more.
//
// It owns the reading of profiles as runtime/pprof writes them. What it makes is plain data, safe for concurrent reading.
package sites

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path"
	"slices"
	"strings"

	"github.com/google/pprof/profile"
)

// Kind is what a profile counts.
type Kind string

// The kinds, named as the debug endpoint names them.
const (
	Heap       Kind = "heap"
	Goroutines Kind = "goroutine"
	Leaked     Kind = "goroutineleak" // goroutines that nothing can wake, as a garbage collection finds them; programs built with Go 1.27 tell them
)

// ErrNone says that a program has no profile of that kind.
var ErrNone = errors.New("there is no such profile")

// Site is a place in the source.
type Site struct {
	Function string `json:"function"` // with its package's path
	File     string `json:"file"`     // the last two elements of its path
	Line     int    `json:"line"`
}

// String returns function, file and line.
func (s Site) String() string { return fmt.Sprintf("%s (%s:%d)", s.Function, s.File, s.Line) }

// Held is what is held by one site.
type Held struct {
	Objects int64 // objects in use, or goroutines
	Bytes   int64 // of the objects; of goroutines 0: their profile does not say
	Stack   []string
}

// Table is a profile by sites. Exact tells that every object was counted, as GODEBUG=memprofilerate=1 makes it; goroutines always are.
type Table struct {
	Held  map[Site]Held
	Exact bool
}

// Total is what all sites hold together.
func (t Table) Total() Held {
	var sum Held
	for _, h := range t.Held {
		sum.Objects, sum.Bytes = sum.Objects+h.Objects, sum.Bytes+h.Bytes
	}
	return sum
}

// Both returns what each of two profiles holds at least, site by site: what was on its way in one of them is not in it.
func (t Table) Both(other Table) Table {
	both := Table{Held: map[Site]Held{}, Exact: t.Exact && other.Exact}
	for site, a := range t.Held {
		b := other.Held[site]
		a.Objects, a.Bytes = min(a.Objects, b.Objects), min(a.Bytes, b.Bytes)
		if a.Objects > 0 {
			both.Held[site] = a
		}
	}
	return both
}

// deepest is how many frames of a stack are kept.
const deepest = 12

// Fetch reads a profile from the /debug/pprof of a program. The heap is collected before. It returns the profile's bytes as well, which
// `go tool pprof` opens. The error wraps ErrNone if the program has none of that kind.
func Fetch(ctx context.Context, client *http.Client, base string, k Kind) (Table, []byte, error) {
	url := base + "/debug/pprof/" + string(k)
	if k == Heap {
		url += "?gc=1"
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return Table{}, nil, err
	}
	response, err := client.Do(request)
	if err != nil {
		return Table{}, nil, err
	}
	defer response.Body.Close()
	if response.StatusCode == http.StatusNotFound {
		return Table{}, nil, fmt.Errorf("%s: %w", url, ErrNone)
	}
	if response.StatusCode != http.StatusOK {
		return Table{}, nil, fmt.Errorf("%s: %s", url, response.Status)
	}
	data, err := io.ReadAll(response.Body)
	if err != nil {
		return Table{}, nil, fmt.Errorf("read %s: %w", url, err)
	}
	t, err := Read(k, data)
	return t, data, err
}

// Read takes a profile apart. Unique values that a program gives up late are left out of its heap.
func Read(k Kind, data []byte) (Table, error) {
	p, err := profile.Parse(bytes.NewReader(data))
	if err != nil {
		return Table{}, fmt.Errorf("read %s profile: %w", k, err)
	}
	objects, inBytes := index(p, "inuse_objects"), index(p, "inuse_space")
	if k != Heap {
		objects = index(p, string(k))
	}
	if objects < 0 || k == Heap && inBytes < 0 {
		return Table{}, fmt.Errorf("read %s profile: it counts other things", k)
	}
	t := Table{Held: map[Site]Held{}, Exact: k != Heap || p.Period == 1}
	known, most := frames{}, map[Site]*profile.Sample{}
	late := k == Heap && uniqueLate(p)
	for _, s := range p.Sample {
		if late && known.passes(s, uniqueMake) {
			continue
		}
		site := known.place(s)
		h := t.Held[site]
		n := s.Value[objects]
		if of := most[site]; of == nil || n > of.Value[objects] {
			most[site] = s
		}
		h.Objects += n
		if k == Heap {
			h.Bytes += s.Value[inBytes]
		}
		t.Held[site] = h
	}
	for site, s := range most {
		h := t.Held[site]
		if h.Objects > 0 {
			h.Stack = known.stack(s)
		}
		t.Held[site] = h
	}
	return t, nil
}

// uniqueMake begins the name of the function that makes entries of Go's table of unique values, uniqueSince those of the table since Go 1.25.
const uniqueMake, uniqueSince = "unique.Make[", "unique.(*canonMap["

// uniqueLate reports whether a program gives up unique values late, as Go 1.23 and 1.24 do: who clears their table is woken as a collection begins, asks
// each entry for its value (unique.registerCleanup), and that marks the value as alive if the collection is still marking
// (runtime.internal_weak_runtime_makeStrongFromWeak). So a value that nobody has lasts until a collection is faster, by chance. What they hold is no
// reading then. Who keeps such a value has a pointer to it, and that counts where it is.
func uniqueLate(p *profile.Profile) bool {
	return !slices.ContainsFunc(p.Function, func(f *profile.Function) bool { return strings.HasPrefix(f.Name, uniqueSince) })
}

func index(p *profile.Profile, name string) int {
	return slices.IndexFunc(p.SampleType, func(t *profile.ValueType) bool { return t.Type == name })
}

// frames are the calls at each location, from the inside. A profile that counts every allocation has tens of thousands of stacks over a few thousand
// locations, so each location is read once.
type frames map[*profile.Location][]frame

// frame is a call, and whether its function is the program's own.
type frame struct {
	Site
	own bool
}

func (f frames) at(l *profile.Location) []frame {
	calls, ok := f[l]
	if !ok {
		for _, line := range l.Line {
			if fn := line.Function; fn != nil {
				file := path.Join(path.Base(path.Dir(fn.Filename)), path.Base(fn.Filename))
				calls = append(calls, frame{Site{fn.Name, file, int(line.Line)}, !standard(fn.Name)})
			}
		}
		f[l] = calls
	}
	return calls
}

// place returns the innermost call outside the standard library, or the innermost at all.
func (f frames) place(s *profile.Sample) (site Site) {
	first := true
	for _, l := range s.Location {
		for _, call := range f.at(l) {
			if call.own {
				return call.Site
			}
			if first {
				site, first = call.Site, false
			}
		}
	}
	return site
}

// passes reports whether a call's function begins so.
func (f frames) passes(s *profile.Sample, function string) bool {
	for _, l := range s.Location {
		for _, call := range f.at(l) {
			if strings.HasPrefix(call.Function, function) {
				return true
			}
		}
	}
	return false
}

// stack returns the calls from the inside, as many as are kept.
func (f frames) stack(s *profile.Sample) (stack []string) {
	for _, l := range s.Location {
		for _, call := range f.at(l) {
			if len(stack) == deepest {
				return stack
			}
			stack = append(stack, call.String())
		}
	}
	return stack
}

// standard reports whether a function is of Go's own library: the first element of its package's path has no dot, and is not main.
func standard(function string) bool {
	first, _, slash := strings.Cut(function, "/")
	if slash {
		return !strings.Contains(first, ".")
	}
	return !strings.HasPrefix(first, "main.")
}
