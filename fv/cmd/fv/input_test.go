package main

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/nodefv/nodefv/fv/harness"
)

// fine is what a command says whose words are all right, where there is no checkout: all that is left is to start something.
const fine = "is not in a checkout of"

// TestInput holds what is said to each command that can't be: one line that says what is wrong and what to do, with exit code 2, before
// anything is started; and that what can be is let through. It runs outside of any checkout, where nothing can be started. In a row, words
// are parted by two spaces, so that they may hold one.
func TestInput(t *testing.T) {
	root, err := harness.ProjectRoot()
	if err != nil {
		t.Fatal(err)
	}
	place(t)
	for _, row := range []struct{ words, says string }{
		// What was fine stays fine.
		{"run", fine},
		{"run  --focus  pod churn", fine},
		{"run  --focus  ^pod churn$  --local  20", fine},
		{"run  --focus  thousand", fine},
		{"run  --labels  churn && !slow", fine},
		{"run  --labels  /ba.*/", fine},
		{"run  --target  kube-router  --dataplane  iptables-nft  --focus  pod churn", fine},
		{"run  --typha  --dataplane  nftables  --runtime  docker  --keep  on-failure", fine},
		{"run  --typha=false", fine},
		{"run  --seed  7  --cycles  3  --rate  2.5  --focus  pod churn", fine},
		{"run  --rate  0", fine},
		{"run  --out  new/folder", fine},
		{"run  --felix-binary  wrapper.sh", fine},
		{"run  --crds  manifests", fine},
		{"run  --  -v", fine},
		{"up  --runtime  local", fine},
		{"test  --repeat  3  --focus  pod churn", fine},
		{"exec  --  ip  route", fine},
		{"down  --all", fine},
		{"faults  --focus  route  --seed  3", fine},
		{"fuzz  --ops  0  --for  1h", fine},
		{"mutants  --stages  set,leak  --lanes  2", fine},
		{"bench  --rounds  1", fine},
		{"images  --prune", fine},

		{"sweep  sized cluster  -p  endpoints=10,30  -p  policies=1,10  --repeat  3", fine},
		{"sweep  pod churn  -p  rate=1,10  --cycles  3", fine},

		// Sweeps that can't be.
		{"sweep", "name one scenario"},
		{"sweep  pod churn", "name one parameter, or two"},
		{"sweep  pod chrun  -p  cycles=1,2", `did you mean "pod churn"?`},
		{"sweep  pod churn  -p  cycles", "want NAME=VALUE,VALUE"},
		{"sweep  pod churn  -p  cycles=1,,2", "one of the values is empty"},
		{"sweep  pod churn  -p  cycles=1,2,1", "1 is there twice"},
		{"sweep  pod churn  -p  cycles=0,2", "--cycles 0: must be at least 1"},
		{"sweep  pod churn  -p  size=1,2", `unknown parameter "size"`},
		{"sweep  pod churn  -p  policies=1,2", `scenario "pod churn" is the same with 1 and with 2`},
		{"sweep  pod churn  -p  cycles=1,2  --cycles  3", "cycles varies and is given as well"},
		{"sweep  pod churn  -p  cycles=1,2  -p  pods=1,2  -p  local=1,2", "3 parameters vary"},
		{"sweep  pod churn  -p  cycles=1,2  -p  cycles=3", "cycles varies twice"},
		{"sweep  pod churn  -p  cycles=1,2  --repeat  0", "--repeat 0: must be at least 1"},
		{"sweep  pod churn  -p  cycles=1,2  --show  (", "no regular expression"},
		{"sweep  --resume  nosuch", "there is no sweep"},
		{"sweep  pod churn  --resume  nosuch", "leave scenario and parameters out"},
		{"run  --endpoints  10  --pods  3", "--endpoints and --pods both say"},

		// Flags that are given with nothing would choose everything.
		{"run  --focus  ", "--focus is empty"},
		{"run  --labels=", "--labels is empty"},
		{"run  --out  ", "--out is empty"},
		{"run  --target  ", "--target is empty"},
		{"run  --dataplane  ", "--dataplane is empty"},
		{"run  --runtime  ", "--runtime is empty"},
		{"run  --cycles  ", "--cycles is empty"},
		{"run  --crds  ", "--crds \"\": give it a path, or leave it out"},
		{"run  --felix-binary  ", "--felix-binary \"\": give it a path, or leave it out"},
		{"test  --run  ", "--run is empty"},
		{"exec  --run=  --  true", "--run is empty"},
		{"judge  latest  --out  ", "--out is empty"},
		{"faults  --focus=", "--focus is empty"},
		{"mutants  --resume=", "--resume is empty"},
		{"mutants  --stages=", "name one at least"},

		// Numbers, times and words that are none.
		{"run  --seed  abc", `--seed "abc": want a whole number that is not negative`},
		{"run  --seed  -1", `--seed "-1": want a whole number`},
		{"run  --seed  99999999999999999999", "want a whole number"},
		{"test  --repeat  many", `--repeat "many": want a whole number`},
		{"test  --repeat  0", "--repeat 0: must be at least 1"},
		{"fuzz  --for  3", `--for "3": want a time such as 90s`},
		{"fuzz  --ops  -1", "must not be negative"},
		{"fuzz  --ops  0", "--ops 0 needs --for"},
		{"fuzz  --plant  nosuch", "nosuch"},
		{"run  --typha=perhaps", `--typha "perhaps": want true or false`},
		{"run  --rate  NaN", "--rate NaN: load of NaN changes per second: want a finite number"},
		{"run  --rate  Inf", "--rate Inf: load of +Inf changes per second: want a finite number"},
		{"run  --rate  -1", "negative"},
		{"run  --rate  fast", "--rate fast: not a number"},
		{"run  --cycles  0", "--cycles 0: must be at least 1"},
		{"run  --cycles  1.5", "--cycles 1.5: not a whole number"},
		{"run  --nodes  0", "--nodes 0: must be at least 1"},
		{"run  --local  -2", "--local -2: must be at least -1"},
		{"faults  --repeat  0", "--repeat 0: must be at least 1"},
		{"bench  --rounds  0", "--rounds 0: must be at least 1"},
		{"mutants  --lanes  0", "--lanes must be at least 1"},
		{"mutants  --fuzz-for  0s", "--fuzz-for must be positive"},
		{"mutants  --seed  0", "--seed must be positive"},

		// What is chosen is not there.
		{"run  --focus  nosuch", "matches no scenario; `fv list` shows them"},
		{"run  --focus  (", "is no regular expression"},
		{"run  --labels  nosuch", `no scenario has the label "nosuch"; there are: admin, basic`},
		{"run  --labels  churn &&", "write it as in 'churn && !slow'"},
		{"run  --labels  basic && slow", "selects no scenario"},
		{"run  --focus  ^no leak$  --labels  !slow", `excludes all that --focus names: "no leak"`},
		{"test  --focus  ^no leak$  --labels  !slow  --  --dry-run", `excludes all that --focus names: "no leak"`},
		{"run  --focus  ^pod churn$  --local  1000", `scenario "pod churn"`},
		{"run  --namespaces  100000  --pods  1000", "addresses for"},
		{"run  --target  nosuch", `--target: unknown target "nosuch"; there are: contour, felix`},
		{"up  --dataplane  nosuch", `--dataplane "nosuch": felix has iptables-nft`},
		{"run  --target  kube-router  --dataplane  nftables", "kube-router has"},
		{"run  --target  kube-router  --typha", "--typha: kube-router has no such part"},
		{"run  --runtime  podman", "want auto, docker or local"},
		{"run  --keep  sometimes", "want never, on-failure or always"},
		{"run  --felix-version  v0.1", "there are v3.30.1, v3.31.0"},
		{"run  --felix-version  v3.31.0  --felix-binary  wrapper.sh", "both choose the agent"},
		{"run  --target  kube-router  --felix-version  v3.31.0", "choose it with --target"},
		{"run  --felix-source  nosuch", `--felix-source "nosuch": there is nothing of that name`},
		{"run  --felix-source  wrapper.sh", "that is no folder"},
		{"run  --felix-binary  nosuch", `--felix-binary "nosuch": there is nothing of that name`},
		{"run  --felix-binary  manifests", "that is no program"},
		{"run  --felix-binary  text", "that is no program"},
		{"run  --felix-binary  /bin/true", "give one that is built from github.com/projectcalico/calico"},
		{"run  --target  contour  --envoy", "nodefv builds no Envoy: give one by --envoy-binary"},
		{"run  --target  traefik  --envoy-binary  wrapper.sh", "--envoy: traefik has no such part"},
		{"run  --target  contour  --envoy-binary  nosuch", "there is nothing of that name"},
		{"run  --target  contour  --envoy-binary  wrapper.sh", fine},
		{"up  --etcd-binary  /bin/true", "give one that is built from go.etcd.io/etcd"},
		{"run  --crds  nosuch", `--crds "nosuch": there is nothing of that name`},
		{"run  --crds  image:/crds", "name it in FV_FELIXIMAGE"},
		{"faults  --focus  nosuch", `--focus "nosuch" matches no fault`},
		{"faults  --target  traefik  --focus  ^agent killed$", `no fault that --focus "^agent killed$" matches can be made: agent killed: the target is no agent`},
		{"faults  --focus  [", "is no regular expression"},
		{"mutants  --focus  nosuch", `--focus "nosuch" matches no mutant`},
		{"mutants  --stages  nosuch", `there is no stage "nosuch"; there are [set fuzz leak]`},
		{"mutants  --target  kube-router", "there are no mutants of kube-router"},
		{"mutants  --resume  /etc", "--resume: there is no table in /etc"},
		{"images  --target  nosuch", `unknown target "nosuch"`},

		// Places, and runs.
		{"run  --out  text", "--out text: a file is in the way"},
		{"run  --out  text/below", "--out text/below: a file is in the way"},
		{"test  --out  text", "--out text: a file is in the way"},
		{"test  --run  nosuch", "you have no environment nosuch; `fv ps` shows those there are"},
		{"test  --run  ../runs", "you have no environment ../runs"},
		{"exec  --run  nosuch  --  true", "you have no environment nosuch"},
		{"judge  /etc", "there is no record in /etc"},
		{"judge  nosuch", "there is no record in out/nosuch"},
		{"judge  manifests", "there is no record in out/manifests"},
		{"judge  damaged", "the record in damaged is damaged: load record: journal-driver.jsonl, line 1"},
		{"replay  nosuch.json", "nosuch.json: no such file"},
		{"replay  text", "text is no repro.json"},
		{"replay  --times  0  text", "--times 0: must be at least 1"},

		// Words that nobody knows.
		{"nosuch", `unknown command "nosuch"`},
		{"run  --nosuch", "unknown flag: --nosuch; see `fv run --help`"},
		{"run  pod churn", `unknown argument "pod churn": flags for Ginkgo stand after --`},
		{"up  now", "see `fv up --help`"},
		{"list  all", "see `fv list --help`"},
		{"judge", "see `fv judge --help`"},
		{"exec", "see `fv exec --help`"},
		{"exec  -t  --  bash", "-t needs a terminal"}, // go test reads from none
		{"exec  --env  LEVEL  --  true", `--env "LEVEL": want K=V`},
		{"exec  --env  =x  --  true", "want K=V"},
		{"exec  --copy  nosuch  --  true", `--copy "nosuch": there is nothing of that name`},
		{"exec  --copy  manifests  --  true", "that is no file"},
		{"exec  --env  A=B=C  --copy  text  --  true", fine},
		{"down  --force  nosuch", fine},
		{"ps  --json", fine},
		{"new  scenario  storm", fine},
	} {
		t.Run(row.words, func(t *testing.T) {
			err := executed(strings.Split(row.words, "  "))
			if err == nil || !strings.Contains(err.Error(), row.says) {
				t.Fatalf("got %v, want %q", err, row.says)
			}
			if code := exitCode(err); code != exitUsage {
				t.Errorf("exit code %d, want %d", code, exitUsage)
			}
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("more than one line: %v", err)
			}
		})
	}
	t.Run("make", func(t *testing.T) { quotedByMake(t, root) })
}

