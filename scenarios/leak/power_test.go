//go:build linux

package leak

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/nodefv/nodefv/metrics"
	"github.com/nodefv/nodefv/metrics/leak"
	"github.com/nodefv/nodefv/metrics/sites"
	"github.com/nodefv/nodefv/scenarios/effects"
	"github.com/nodefv/nodefv/scenarios/engine"
	"github.com/nodefv/nodefv/workloads"
	"github.com/nodefv/nodefv/workloads/kernel"
	"github.com/nodefv/nodefv/workloads/netns"
	"github.com/nodefv/nodefv/workloads/netns/netnstest"
)

var (
	runs = flag.Int("runs", 1, "how often TestPower runs each program")
	busy = flag.Int("busy", 0, "how many endless loops keep the machine busy meanwhile")
)

// leaky is a program that keeps what it is told to, in a network namespace of its own. It is read as the SUT of a run is.
type leaky struct {
	*node
	pid     int
	process *metrics.Process
	client  *http.Client
}

const leakyBase = "http://leaky"

// buildLeaky makes the program.
func buildLeaky(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "leaky")
	if out, err := exec.Command("go", "build", "-o", program, "../../metrics/sites/testdata/leaky").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return program
}

// startLeaky moves the test to a namespace of its own and runs the program there, which counts every allocation, until the test ends.
func startLeaky(t *testing.T, program string, args ...string) *leaky {
	t.Helper()
	netnstest.Node(t)
	if out, err := exec.Command("nft", "add table ip leaky; add set ip leaky kept { type ipv4_addr; }").CombinedOutput(); err != nil {
		netnstest.Lacks(t, "nft", fmt.Errorf("%w: %s", err, out))
	}
	socket := filepath.Join(t.TempDir(), "s")
	cmd := exec.Command(program, append([]string{"-socket", socket}, args...)...)
	cmd.Env = append(os.Environ(), "GODEBUG=memprofilerate=1")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = in.Close(); _ = cmd.Wait() })
	if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}
	pid := cmd.Process.Pid
	return &leaky{
		node: &node{}, pid: pid, process: metrics.NewProcess(func() (int, error) { return pid, nil }),
		client: &http.Client{Transport: &http.Transport{DialContext: dial}},
	}
}

// churn lets the program make and remove so many objects.
func (l *leaky) churn(ctx context.Context, objects int) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, leakyBase+"/churn?n="+strconv.Itoa(objects), nil)
	if err != nil {
		return err
	}
	response, err := l.client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if said, err := io.ReadAll(response.Body); err != nil || response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s: %w", response.Status, said, err)
	}
	return nil
}

func (l *leaky) Sample(ctx context.Context) metrics.Point {
	values, err := l.process.Scrape(ctx)
	goroutines, _, e := l.Profile(ctx, sites.Goroutines)
	pss, e2 := metrics.PSS(l.pid)
	if err = errors.Join(err, e, e2); err != nil {
		return metrics.Point{Gaps: []metrics.Gap{{Source: "leaky", Reason: err.Error()}}}
	}
	values[metrics.Goroutines], values[metrics.PSSBytes] = float64(goroutines.Total().Objects), pss
	return metrics.Point{Values: values}
}

func (l *leaky) Profile(ctx context.Context, k sites.Kind) (sites.Table, []byte, error) {
	table, data, err := sites.Fetch(ctx, l.client, leakyBase, k)
	if errors.Is(err, sites.ErrNone) {
		err = effects.ErrNoProfile
	}
	return table, data, err
}

// Census leaves mounts out: they are the machine's, and go in every namespace once somebody removes the folder below one.
func (l *leaky) Census(ctx context.Context) (kernel.Census, error) {
	census, err := netns.Census(ctx, kernel.NFTables, l.pid)
	delete(census, kernel.Mounts)
	return census, err
}

// search churns until the verdict is known, as a run with --until-sure does, and returns what was read.
func (l *leaky) search(ctx context.Context, churned, most int) (leak.Trial, error) {
	plan, err := workloads.NewPlan(1, small, "here")
	if err != nil {
		return leak.Trial{}, err
	}
	w := &engine.World{
		Plan: plan, SUT: l, Effects: &effects.Set{Kernel: l, Inspect: l},
		Fleet: workloads.NewFleet(workloads.Config{Plugger: l}, workloads.NewState("here")),
	}
	c := &course{order: Order{UntilSure: true, See: 64}, objects: churned}
	c.reader.trial = leak.Trial{Churn: "leaky", Thing: "object", Churned: churned, UntilSure: true}
	if err := c.reader.baseline(ctx, w); err != nil {
		return leak.Trial{}, err
	}
	for c.cycle = 1; c.cycle <= most; c.cycle++ {
		if err := errors.Join(l.churn(ctx, churned), c.reader.read(ctx, w, c)); err != nil {
			return leak.Trial{}, err
		}
		if c.sure() {
			break
		}
	}
	return c.reader.told(), nil
}

