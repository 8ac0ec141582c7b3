package sites

import (
	"bufio"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nodefv/nodefv/metrics"
	"github.com/nodefv/nodefv/metrics/leak"
)

// build makes the program in testdata that keeps what it is told to.
func build(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "leaky")
	if out, err := exec.Command("go", "build", "-o", program, "./testdata/leaky").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return program
}

// start runs the program, which counts every allocation, until the test ends.
func start(t *testing.T, program, keep string, more ...string) (base string, pid int) {
	t.Helper()
	cmd := exec.Command(program, append([]string{"-keep", keep}, more...)...)
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
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return "http://" + strings.TrimSpace(line), cmd.Process.Pid
}

// lineOf is the number of the line of the program that has this text.
func lineOf(t *testing.T, text string) int {
	t.Helper()
	data, err := os.ReadFile("testdata/leaky/main.go")
	if err != nil {
		t.Fatal(err)
	}
	before, _, found := strings.Cut(string(data), text)
	if !found {
		t.Fatalf("the program has no %q", text)
	}
	return 1 + strings.Count(before, "\n")
}

// observed is what was read of a program that churned.
type observed struct {
	sites               map[Kind]*Series
	cycles, descriptors []float64
}

// churn lets the program make and remove objects, cycle after cycle until enough, and reads it after each.
func churn(t *testing.T, base string, pid, objects int, enough func(cycle int, o observed) bool) observed {
	t.Helper()
	o := observed{sites: map[Kind]*Series{Heap: {}, Goroutines: {}}}
	process := metrics.NewProcess(func() (int, error) { return pid, nil })
	for c := 0; !enough(c, o); c++ {
		response, err := http.Get(fmt.Sprintf("%s/churn?n=%d", base, objects))
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		for k, s := range o.sites {
			table, _, err := Fetch(t.Context(), http.DefaultClient, base, k)
			if err != nil {
				t.Fatal(err)
			}
			if !table.Exact {
				t.Fatal("not every object was counted")
			}
			s.Add(c+1, table)
		}
		snap, err := process.Scrape(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		o.cycles, o.descriptors = append(o.cycles, float64(c+1)), append(o.descriptors, snap[metrics.FDs])
	}
	return o
}

// TestLeakyProgram wants what a program keeps for each churned object to be found, with function and line, and nothing where it keeps nothing.
func TestLeakyProgram(t *testing.T) {
	const cycles, churned = 12, 50
	program := build(t)
	for keep, want := range map[string]struct {
		kind    Kind
		text    string  // of the line
		site    string  // the function
		objects float64 // per churned object
	}{
		"bytes":       {Heap, "] = make([]byte, size)", "main.keepEntry", 2}, // the entry and its key
		"goroutines":  {Goroutines, "<-block }", "main.wait", 1},
		"descriptors": {Heap, "os.Open(", "main.keepDescriptor", 1},
		"nothing":     {},
	} {
		t.Run(keep, func(t *testing.T) {
			base, pid := start(t, program, keep)
			o := churn(t, base, pid, churned, func(cycle int, _ observed) bool { return cycle == cycles })
			found := false
			for k, s := range o.sites {
				for _, g := range s.Growing(leak.Level(1)) {
					t.Logf("%s: %s: %.2f objects, %.0f bytes for each", k, g.Site, g.Answer.Slope/churned, g.BytesPerCycle/churned)
					if keep == "nothing" {
						t.Errorf("%s grows", g.Site)
					}
					found = found || k == want.kind && g.Function == want.site && g.Line == lineOf(t, want.text) && g.Answer.Slope/churned > 0.99*want.objects
				}
			}
			if !found && want.site != "" {
				t.Errorf("%s is not among them", want.site)
			}
			a := leak.Judge(leak.Question{Gauge: metrics.FDs, Quantum: 1}, o.cycles, o.descriptors, leak.Level(1))
			if leaks := keep == "descriptors"; leaks != (a.Verdict == metrics.Fail) {
				t.Errorf("descriptors: %+v", a)
			}
		})
	}
}

var runs = flag.Int("runs", 1, "how often TestHonesty runs each program")

// TestHonesty wants programs that leak to be called so, and others not, at looks that end a run: with a quiet heap and with one that wanders
// by megabytes. Verdicts may stay open, and must not be wrong.
func TestHonesty(t *testing.T) {
	const churned, most = 50, 16
	program := build(t)
	for _, wander := range []string{"0", "5000000"} {
		for _, keep := range []string{"bytes", "goroutines", "descriptors", "nothing"} {
			count := map[metrics.Verdict]int{}
			for range *runs {
				base, pid := start(t, program, keep, "-wander", wander)
				verdict := metrics.Inconclusive
				churn(t, base, pid, churned, func(cycle int, o observed) bool {
					if leak.Look(cycle) > 0 {
						verdict, _ = o.trial(cycle, churned).Judge()
					}
					return verdict != metrics.Inconclusive || cycle == most
				})
				count[verdict]++
			}
			t.Logf("wander %s, keeps %s: %v", wander, keep, count)
			if wrong := map[bool]metrics.Verdict{true: metrics.Fail, false: metrics.Pass}[keep == "nothing"]; count[wrong] > 0 {
				t.Errorf("wander %s, keeps %s: %v", wander, keep, count)
			}
			if keep != "nothing" && count[metrics.Fail] < *runs {
				t.Errorf("wander %s, keeps %s: %v, want a leak each time", wander, keep, count)
			}
		}
	}
}

// trial is what was read, as a run keeps it.
func (o observed) trial(cycle, churned int) leak.Trial {
	bytes := leak.Series{Gauge: metrics.LiveBytes, Quantum: 8, See: 64 * float64(churned), Cycles: o.cycles}
	for _, table := range o.sites[Heap].tables {
		bytes.Values = append(bytes.Values, float64(table.Total().Bytes))
	}
	descriptors := leak.Series{Gauge: metrics.FDs, Quantum: 1, See: 0.1 * float64(churned), Cycles: o.cycles, Values: o.descriptors}
	t := leak.Trial{
		Thing: "object", Churned: churned, UntilSure: true, Cycles: cycle, Gauges: []leak.Series{bytes, descriptors}, Exact: true,
	}
	for k, s := range o.sites {
		for _, g := range s.Growing(t.Level()) {
			t.Sites = append(t.Sites, leak.Place{Kind: string(k), Site: g.Site.String(), Bytes: g.BytesPerCycle, Of: len(s.Last().Held), Series: leak.Series{Gauge: "objects", Quantum: 1, Cycles: o.cycles, Values: g.Values}})
		}
	}
	return t
}
