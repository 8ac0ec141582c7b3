package sites

import (
	"bufio"
	"errors"
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
func build(t *testing.T, env ...string) string {
	t.Helper()
	return buildIn(t, "testdata/leaky", env...)
}

// buildIn makes the program whose source lies in a folder.
func buildIn(t *testing.T, dir string, env ...string) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "leaky")
	cmd := exec.Command("go", "build", "-o", program, ".")
	cmd.Dir, cmd.Env = dir, append(append(os.Environ(), "CGO_ENABLED=0"), env...) // what it is built with may have to be compiled first
	if out, err := cmd.CombinedOutput(); err != nil {
		if strings.Contains(string(out), "download ") {
			t.Skipf("the toolchain can't be had: %s", out)
		}
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
	o := observed{sites: map[Kind]*Series{Heap: {}, Goroutines: {}, Leaked: {}}}
	process := metrics.NewProcess(func() (int, error) { return pid, nil })
	for c := 0; !enough(c, o); c++ {
		response, err := http.Get(fmt.Sprintf("%s/churn?n=%d", base, objects))
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		for k, s := range o.sites {
			table, _, err := Fetch(t.Context(), http.DefaultClient, base, k)
			if k == Leaked && errors.Is(err, ErrNone) {
				continue
			}
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

// TestLeakedGoroutines wants goroutines that nothing can wake to be told from those that somebody may, of a program that is built with Go 1.27.
func TestLeakedGoroutines(t *testing.T) {
	const cycles, churned = 8, 20
	program := build(t, "GOTOOLCHAIN=go1.27.3")
	for keep, want := range map[string]float64{"lost": churned, "goroutines": 0} {
		base, pid := start(t, program, keep)
		s := churn(t, base, pid, churned, func(cycle int, _ observed) bool { return cycle == cycles }).sites[Leaked]
		if len(s.Cycles()) != cycles {
			t.Fatalf("%s: read after %v", keep, s.Cycles())
		}
		growing := s.Growing(leak.Level(1))
		if want == 0 {
			if len(growing) > 0 {
				t.Errorf("%s: %v", keep, growing)
			}
			continue
		}
		if len(growing) != 1 || growing[0].Function != "main.lost" || growing[0].Line != lineOf(t, "<-nobodys }") || growing[0].Answer.Slope < 0.99*want {
			t.Errorf("%s: %+v", keep, growing)
		}
	}
}

// TestUniqueValues wants unique values to be counted only where they go as soon as nobody has them, which is since Go 1.25, and what keeps them always.
func TestUniqueValues(t *testing.T) {
	const churned = 50
	old := t.TempDir() // a module of its own, for nodefv's can't be built with an older Go
	source, err := os.ReadFile("testdata/leaky/main.go")
	if err == nil {
		err = errors.Join(os.WriteFile(filepath.Join(old, "main.go"), source, 0o644), os.WriteFile(filepath.Join(old, "go.mod"), []byte("module leaky\n\ngo 1.24\n"), 0o644))
	}
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		program string
		counts  bool
	}{
		"since Go 1.25": {build(t), true},
		"Go 1.24":       {buildIn(t, old, "GOTOOLCHAIN=go1.24.9"), false},
	} {
		base, pid := start(t, c.program, "unique")
		table := churn(t, base, pid, churned, func(cycle int, _ observed) bool { return cycle == 1 }).sites[Heap].Last()
		values, keeper := false, false
		for site, held := range table.Held {
			if site.Function == "main.keepUnique" {
				values = values || site.Line == lineOf(t, "unique.Make(") && held.Objects >= churned
				keeper = keeper || site.Line == lineOf(t, "append(values")
			}
		}
		if values != c.counts || !keeper {
			t.Errorf("%s: values are counted: %v, who keeps them: %v", name, values, keeper)
		}
	}
}