// keepBusy runs endless loops until the test ends.
func keepBusy(t *testing.T, loops int) {
	for range loops {
		cmd := exec.Command("sh", "-c", "while :; do :; done")
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	}
}

// hunger is what a program keeps in each cycle of 50 objects, and where that is seen.
type hunger struct {
	name  string
	args  string
	site  string        // that keeps it; empty: none of the program's
	gauge metrics.Gauge // that grows; empty: nothing is kept
	kept  float64       // by how much in each cycle, at least
}

var hungry = []hunger{
	{"nothing", "-keep nothing", "", "", 0},
	{"16 B of each object", "-keep bytes -size 16", "main.keepEntry", metrics.LiveBytes, 16 * 50},
	{"256 B of each object", "-keep bytes -size 256", "main.keepEntry", metrics.LiveBytes, 256 * 50},
	{"4 KiB of each object", "-keep bytes -size 4096", "main.keepEntry", metrics.LiveBytes, 4096 * 50},
	{"256 B of each tenth object", "-keep bytes -size 256 -every 10", "main.keepEntry", metrics.LiveBytes, 256 * 5},
	{"256 B of each 50th object", "-keep bytes -size 256 -every 50", "main.keepEntry", metrics.LiveBytes, 256},
	{"256 B of each 200th object", "-keep bytes -size 256 -every 200", "main.keepEntry", metrics.LiveBytes, 64},
	{"a goroutine of each object", "-keep goroutines", "main.wait", metrics.Goroutines, 50},
	{"a goroutine of each 50th", "-keep goroutines -every 50", "main.wait", metrics.Goroutines, 1},
	{"a descriptor of each object", "-keep descriptors", "main.keepDescriptor", metrics.FDs, 50},
	{"a descriptor of each 50th", "-keep descriptors -every 50", "main.keepDescriptor", metrics.FDs, 1},
	{"a member of a set of each object", "-keep members", "", "kernel members of sets", 50},
	{"a member of a set of each 50th", "-keep members -every 50", "", "kernel members of sets", 1},
}

// TestPower wants programs that leak to be called so, with what grows, and others not: with a quiet heap and with one that wanders by megabytes.
// Verdicts may stay open, and must not be wrong. With -runs 20 -parallel 20, and -busy 3, it makes the tables of docs/leak.md.
func TestPower(t *testing.T) {
	const churned, most = 50, 16
	program := buildLeaky(t)
	keepBusy(t, *busy)
	for _, wander := range []string{"0", "5000000"} {
		for _, h := range hungry {
			if *runs == 1 && (wander != "0" || strings.Contains(h.args, "-every")) {
				continue // the tests of every day are to be short
			}
			t.Run(h.name+" wander "+wander, func(t *testing.T) {
				var mu sync.Mutex
				verdicts, cycles := map[metrics.Verdict]int{}, 0
				t.Run("runs", func(t *testing.T) {
					for range *runs {
						t.Run("", func(t *testing.T) {
							t.Parallel()
							l := startLeaky(t, program, append(strings.Fields(h.args), "-wander", wander)...)
							trial, err := l.search(t.Context(), churned, most)
							if err != nil {
								t.Fatal(err)
							}
							verdict, why := trial.Judge()
							mu.Lock()
							verdicts[verdict]++
							cycles += trial.Cycles
							mu.Unlock()
							if wrong := h.wrong(trial, verdict, why); wrong != "" {
								t.Error(wrong)
							}
						})
					}
				})
				all := max(verdicts[metrics.Fail]+verdicts[metrics.Pass]+verdicts[metrics.Inconclusive], 1)
				t.Logf("| %s | %s | %d leak, %d none, %d open | %d |", h.name, wander, verdicts[metrics.Fail], verdicts[metrics.Pass], verdicts[metrics.Inconclusive], cycles/all)
			})
		}
	}
}

// wrong says what a verdict has wrong; empty: nothing. That there is no leak above some size is right if what is kept is less.
func (h hunger) wrong(trial leak.Trial, verdict metrics.Verdict, why string) string {
	grows := false
	for _, a := range trial.Answers() {
		if a.Gauge == h.gauge {
			grows = a.Verdict == metrics.Fail
			if verdict == metrics.Pass && a.Above < h.kept {
				return fmt.Sprintf("keeps %v in each cycle, and is said to keep no more than %v", h.kept, a.Above)
			}
		}
	}
	places, _ := trial.Growing()
	named := slices.ContainsFunc(places, func(p leak.Place) bool { return strings.HasPrefix(p.Site, h.site+" (leaky/main.go:") })
	switch {
	case verdict != metrics.Fail:
		return ""
	case h.gauge == "":
		return why
	case !named && !grows || h.site != "" && !named && !strings.Contains(h.args, "-every"):
		return fmt.Sprintf("%s does not grow, or %s is not among the places: %+v; told was %q", h.gauge, h.site, places, why)
	}
	return ""
}
