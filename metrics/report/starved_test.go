package report

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nodefv/nodefv/metrics"
)

// starvedEnv makes the test's own program do what a driver does: watch itself. Its value is the folder of its cgroup.
const starvedEnv, hogEnv = "FV_TEST_STARVED", "FV_TEST_HOG"

func TestMain(m *testing.M) {
	if cgroup := os.Getenv(starvedEnv); cgroup != "" {
		beStarved(cgroup)
	}
	if os.Getenv(hogEnv) != "" {
		for n := 0; ; n++ { // it is to use a processor
		}
	}
	os.Exit(m.Run())
}

// beStarved writes what a watch sees until its input ends. Its cgroup is where a container sees its own.
func beStarved(cgroup string) {
	at := "/sys/fs/cgroup"
	if filepath.Base(filepath.Dir(cgroup)) == "cpu" {
		at += "/cpu"
	}
	err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, "")
	if err == nil {
		err = unix.Mount(cgroup, at, "", unix.MS_BIND, "")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	ctx, stop := context.WithCancel(context.Background())
	go func() {
		_, _ = bufio.NewReader(os.Stdin).ReadString('\n')
		stop()
	}()
	go func() { // a driver has something to do
		for n := 0; ctx.Err() == nil; n++ {
		}
	}()
	out := json.NewEncoder(os.Stdout)
	metrics.NewWatch(200*time.Millisecond, func(v metrics.Vitals) { _ = out.Encode(v) }).Run(ctx)
	os.Exit(0)
}

// starving are the ways to keep a program from the processor, by the files of either version of cgroups: its own settings, and those of one that
// wants the same processor; nil: there is none.
var starving = map[string]struct{ own, other map[string]string }{
	"quota, version 1":  {own: map[string]string{"cpu.cfs_period_us": "100000", "cpu.cfs_quota_us": "10000"}},
	"quota, version 2":  {own: map[string]string{"cpu.max": "10000 100000"}},
	"shares, version 1": {map[string]string{"cpu.shares": "64"}, map[string]string{"cpu.shares": "8192"}},
	"weight, version 2": {map[string]string{"cpu.weight": "1"}, map[string]string{"cpu.weight": "200"}},
}

// TestStarvedDriverIsMarked starves a program that watches itself as the driver does, and wants every format to say so of what was recorded
// meanwhile, and a budget on a time not to be judged.
func TestStarvedDriverIsMarked(t *testing.T) {
	for name, by := range starving {
		t.Run(name, func(t *testing.T) {
			driver, began := starve(t, by.own, by.other)
			rec := doubted(t, driver, began)
			if by.other == nil && !strings.Contains(rec.Validity, "quota") {
				t.Errorf("the quota is not named: %s", rec.Validity)
			}
			allSay(t, rec, "the driver could not run for")
		})
	}
}

// doubted is the record of a scenario of which a driver saw this, until now. Its times must not be believed.
func doubted(t *testing.T, driver []metrics.Vitals, began time.Time) Record {
	t.Helper()
	sc := Scenario{Name: "churn", Started: began, Ended: time.Now(), Verdict: metrics.Pass}
	rec := Record{Run: Run{ID: "doubted", Started: began}, Vitals: driver, Scenarios: []Scenario{sc}, Verdict: metrics.Pass}
	rec.Scenarios[0].Validity = rec.ValidityOf(sc)
	rec.Validity = rec.RunValidity()
	t.Log(rec.Validity)
	if Falsified(rec.Doubts(sc), Times) == "" {
		t.Fatalf("its times are believed; %s", rec.Watched())
	}
	return rec
}

// allSay wants every output of a record to say why it is degraded.
func allSay(t *testing.T, rec Record, why string) {
	t.Helper()
	for file, text := range outputs(t, rec) {
		if !strings.Contains(text, why) {
			t.Errorf("%s does not say %q", file, why)
		}
	}
}

