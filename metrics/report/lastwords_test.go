package report

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// said reads a log as a container would hand it over, in pieces.
func said(log string) *LastWords {
	w := &LastWords{}
	for len(log) > 0 {
		n := min(len(log), 1000)
		_, _ = w.Write([]byte(log[:n])) // it takes all
		log = log[n:]
	}
	return w
}

// TestCauseOfRealDeaths reads what programs left that died.
func TestCauseOfRealDeaths(t *testing.T) {
	for name, want := range map[string]string{
		"felix-told-to":  "Panicking because config told me to!",
		"felix-nftables": "Failed to program nftables, giving up after retries: BUG: unhandled op 2",
	} {
		log, err := os.ReadFile(filepath.Join("testdata", "deaths", name+".log"))
		if err != nil {
			t.Fatal(err)
		}
		w := said(string(log))
		if got := w.Cause(); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
		lines := strings.Join(w.Lines(), "\n")
		if !strings.Contains(lines, "[PANIC]") || !strings.Contains(lines, "panic: (*logrus.Entry)") {
			t.Errorf("%s: lacks what matters:\n%s", name, lines)
		}
	}
}

// restoring is the log of a Felix whose iptables-restore refuses a rule.
const restoring = `2026-11-25 00:12:00.000 [INFO][13] felix/calc_graph.go 120: fine
2026-11-25 00:12:02.000 [WARNING][13] felix/table.go 1479: Failed to execute ip(6)tables-restore command error=exit status 2 errorOutput="iptables-nft-restore v1.8.9 (nf_tables): too many ports specified\nError occurred at line: 23\n" input="*filter\n-A cali-pi-x --dports 1,2\nCOMMIT\n" ipVersion=0x4 output="" table="filter"
2026-11-25 00:12:02.100 [WARNING][13] felix/table.go 1098: Failed to program iptables, will retry error=exit status 2 ipVersion=0x4 table="filter"
2026-11-25 00:12:02.200 [WARNING][13] felix/route_table.go 300: of something else error=no such device
2026-11-25 00:12:03.000 [WARNING][13] felix/table.go 1479: Failed to execute ip(6)tables-restore command error=exit status 2 errorOutput="another" table="filter"
2026-11-25 00:12:04.000 [ERROR][13] felix/table.go 1114: Failed to program iptables, loading diags before panic. error=exit status 2 ipVersion=0x4 table="filter"
2026-11-25 00:12:04.100 [PANIC][13] felix/table.go 1122: Failed to program iptables, giving up after retries error=exit status 2 ipVersion=0x4 table="filter"
panic: (*logrus.Entry) 0xc0003bd490
`

// nilMap is what a program of Go that has no logger leaves.
const nilMap = `goroutine 12 [running]:
k8s.io/apimachinery/pkg/util/runtime.handleCrash({0x1, 0x2}, {0x3, 0x4})
	k8s.io/apimachinery@v0.34.1/pkg/util/runtime/runtime.go:132 +0xbc
panic({0x1?, 0x2?})
	runtime/panic.go:785 +0x132
github.com/some/agent/routes.(*Table).Add(0xc0007a8930, {0xc000e18600, 0x24})
	github.com/some/agent@v1.2.3/routes/table.go:25 +0x46
created by github.com/some/agent/daemon.Run in goroutine 1
	github.com/some/agent@v1.2.3/daemon/daemon.go:421 +0x240c
`

