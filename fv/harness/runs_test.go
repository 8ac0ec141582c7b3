package harness

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nodefv/nodefv/infra"
	"github.com/nodefv/nodefv/infra/lifecycle"
)

func TestRemoval(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir()) // where it is looked up which runs are kept
	old := time.Now().Add(-time.Hour)
	run := func(name string, owner lifecycle.Owner, kept bool) placedRun {
		state := t.TempDir()
		if kept {
			if err := os.WriteFile(filepath.Join(state, "kept"), nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		return placedRun{RunInfo: infra.RunInfo{Run: name, Created: old, Owner: owner, State: state}}
	}
	busy, orphan, mine, other := run("busy", lifecycle.Self(), false), run("orphan", "", false), run("mine", "", true), run("other", "", true)
	driven := run("driven", "", true)
	lock, err := os.Create(filepath.Join(driven.State, "drive"))
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		runs    []placedRun
		removal Removal
		want    []string
		refused string
	}{
		"nothing there":          {nil, Removal{}, nil, ""},
		"one kept":               {[]placedRun{busy, orphan, mine}, Removal{}, []string{"orphan", "mine"}, ""},
		"several kept":           {[]placedRun{busy, orphan, mine, other}, Removal{}, nil, "name those to remove, or say --all: mine, other"},
		"all of several":         {[]placedRun{busy, orphan, mine, other}, Removal{All: true}, []string{"orphan", "mine", "other"}, ""},
		"all, and those at work": {[]placedRun{busy, orphan, mine}, Removal{All: true, Force: true}, []string{"busy", "orphan", "mine"}, ""},
		"forced, but not all":    {[]placedRun{busy, mine}, Removal{Force: true}, []string{"mine"}, ""},
		"a kept one":             {[]placedRun{busy, mine, other}, Removal{Named: []string{"other"}}, []string{"other"}, ""},
		"one at work":            {[]placedRun{busy, mine}, Removal{Named: []string{"busy"}}, nil, "at work in run busy"},
		"one at work, forced":    {[]placedRun{busy, mine}, Removal{Named: []string{"busy"}, Force: true}, []string{"busy"}, ""},
		"one that is driven":     {[]placedRun{driven, mine}, Removal{}, []string{"mine"}, ""},
		"all but the driven":     {[]placedRun{driven, orphan, mine}, Removal{All: true}, []string{"orphan", "mine"}, ""},
		"the driven one":         {[]placedRun{driven, mine}, Removal{Named: []string{"driven"}}, nil, "at work in run driven"},
		"the driven one, forced": {[]placedRun{driven, mine}, Removal{Named: []string{"driven"}, Force: true}, []string{"driven"}, ""},
		"one that is not":        {[]placedRun{busy}, Removal{Named: []string{"nosuch"}}, nil, "there is no environment nosuch"},
	} {
		chosen, err := c.removal.choose(c.runs)
		var got []string
		for _, r := range chosen {
			got = append(got, r.Run)
		}
		if (err != nil) != (c.refused != "") || err != nil && !strings.Contains(err.Error(), c.refused) || !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}

// sweeper is a runtime of which nothing but Sweep may be used.
type sweeper struct {
	provider
	swept []string
}

func (s *sweeper) Sweep(_ context.Context, run string) error {
	s.swept = append(s.swept, run)
	return nil
}

// TestRemovalOfOneThatIsTakenMeanwhile is that a command began to drive the environment after it was looked whether one does.
func TestRemovalOfOneThatIsTakenMeanwhile(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	var s sweeper
	run := placedRun{RunInfo: infra.RunInfo{Run: "mine", State: t.TempDir()}, provider: &s}
	release, err := run.Take()
	if err != nil {
		t.Fatal(err)
	}
	if err := run.remove(t.Context(), false); !errors.Is(err, infra.ErrDriven) || len(s.swept) > 0 {
		t.Errorf("while it is driven: %v, swept %v", err, s.swept)
	}
	if err := run.remove(t.Context(), true); err != nil || len(s.swept) != 1 {
		t.Errorf("forced: %v, swept %v", err, s.swept)
	}
	if err := release(); err != nil {
		t.Fatal(err)
	}
	if err := run.remove(t.Context(), false); err != nil || len(s.swept) != 2 {
		t.Errorf("afterwards: %v, swept %v", err, s.swept)
	}
}
