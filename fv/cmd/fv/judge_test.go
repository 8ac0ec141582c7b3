package main

import (
	"bytes"
	"os"
	"strings"
	"testing"
)

// TestJudgeWithoutAKnownIssue judges a stored record with and without the known issue that excuses what one of its scenarios violated.
func TestJudgeWithoutAKnownIssue(t *testing.T) {
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("../../../scenarios/engine/testdata/excused")); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args []string
		says string
		ends int
	}{
		{[]string{dir}, "fail: 2 pass, 1 fail", exitFail},
		{[]string{dir, "--without-known", "IPv6 routes remade"}, "fail: 1 pass, 2 fail", exitFail},
		{[]string{dir}, "fail: 2 pass, 1 fail", exitFail}, // the record is as it was
		{[]string{dir, "--without-known", "feathers"}, "", exitUsage},
	} {
		var out bytes.Buffer
		cmd := judgeCommand()
		cmd.SetArgs(c.args)
		cmd.SetOut(&out)
		cmd.SilenceUsage, cmd.SilenceErrors = true, true
		if got := exitCode(cmd.Execute()); got != c.ends {
			t.Errorf("%v: exit code %d, want %d", c.args[1:], got, c.ends)
		}
		if !strings.Contains(out.String(), c.says) {
			t.Errorf("%v: no %q in\n%s", c.args[1:], c.says, out.String())
		}
	}
}
