// Command leaky keeps what it is told to: an entry, a unique value, a goroutine, a descriptor or a member of a set of the kernel for each object that
// it is asked to churn, or for one of several. It tells its address on stdout and ends with its stdin.
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
	"os/exec"
	"strconv"
	"sync"
	"unique"
)

var (
	mu      sync.Mutex
	entries = map[string][]byte{}
	values  []unique.Handle[string]
	files   []*os.File
	block   = make(chan struct{})
	made    int // things that were kept
	churned int // objects
)

func keepEntry(size int) {
	made++
	entries["object-"+strconv.Itoa(made)] = make([]byte, size)
}

func keepUnique() {
	made++
	value := unique.Make("object-" + strconv.Itoa(made))
	values = append(values, value)
}

func keepGoroutine() { go wait() }

func wait() { <-block }

// keepLost keeps a goroutine that nothing can wake: nobody else knows its channel.
func keepLost() { go lost(make(chan struct{})) }

func lost(nobodys <-chan struct{}) { <-nobodys }

func keepDescriptor() {
	f, err := os.Open("/dev/null")
	if err == nil {
		files = append(files, f)
	}
}

// set is made by whoever starts the program, in its network namespace.
const set = "ip leaky kept"

func keepMember() error {
	made++
	out, err := exec.Command("nft", fmt.Sprintf("add element %s { 10.%d.%d.%d }", set, made>>16, made>>8&255, made&255)).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return nil
}

// keep keeps one thing of this kind.
func keep(what string, size int) error {
	switch what {
	case "bytes":
		keepEntry(size)
	case "unique":
		keepUnique()
	case "goroutines":
		keepGoroutine()
	case "lost":
		keepLost()
	case "descriptors":
		keepDescriptor()
	case "members":
		return keepMember()
	}
	return nil
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
	what := flag.String("keep", "nothing", "bytes, unique (values), goroutines, lost (goroutines that nothing can wake), descriptors, members or nothing, for each object")
	every := flag.Int("every", 1, "keep one for each so many objects")
	socket := flag.String("socket", "", "listen on this file instead of a port of this host")
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
			if churned++; churned%*every > 0 {
				continue
			}
			if err := keep(*what, *size); err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
				return
			}
		}
	})
	network, address := "tcp", "127.0.0.1:0"
	if *socket != "" {
		network, address = "unix", *socket
	}
	listener, err := net.Listen(network, address)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(listener.Addr())
	go func() { _ = http.Serve(listener, nil) }()
	_, _ = io.Copy(io.Discard, os.Stdin)
}
