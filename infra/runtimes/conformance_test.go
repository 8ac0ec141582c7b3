package runtimes

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nodefv/nodefv/infra"
	"github.com/nodefv/nodefv/infra/build"
	"github.com/nodefv/nodefv/infra/lifecycle"
	"github.com/nodefv/nodefv/infra/runtimes/docker"
	"github.com/nodefv/nodefv/infra/runtimes/local"
)

func TestMain(m *testing.M) {
	local.BecomeLauncher()
	becomeMaker()
	becomeStranger()
	os.Exit(m.Run())
}

// implementations are all that this machine can run; each returns the reason if it can't.
var implementations = map[string]func(*build.Builder) (infra.Runtime, error){
	"docker": func(b *build.Builder) (infra.Runtime, error) { return docker.New(context.Background(), b, nil) },
	"local":  func(b *build.Builder) (infra.Runtime, error) { return local.New(b) },
}

// tiers are by what FV_REQUIRE asks for a runtime.
var tiers = map[string]string{"docker": "docker", "local": "root"}

func newRuntime(name string) (infra.Runtime, error) {
	root, err := build.FindRoot(".")
	if err != nil {
		return nil, err
	}
	return implementations[name](&build.Builder{Root: root, Cache: cache})
}

// cache is where all tests find what has been built, whatever home they have.
var cache = func() string {
	user, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	return filepath.Join(user, "nodefv")
}()

// conform runs a test on every runtime, with a run of its own of which nothing may be left when it ends.
func conform(t *testing.T, test func(t *testing.T, rt infra.Runtime, run string)) {
	for name := range implementations {
		t.Run(name, func(t *testing.T) {
			rt, err := newRuntime(name)
			if err != nil && slices.Contains(strings.Split(os.Getenv("FV_REQUIRE"), ","), tiers[name]) {
				t.Fatalf("the tier %s is required and cannot run: %v", tiers[name], err)
			}
			if err != nil {
				t.Skip(err)
			}
			run := newRun()
			t.Cleanup(func() {
				if err := rt.Sweep(context.Background(), run); err != nil {
					t.Error(err)
				}
				if known(t, rt, run) {
					t.Errorf("run %s is known after its sweep", run)
				}
			})
			test(t, rt, run)
		})
	}
}

func newRun() string { return fmt.Sprintf("test-%d-%d", os.Getpid(), time.Now().UnixNano()%1e6) }

