package main

import (
	"bytes"
	"errors"
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
		args  []string
		says  string
		fails string // the error; empty: that the verdict is a failure
	}{
		{[]string{dir}, "fail: 2 pass, 1 fail", ""},
		{[]string{dir, "--without-known", "IPv6 routes remade"}, "fail: 1 pass, 2 fail", ""},
		{[]string{dir}, "fail: 2 pass, 1 fail", ""}, // the record is as it was
		{[]string{dir, "--without-known", "feathers"}, "", `--without-known "feathers": the record knows "IPv6 routes remade"`},
	} {
		var out bytes.Buffer
		cmd := judgeCommand()
		cmd.SetArgs(c.args)
		cmd.SetOut(&out)
		cmd.SilenceUsage, cmd.SilenceErrors = true, true
		err := cmd.Execute()
		var exit *exitError
		if !errors.As(err, &exit) || c.fails == "" && exit.code != exitFail || c.fails != "" && !strings.Contains(err.Error(), c.fails) {
			t.Errorf("%v: %v", c.args[1:], err)
		}
		if !strings.Contains(out.String(), c.says) {
			t.Errorf("%v: no %q in\n%s", c.args[1:], c.says, out.String())
		}
	}
}
