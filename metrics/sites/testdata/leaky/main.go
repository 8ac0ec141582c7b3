// Command leaky keeps what it is told to: an entry, a goroutine or a descriptor for each object that it is asked to churn. It tells its address on
// stdout and ends with its stdin.
package main

import (
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	_ "net/http/pprof"
	"os"
	"strconv"
	"sync"
)

var (
	mu      sync.Mutex
	entries = map[string][]byte{}
	files   []*os.File
	block   = make(chan struct{})
	made    int
)

func keepEntry(size int) {
	made++
	entries["object-"+strconv.Itoa(made)] = make([]byte, size)
}

func keepGoroutine() { go wait() }

func wait() { <-block }

func keepDescriptor() {
	f, err := os.Open("/dev/null")
	if err == nil {
		files = append(files, f)
	}
}

// scratch is garbage, as an agent at work makes.
func scratch() []byte { return make([]byte, 4096) }

var (
	sink    []byte
	ballast []byte  // what the heap wanders by
	swing   float64 // from -1 to 1
)

// sway makes the heap a little larger or smaller, as a cache does.
func sway(most int) {
	swing = 0.8*swing + 0.2*(2*rand.Float64()-1)*3
	ballast = make([]byte, int(float64(most)*(1+max(min(swing, 1), -1))))
}

func main() {
	what := flag.String("keep", "nothing", "bytes, goroutines, descriptors or nothing, for each object")
	size := flag.Int("size", 256, "of an entry in bytes")
	wander := flag.Int("wander", 0, "how far the heap goes up and down, in bytes")
	flag.Parse()
	http.HandleFunc("/churn", func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		sway(*wander)
		n, _ := strconv.Atoi(r.URL.Query().Get("n"))
		for range n {
			sink = scratch()
			switch *what {
			case "bytes":
				keepEntry(*size)
			case "goroutines":
				keepGoroutine()
			case "descriptors":
				keepDescriptor()
			}
		}
	})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(listener.Addr())
	go func() { _ = http.Serve(listener, nil) }()
	_, _ = io.Copy(io.Discard, os.Stdin)
}