func known(t *testing.T, rt infra.Runtime, run string) bool {
	t.Helper()
	runs, err := rt.Runs(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return slices.ContainsFunc(runs, func(r infra.RunInfo) bool { return r.Run == run })
}

func pause(run, role string) infra.Spec {
	return infra.Spec{Run: run, Role: role, Component: build.Node, Command: []string{"fv-pause"}}
}

func shell(run, role, script string) infra.Spec {
	return infra.Spec{Run: run, Role: role, Component: build.Node, Command: []string{"sh", "-c", script}}
}

func joined(spec infra.Spec) infra.Spec {
	spec.Join, spec.RawSystem, spec.Caps = infra.RoleNode, true, []string{"NET_ADMIN"}
	return spec
}

func start(t *testing.T, rt infra.Runtime, spec infra.Spec) infra.Container {
	t.Helper()
	c, err := rt.Start(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func output(t *testing.T, c infra.Container, args ...string) string {
	t.Helper()
	var out bytes.Buffer
	if err := c.Exec(t.Context(), infra.Command{Args: args, Stdout: &out}); err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(out.String())
}

// ends returns how a container ended, which must be soon.
func ends(t *testing.T, c infra.Container) infra.Exit {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	exit, err := c.Wait(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return exit
}

func TestStart(t *testing.T) {
	conform(t, func(t *testing.T, rt infra.Runtime, run string) {
		spec := pause(run, infra.RoleNode)
		source := t.TempDir() + "/source"
		if err := os.WriteFile(source, []byte("from the host"), 0o600); err != nil {
			t.Fatal(err)
		}
		bound := t.TempDir()
		spec.Sysctls = map[string]string{"net.ipv4.ip_forward": "1"}
		spec.Files = []infra.File{
			{Path: "/etc/fv/deep/file", Mode: 0o600, Data: []byte("content")}, {Path: "/usr/local/bin/fv-program", Mode: 0o755, Source: source},
			{Path: "/etc/hostname", Data: []byte("replaced")},
		}
		spec.Tmpfs, spec.Binds = []string{"/data", "/var/run/calico"}, map[string]string{bound: "/out"}
		spec.Env = map[string]string{"FV_TEST": "value"}
		node := start(t, rt, spec)
		if !node.Addr().IsValid() {
			t.Error("it has no address")
		}
		for _, c := range []struct {
			want string
			args []string
		}{
			{"content", []string{"cat", "/etc/fv/deep/file"}},
			{"600", []string{"stat", "-c", "%a", "/etc/fv/deep/file"}},
			{"from the host", []string{"cat", "/usr/local/bin/fv-program"}},
			{"755", []string{"stat", "-c", "%a", "/usr/local/bin/fv-program"}},
			{"1", []string{"cat", "/proc/sys/net/ipv4/ip_forward"}},
			{"tmpfs", []string{"stat", "-f", "-c", "%T", "/data"}},
			{"tmpfs", []string{"stat", "-f", "-c", "%T", "/run/calico"}},
			{"value", []string{"sh", "-c", "echo $FV_TEST"}},
			{"fv-pause", []string{"cat", "/proc/1/comm"}},
			{"1", []string{"sh", "-c", "grep -c 'sbin.*nologin' /etc/passwd | grep -c ."}},
			{"", []string{"sh", "-c", "echo word >/out/word && echo >/tmp/x && echo >/run/x && echo >/var/log/x && test -c /dev/null && test -x /usr/bin/env"}},
			{"unchanged", []string{"echo", "unchanged"}},
		} {
			if got := output(t, node, c.args...); got != c.want {
				t.Errorf("%v: %q, want %q", c.args, got, c.want)
			}
		}
		if word, err := os.ReadFile(bound + "/word"); err != nil || string(word) != "word\n" {
			t.Errorf("the bound folder holds %q, %v", word, err)
		}
		if err := node.Exec(t.Context(), infra.Command{Args: []string{"sh", "-c", "echo 0 >/proc/sys/net/ipv4/ip_forward"}}); err == nil {
			t.Error("it can change settings of the kernel")
		}
		found, err := rt.Find(t.Context(), run, infra.RoleNode)
		if err != nil || found.Addr() != node.Addr() || found.Name() != node.Name() {
			t.Errorf("found %v, %v", found, err)
		}
		if _, err := rt.Start(t.Context(), spec); err == nil {
			t.Error("a role can be had twice")
		}
	})
}

func TestExec(t *testing.T) {
	conform(t, func(t *testing.T, rt infra.Runtime, run string) {
		node := start(t, rt, pause(run, infra.RoleNode))
		var exit *infra.ExitError
		err := node.Exec(t.Context(), infra.Command{Args: []string{"sh", "-c", "echo words >&2; exit 3"}})
		if !errors.As(err, &exit) || exit.Code != 3 || !slices.Equal(exit.Output, []string{"words"}) {
			t.Errorf("exec: %v", err)
		}
		var out bytes.Buffer
		err = node.Exec(t.Context(), infra.Command{Args: []string{"sh", "-c", "echo $WORD; readlink /proc/self/ns/mnt"}, Env: map[string]string{"WORD": "given"}, Stdout: &out})
		own, _ := os.Readlink("/proc/self/ns/mnt")
		if word, space, _ := strings.Cut(out.String(), "\n"); err != nil || word != "given" || space == own+"\n" || space == "" {
			t.Errorf("exec: %v, %q", err, out.String())
		}
		if err := node.Exec(t.Context(), infra.Command{Args: []string{"no-such-program"}}); err == nil {
			t.Error("exec of a program that does not exist succeeds")
		}
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		begun := time.Now()
		if err := node.Exec(ctx, infra.Command{Args: []string{"sleep", "60"}}); !errors.Is(err, context.DeadlineExceeded) || time.Since(begun) > 10*time.Second {
			t.Errorf("exec: %v after %v", err, time.Since(begun))
		}
	})
}

func TestJoin(t *testing.T) {
	conform(t, func(t *testing.T, rt infra.Runtime, run string) {
		node := start(t, rt, pause(run, infra.RoleNode))
		agent := start(t, rt, joined(shell(run, infra.RoleAgent, "echo out; echo diag >&2; exec sleep 60")))
		for _, ns := range []string{"net", "pid"} {
			if a, n := output(t, agent, "readlink", "/proc/self/ns/"+ns), output(t, node, "readlink", "/proc/self/ns/"+ns); a != n {
				t.Errorf("%s: %s is not %s", ns, a, n)
			}
		}
		output(t, agent, "sh", "-c", "ip link add fv-test type veth && ip link del fv-test && echo 1 > /proc/sys/net/ipv4/conf/all/arp_ignore")
		if got := output(t, node, "sh", "-c", "cat /proc/sys/net/ipv4/conf/all/arp_ignore; grep -l sleep /proc/[0-9]*/comm | wc -l"); got != "1\n1" {
			t.Errorf("the node sees %q of the agent", got)
		}
		if agent.Addr() != (netip.Addr{}) {
			t.Errorf("a joined container has the address %v", agent.Addr())
		}
		if err := agent.Signal(t.Context(), os.Interrupt); err != nil {
			t.Error(err)
		}
		if exit := ends(t, agent); exit.Code != 130 || exit.OOM {
			t.Errorf("exit %+v", exit)
		}
		if err := agent.Stop(t.Context()); err != nil {
			t.Error(err)
		}
		start(t, rt, joined(shell(run, infra.RoleAgent, "exec sleep 60"))) // as an agent that died is started again
		spec := joined(pause(run, infra.RoleDriver))
		spec.Join = "nobody"
		if _, err := rt.Start(t.Context(), spec); err == nil {
			t.Error("a container can join one that does not exist")
		}
	})
}

func TestContainersReachEachOther(t *testing.T) {
	conform(t, func(t *testing.T, rt infra.Runtime, run string) {
		server := start(t, rt, pause(run, infra.RoleEtcd))
		client := start(t, rt, pause(run, infra.RoleNode))
		if server.Addr() == client.Addr() {
			t.Fatalf("both have the address %v", server.Addr())
		}
		// Nothing listens, and that is answered.
		probe := fmt.Sprintf("exec 3<>/dev/tcp/%s/9", server.Addr())
		err := client.Exec(t.Context(), infra.Command{Args: []string{"timeout", "5", "bash", "-c", probe}})
		if err == nil || !strings.Contains(err.Error(), "refused") {
			t.Errorf("probe: %v", err)
		}
		dialer, ok := rt.(infra.Dialer)
		if !ok {
			return
		}
		if _, err := dialer.Dial(t.Context(), run, "tcp", netip.AddrPortFrom(server.Addr(), 9).String()); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("dial: %v", err)
		}
	})
}

func TestLogs(t *testing.T) {
	conform(t, func(t *testing.T, rt infra.Runtime, run string) {
		c := start(t, rt, shell(run, infra.RoleEtcd, "echo first; while ! test -e /tmp/go; do sleep 0.01; done; echo second >&2; exit 7"))
		lines := make(chan string, 8)
		followed := make(chan error, 1)
		go func() { followed <- c.Logs(t.Context(), lineWriter(lines), true) }()
		if got := <-lines; got != "first\n" {
			t.Errorf("log begins with %q", got)
		}
		output(t, c, "touch", "/tmp/go")
		if got := <-lines; got != "second\n" {
			t.Errorf("log goes on with %q", got)
		}
		if err := <-followed; err != nil {
			t.Errorf("follow: %v", err)
		}
		if exit := ends(t, c); exit.Code != 7 {
			t.Errorf("exit %+v", exit)
		}
		var again bytes.Buffer
		if err := c.Logs(t.Context(), &again, false); err != nil || again.String() != "first\nsecond\n" {
			t.Errorf("log %q, %v", again.String(), err)
		}
	})
}

func TestStreams(t *testing.T) {
	conform(t, func(t *testing.T, rt infra.Runtime, run string) {
		start(t, rt, pause(run, infra.RoleNode))
		input := "first\n" + strings.Repeat("line\n", 100000)
		var out, diag bytes.Buffer
		spec := joined(shell(run, infra.RoleExec, "read a; echo \"said $a\" >&2; cat; exit 5"))
		spec.Streams = &infra.Streams{In: strings.NewReader(input), Out: &out, Err: &diag}
		c := start(t, rt, spec)
		if exit := ends(t, c); exit.Code != 5 {
			t.Errorf("exit %+v", exit)
		}
		if "first\n"+out.String() != input || diag.String() != "said first\n" {
			t.Errorf("out %d bytes, want %d; diagnostics %q", out.Len(), len(input)-len("first\n"), diag.String())
		}
		if err := c.Stop(t.Context()); err != nil {
			t.Error(err)
		}
		out.Reset()
		spec.Command = []string{"sh", "-c", "cat; test -t 0 || echo no terminal"}
		spec.Streams = &infra.Streams{Out: &out} // nothing to read ends at once, and nobody wants diagnostics
		c = start(t, rt, spec)
		if exit := ends(t, c); exit.Code != 0 || out.String() != "no terminal\n" {
			t.Errorf("exit %+v, %q", exit, out.String())
		}
	})
}

func TestStreamsOfATerminal(t *testing.T) {
	const script = `stty -echo; tty
until [ "$(stty size)" = '31 97' ]; do sleep 0.01; done; echo begun
read -r line; echo "read $line"
until [ "$(stty size)" = '11 55' ]; do sleep 0.01; done; echo resized
trap 'echo told; exit 9' INT; echo armed
while :; do sleep 0.01; done`
	conform(t, func(t *testing.T, rt infra.Runtime, run string) {
		start(t, rt, pause(run, infra.RoleNode))
		keys, typed := io.Pipe()
		said, out := io.Pipe()
		defer said.Close()
		sizes := make(chan infra.Size)
		spec := joined(infra.Spec{Run: run, Role: infra.RoleExec, Component: build.Node, Command: []string{"bash", "-c", script}})
		spec.Streams = &infra.Streams{In: keys, Out: out, Terminal: &infra.Terminal{Size: infra.Size{Rows: 31, Columns: 97}, Resized: sizes}}
		c := start(t, rt, spec)
		defer time.AfterFunc(time.Minute, func() { said.CloseWithError(errors.New("nothing more came")) }).Stop()
		lines := bufio.NewScanner(said)
		await := func(want string) {
			t.Helper()
			if !lines.Scan() || strings.TrimSpace(lines.Text()) != want {
				t.Fatalf("it says %q, %v; want %q", lines.Text(), lines.Err(), want)
			}
		}
		press := func(keys string) {
			t.Helper()
			if _, err := io.WriteString(typed, keys); err != nil {
				t.Fatal(err)
			}
		}
		await("/dev/pts/0")
		await("begun")
		press("words\r")
		await("read words")
		sizes <- infra.Size{Rows: 11, Columns: 55}
		await("resized")
		await("armed")
		press("\x03") // Ctrl-C is the program's own
		if !lines.Scan() || strings.TrimPrefix(strings.TrimSpace(lines.Text()), "^C") != "told" {
			t.Fatalf("it says %q, %v", lines.Text(), lines.Err())
		}
		if exit := ends(t, c); exit.Code != 9 {
			t.Errorf("exit %+v", exit)
		}
	})
}

type lineWriter chan string

func (w lineWriter) Write(p []byte) (int, error) {
	for line := range bytes.Lines(p) {
		w <- string(line)
	}
	return len(p), nil
}

func TestFollowEndsWithItsContext(t *testing.T) {
	conform(t, func(t *testing.T, rt infra.Runtime, run string) {
		c := start(t, rt, pause(run, infra.RoleNode))
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		if err := c.Logs(ctx, &bytes.Buffer{}, true); err != nil {
			t.Errorf("follow: %v", err)
		}
	})
}

func TestWait(t *testing.T) {
	conform(t, func(t *testing.T, rt infra.Runtime, run string) {
		c := start(t, rt, pause(run, infra.RoleNode))
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		if _, err := c.Wait(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("wait: %v", err)
		}
		waited := make(chan infra.Exit, 2)
		for range cap(waited) {
			go func() {
				exit, _ := c.Wait(context.Background())
				waited <- exit
			}()
		}
		if err := c.Signal(t.Context(), syscall.SIGKILL); err != nil {
			t.Error(err)
		}
		for range cap(waited) {
			if exit := <-waited; exit.Code != 137 || exit.OOM {
				t.Errorf("exit %+v", exit)
			}
		}
		if exit := ends(t, c); exit.Code != 137 {
			t.Errorf("exit, asked later: %+v", exit)
		}
		if err := c.Signal(t.Context(), syscall.SIGTERM); err == nil {
			t.Error("one that ended takes signals")
		}
	})
}

func TestProgramThatExitsAtOnce(t *testing.T) {
	conform(t, func(t *testing.T, rt infra.Runtime, run string) {
		for code := range 5 {
			c := start(t, rt, shell(run, infra.RoleExec, fmt.Sprintf("echo %d; exit %d", code, code)))
			var log bytes.Buffer
			if err := c.Logs(t.Context(), &log, true); err != nil || log.String() != fmt.Sprintf("%d\n", code) {
				t.Errorf("log %q, %v", log.String(), err)
			}
			if exit := ends(t, c); exit.Code != code || exit.OOM {
				t.Errorf("exit %+v, want %d", exit, code)
			}
			if err := c.Stop(t.Context()); err != nil {
				t.Error(err)
			}
		}
	})
}

// TestNamespaceThatOutlivesItsContainer keeps the network namespace of a container that is gone, as the kernel itself does for a while.
func TestNamespaceThatOutlivesItsContainer(t *testing.T) {
	conform(t, func(t *testing.T, rt infra.Runtime, run string) {
		c := start(t, rt, pause(run, infra.RoleNode))
		held := namespaceOf(t, output(t, c, "readlink", "/proc/self/ns/net"))
		defer held.Close()
		if err := c.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
		next := start(t, rt, pause(run, infra.RoleNode))
		if next.Addr() != c.Addr() {
			t.Errorf("the address is %s, was %s", next.Addr(), c.Addr())
		}
	})
}

// namespaceOf opens a network namespace by what its link in /proc says.
func namespaceOf(t *testing.T, link string) *os.File {
	t.Helper()
	all, err := filepath.Glob("/proc/[0-9]*/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range all {
		if is, err := os.Readlink(path); err != nil || is != link {
			continue
		}
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	t.Fatalf("no process has namespace %q", link)
	return nil
}

func TestProgramThatDoesNotExist(t *testing.T) {
	conform(t, func(t *testing.T, rt infra.Runtime, run string) {
		spec := pause(run, infra.RoleNode)
		spec.Command = []string{"no-such-program"}
		_, err := rt.Start(t.Context(), spec)
		if !errors.Is(err, infra.ErrNoProgram) || !strings.Contains(err.Error(), "no-such-program") {
			t.Errorf("error %v", err)
		}
		if _, err := rt.Find(t.Context(), run, infra.RoleNode); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("it left something: %v", err)
		}
		start(t, rt, pause(run, infra.RoleNode))
	})
}

func TestProgramThatIgnoresTermination(t *testing.T) {
	conform(t, func(t *testing.T, rt infra.Runtime, run string) {
		start(t, rt, pause(run, infra.RoleNode))
		spec := joined(shell(run, infra.RoleAgent, "trap '' TERM INT; sleep 300 & echo ready; while :; do sleep 1; done"))
		agent := start(t, rt, spec)
		ready := make(chan string, 8)
		go func() { _ = agent.Logs(t.Context(), lineWriter(ready), true) }()
		<-ready
		for range 3 {
			if err := agent.Signal(t.Context(), syscall.SIGTERM); err != nil {
				t.Error(err)
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer cancel()
		if exit, err := agent.Wait(ctx); err == nil {
			t.Errorf("it ended: %+v", exit)
		}
		begun := time.Now()
		for range 2 {
			if err := agent.Stop(t.Context()); err != nil {
				t.Error(err)
			}
		}
		if took := time.Since(begun); took > 5*time.Second {
			t.Errorf("stop took %v", took)
		}
		if _, err := rt.Find(t.Context(), run, infra.RoleAgent); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("a removed container: %v", err)
		}
		node, err := rt.Find(t.Context(), run, infra.RoleNode)
		if err != nil {
			t.Fatal(err)
		}
		if got := output(t, node, "sh", "-c", "cat /proc/[0-9]*/comm | grep -c sleep || true"); got != "0" {
			t.Errorf("%s of its children go on", got)
		}
	})
}

func TestLimits(t *testing.T) {
	conform(t, func(t *testing.T, rt infra.Runtime, run string) {
		spec := shell(run, infra.RoleEtcd, "x=xxxxxxxxxxxxxxxx; while :; do x=$x$x; done")
		spec.Memory = 32 << 20
		if exit := ends(t, start(t, rt, spec)); !exit.OOM || exit.Code != 137 {
			t.Errorf("exit %+v, want one for want of memory", exit)
		}
		spec = shell(run, infra.RoleNode, "while :; do :; done")
		spec.CPUs = 0.1
		c := start(t, rt, spec)
		before, metered := cpu(t, c), used(t, c)
		const span = 2 * time.Second
		<-time.After(span)
		spent := cpu(t, c) - before
		if share := spent / span.Seconds(); share > 0.2 || share < 0.02 {
			t.Errorf("it has %.2f cores, want 0.1", share)
		}
		if told := used(t, c) - metered; told < spent-0.05 || told > 2*spent+0.05 {
			t.Errorf("it tells that it used %.2f s, and used %.2f s", told, spent)
		}
	})
}

// TestShares lets two containers want the same processor.
func TestShares(t *testing.T) {
	conform(t, func(t *testing.T, rt infra.Runtime, run string) {
		busy := "taskset -cp 0 $$; while :; do :; done"
		first, second := shell(run, infra.RoleNode, busy), shell(run, infra.RoleEtcd, busy)
		first.Shares = infra.MostShares
		prompt, other := start(t, rt, first), start(t, rt, second)
		begun := [2]float64{cpu(t, prompt), cpu(t, other)}
		<-time.After(2 * time.Second)
		if ours, its := cpu(t, prompt)-begun[0], cpu(t, other)-begun[1]; ours < 4*its {
			t.Errorf("it had the processor for %.2f s, the other one for %.2f s", ours, its)
		}
	})
}

// cpu returns the seconds that a container's first process has used.
func cpu(t *testing.T, c infra.Container) float64 {
	t.Helper()
	var user, system float64
	if _, err := fmt.Sscan(output(t, c, "sh", "-c", "cut -d' ' -f14,15 /proc/1/stat"), &user, &system); err != nil {
		t.Fatal(err)
	}
	return (user + system) / 100
}

// used returns the seconds that a container says it has used.
func used(t *testing.T, c infra.Container) float64 {
	t.Helper()
	spent, err := c.(infra.Metered).CPU(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return spent.Seconds()
}

func TestTwoRunsAtOnce(t *testing.T) {
	conform(t, func(t *testing.T, rt infra.Runtime, run string) {
		neighbour := newRun() + "-2"
		defer func() { _ = rt.Sweep(context.Background(), neighbour) }()
		start(t, rt, pause(run, infra.RoleNode))
		start(t, rt, joined(pause(run, infra.RoleAgent)))
		other := start(t, rt, pause(neighbour, infra.RoleNode))
		runs, err := rt.Runs(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		i := slices.IndexFunc(runs, func(r infra.RunInfo) bool { return r.Run == run })
		if i < 0 || runs[i].Containers != 2 || runs[i].Owner != lifecycle.Self() || time.Since(runs[i].Created) > time.Minute {
			t.Errorf("runs %+v lack %s", runs, run)
		}
		for range 2 {
			if err := rt.Sweep(t.Context(), run); err != nil {
				t.Fatal(err)
			}
		}
		if known(t, rt, run) {
			t.Error("it is known after its sweep")
		}
		if got := output(t, other, "echo", "alive"); got != "alive" {
			t.Errorf("the neighbour says %q", got)
		}
	})
}

// makerEnv makes the test's own program start containers and tell when they run.
const makerEnv = "FV_TEST_MAKER"

func becomeMaker() {
	name, run, ok := strings.Cut(os.Getenv(makerEnv), " ")
	if !ok {
		return
	}
	rt, err := newRuntime(name)
	if err == nil {
		_, err = rt.Start(context.Background(), pause(run, infra.RoleNode))
	}
	if err == nil {
		_, err = rt.Start(context.Background(), joined(shell(run, infra.RoleAgent, "trap '' TERM; sleep 300 & wait")))
	}
	fmt.Println(err)
	select {}
}

func TestSweepAfterTheMakerWasKilled(t *testing.T) {
	conform(t, func(t *testing.T, rt infra.Runtime, run string) {
		name, _, err := rt.Describe(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		maker := exec.Command("/proc/self/exe")
		maker.Env = append(os.Environ(), makerEnv+"="+name+" "+run)
		out, err := maker.StdoutPipe()
		if err == nil {
			err = maker.Start()
		}
		if err != nil {
			t.Fatal(err)
		}
		var said string
		if _, err := fmt.Fscanln(out, &said); err != nil || said != "<nil>" {
			t.Fatalf("the maker says %q, %v", said, err)
		}
		if err := maker.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = maker.Wait() // it was killed
		runs, err := rt.Runs(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		i := slices.IndexFunc(runs, func(r infra.RunInfo) bool { return r.Run == run })
		if i < 0 || !runs[i].Owner.Gone(runs[i].Created) {
			t.Errorf("runs %+v lack %s, or its maker is not gone", runs, run)
		}
		agent, err := rt.Find(t.Context(), run, infra.RoleAgent)
		if err != nil {
			t.Fatal(err)
		}
		if got := output(t, agent, "echo", "alive"); got != "alive" {
			t.Errorf("the agent of a maker that was killed says %q", got)
		}
		if err := rt.Sweep(t.Context(), run); err != nil {
			t.Error(err)
		}
		within, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		if exit, err := agent.Wait(within); within.Err() != nil || err == nil && exit.Code == 0 { // it ended, or is not known any more
			t.Errorf("exit %+v, %v", exit, err)
		}
	})
}