// place makes a working directory outside of any checkout, with some files in it, and a home without a run.
func place(t *testing.T) {
	t.Helper()
	dir := t.TempDir()
	for name, file := range map[string]struct {
		text string
		mode os.FileMode
	}{
		"text": {"text\n", 0o644}, "wrapper.sh": {"#!/bin/sh\n", 0o755}, "manifests/crd.yaml": {"", 0o644},
		"damaged/journal-driver.jsonl": {"{\"scenario\":\n{}\n", 0o644},
	} {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(file.text), file.mode)); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(dir)
	t.Setenv("HOME", dir)
	t.Setenv("XDG_CACHE_HOME", "")
	for _, c := range harness.Components() {
		t.Setenv(harness.ImageVariable(c), "")
	}
}

// executed is what a command says in the end; what it would tell on its way is left out.
func executed(words []string) error {
	c := command()
	c.SetArgs(words)
	c.SetOut(new(strings.Builder))
	return c.ExecuteContext(context.Background())
}

// quotedByMake wants make to hand variables on as they are.
func quotedByMake(t *testing.T, root string) {
	if _, err := exec.LookPath("make"); err != nil {
		t.Skip("no make here")
	}
	for _, focus := range []string{"it's", "^pod churn$", `a|b "c" $(id) $d` + " `id`"} {
		made := exec.Command("make", "--no-print-directory", "-C", root, "-o", "build", "fv", "FV=printf '%s\\n'", "FOCUS="+focus)
		out, err := made.CombinedOutput()
		if want := "run\n--focus\n" + focus + "\n"; err != nil || string(out) != want {
			t.Errorf("got %q, %v, want %q", out, err, want)
		}
	}
}

// TestScriptKeepsExitCodes wants scripts/fv to end as bin/fv does, for CI.
func TestScriptKeepsExitCodes(t *testing.T) {
	root, err := harness.ProjectRoot()
	if err != nil {
		t.Fatal(err)
	}
	script, err := os.ReadFile(filepath.Join(root, "scripts", "fv"))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, text := range map[string]string{"scripts/fv": string(script), "bin/fv": "#!/bin/sh\nexit $1\n", "Makefile": "build:\n"} {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o755)); err != nil {
			t.Fatal(err)
		}
	}
	for _, code := range []int{exitPass, exitFail, exitInconclusive} {
		made := exec.Command(filepath.Join(dir, "scripts", "fv"), strconv.Itoa(code))
		if err := made.Run(); made.ProcessState.ExitCode() != code {
			t.Errorf("%v, want exit code %d", err, code)
		}
	}
}