func TestCause(t *testing.T) {
	for name, c := range map[string]struct{ log, want string }{
		"what a program said that was run": {restoring, "Failed to program iptables, giving up after retries: iptables-nft-restore v1.8.9 (nf_tables): too many ports specified"},
		"the message of a panic": {
			"2026-11-25 00:12:00.000 [ERROR][13] felix/x.go 1: recovered error=a\npanic: assignment to entry in nil map\n\n" + nilMap,
			"panic: assignment to entry in nil map at routes.(*Table).Add (routes/table.go:25)",
		},
		"a panic with a value that says nothing": {"panic: (*x.Thing) 0xc0003bd490\n\n" + nilMap, "panic at routes.(*Table).Add (routes/table.go:25)"},
		"klog": {
			"I1125 00:12:01.000000       1 server.go:10] fine\nF1125 00:12:04.000000       1 server.go:20] cannot listen: address in use\n", "cannot listen: address in use",
		},
		"logrus":                       {"time=\"2026-11-25T00:12:04Z\" level=fatal msg=\"no \\\"datastore\\\"\" func=main source=main.go:12 error=\"gone\"\n", "no \"datastore\": gone"},
		"an error just before the end": {"2026-11-25 00:12:00.000 [ERROR][13] felix/x.go 1: lost error=a b\n2026-11-25 00:12:01.000 [INFO][13] felix/y.go 2: bye\n", "lost: a b"},
		"an error long before":         {"2026-11-25 00:12:00.000 [ERROR][13] felix/x.go 1: lost error=a\n2026-11-25 00:22:00.000 [INFO][13] felix/y.go 2: bye\n", ""},
		"nothing":                      {"", ""},
	} {
		if got := said(c.log).Cause(); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func TestLastWordsOfAnyLength(t *testing.T) {
	var chatter strings.Builder
	for i := range 5000 {
		fmt.Fprintf(&chatter, "line %d\n", i)
	}
	log := chatter.String()
	if got := said(log).Lines(); len(got) != wordsLen || got[wordsLen-1] != "line 4999" {
		t.Errorf("%d lines: %q", len(got), got)
	}
	stacks := strings.Repeat("main.f()\n", 1<<14)
	for _, cause := range []string{"panic: nil map", "SIGABRT: abort"} {
		if got := said(log + cause + "\n\ngoroutine 1 [running]:\n" + stacks).Lines(); len(got) != wordsLen || got[0] != cause {
			t.Errorf("%d lines: %q", len(got), got)
		}
	}
	if got := said(strings.Repeat("x", 1<<20) + "\nunended").Lines(); len(got) != 2 || len(got[0]) != longestLine || got[1] != "unended" {
		t.Errorf("%d lines", len(got))
	}
	var places strings.Builder
	for i := range 10 * mostPlaces {
		fmt.Fprintf(&places, "2026-11-25 00:12:00.000 [ERROR][13] felix/x%d.go 1: no\n", i)
	}
	if w := said(places.String()); len(w.told) != mostPlaces || w.Cause() != "no" {
		t.Errorf("%d complaints, %q", len(w.told), w.Cause())
	}
}

func TestALineOfTheLogAmongAStack(t *testing.T) {
	log := "panic: boom\n\ngoroutine 1 [running]:\n2026-11-25 00:12:00.000 [INFO][13] felix.io/x.go 5: busy\n\t/src/felix/daemon/daemon.go:12 +0x1f\n" +
		"example.org/felix/daemon.Run(0x1)\n\t/src/felix/daemon/daemon.go:34 +0x1f\n"
	if got, want := said(log).Cause(), "panic: boom at daemon.Run (daemon/daemon.go:34)"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestOldComplaintWithoutATime(t *testing.T) {
	old := "E1125 00:12:00.000000       1 server.go:12] it can't be\n"
	chatter := strings.Repeat("I1125 01:12:00.000000       1 server.go:13] all is well\n", wordsLen)
	if got := said(old + chatter).Cause(); got != "" {
		t.Errorf("an old complaint is the cause: %q", got)
	}
	if got := said(chatter + old).Cause(); got != "it can't be" {
		t.Errorf("got %q", got)
	}
}

// TestLinesOfJSON wants what etcd logs to be told in words.
func TestLinesOfJSON(t *testing.T) {
	const line = `{"level":"fatal","ts":"2026-11-25T00:12:00.000Z","caller":"etcdmain/etcd.go:183","msg":"discovery failed","error":"listen tcp: address in use"}`
	if got, want := said(line+"\n").Cause(), "discovery failed: listen tcp: address in use"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	warned := said(`{"level":"warn","ts":"2026-11-25T00:12:00.000Z","caller":"etcdserver/server.go:1","msg":"closing"}` + "\n")
	event := Event{Container: "etcd", What: "exited", ExitCode: 1, Cause: warned.Cause(), Log: warned.Lines()}
	if got, want := event.Describe("felix"), "etcd died: exit code 1; last log line: closing"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestADeathAfterGinkgosMarks(t *testing.T) {
	log := "SSS•Spanic: in a goroutine\n\ngoroutine 53 [running]:\nexample.org/nodefv/scenarios.f()\n\texample.org/nodefv/scenarios/x.go:17 +0x25\n"
	if got, want := said(log).Cause(), "panic: in a goroutine at scenarios.f (scenarios/x.go:17)"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