// starve returns what a watch saw of itself in a cgroup of these settings for two seconds, on one processor, and when that began.
func starve(t *testing.T, own, other map[string]string) (vitals []metrics.Vitals, began time.Time) {
	t.Helper()
	mine := cgroup(t, "starved", own)
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), starvedEnv+"="+mine, "GOMAXPROCS=1")
	cmd.SysProcAttr, cmd.Stderr = &syscall.SysProcAttr{Unshareflags: unix.CLONE_NEWNS, Pdeathsig: unix.SIGKILL}, os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	begin(t, cmd, "")
	seen := json.NewDecoder(out)
	var first metrics.Vitals
	if err := seen.Decode(&first); err != nil { // it has begun, and is starved from now on
		t.Fatal(err)
	}
	if other != nil {
		hog := exec.Command("/proc/self/exe")
		hog.Env = append(os.Environ(), hogEnv+"=1", "GOMAXPROCS=1")
		hog.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: unix.SIGKILL}
		begin(t, hog, cgroup(t, "hog", other))
	}
	enter(t, mine, cmd.Process.Pid)
	began = time.Now()
	time.Sleep(2 * time.Second)
	if err := in.Close(); err != nil {
		t.Fatal(err)
	}
	for {
		var v metrics.Vitals
		if seen.Decode(&v) != nil {
			return vitals, began
		}
		vitals = append(vitals, v)
	}
}

// begin starts a program on one processor, in a cgroup if one is given, and ends it with the test.
func begin(t *testing.T, cmd *exec.Cmd, cgroup string) {
	t.Helper()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	if cgroup != "" {
		enter(t, cgroup, cmd.Process.Pid)
	}
	tasks, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	var one unix.CPUSet
	one.Set(0)
	for _, task := range tasks {
		if tid, err := strconv.Atoi(task.Name()); err == nil {
			_ = unix.SchedSetaffinity(tid, &one)
		}
	}
}

// cgroup makes a cgroup with these settings, or skips the test where there is none of that version.
func cgroup(t *testing.T, name string, settings map[string]string) string {
	t.Helper()
	lacks := func(why any) {
		t.Helper()
		if slices.Contains(strings.Split(os.Getenv("FV_REQUIRE"), ","), "root") && strings.HasSuffix(t.Name(), version()) {
			t.Fatal(why)
		}
		t.Skip(why)
	}
	if !strings.HasSuffix(t.Name(), version()) {
		t.Skipf("the processors of this machine are in cgroups of%s", strings.ReplaceAll(version(), "_", " "))
	}
	if os.Getuid() != 0 {
		lacks("only root makes cgroups")
	}
	dir := filepath.Join("/sys/fs/cgroup/cpu", "fv-test-"+name)
	if version() == "_version_2" {
		dir = filepath.Join("/sys/fs/cgroup", "fv-test-"+name)
		_ = os.WriteFile("/sys/fs/cgroup/cgroup.subtree_control", []byte("+cpu"), 0)
	}
	if err := os.Mkdir(dir, 0o755); err != nil && !os.IsExist(err) {
		lacks(err)
	}
	t.Cleanup(func() {
		for range 50 { // its processes are reaped a little later
			if os.Remove(dir) == nil {
				return
			}
			time.Sleep(20 * time.Millisecond)
		}
	})
	for _, file := range slices.Sorted(maps.Keys(settings)) {
		if err := os.WriteFile(filepath.Join(dir, file), []byte(settings[file]), 0); err != nil {
			lacks(err)
		}
	}
	return dir
}

// version is that of the cgroups that the processors are in, as names of tests end.
func version() string {
	if _, err := os.Stat("/sys/fs/cgroup/cpu/cpu.shares"); err == nil {
		return "_version_1"
	}
	return "_version_2"
}

func enter(t *testing.T, cgroup string, pid int) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(cgroup, "cgroup.procs"), []byte(strconv.Itoa(pid)), 0); err != nil {
		t.Fatal(err)
	}
}
