package report

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"
)

// TestEnvironment wants the largest need of a setting and what counters have grown by to stand in every output for people, and notes.
func TestEnvironment(t *testing.T) {
	dir := t.TempDir()
	j, err := Create(filepath.Join(dir, "journal.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	backlog := func(needs uint64, command string) []Setting {
		return []Setting{{Name: "net.core.somaxconn", Value: "128", Has: 128, Needs: needs, Command: command}}
	}
	for _, e := range []Environment{
		{At: at(1), Settings: backlog(0, ""), Counters: map[string]uint64{"ListenDrops": 5, "ListenOverflows": 7}},
		{At: at(2), Settings: backlog(500, "sysctl -w net.core.somaxconn=500"), Counters: map[string]uint64{"ListenDrops": 6, "ListenOverflows": 7}},
		{At: at(3), Settings: backlog(100, ""), Counters: map[string]uint64{"ListenDrops": 9, "ListenOverflows": 7, "new": 3}},
		{At: at(4), Settings: backlog(0, "")},
	} {
		if err := j.Write(Entry{Environment: &e}); err != nil {
			t.Fatal(err)
		}
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if err := AddNote(dir, Note{At: at(5), Text: "it rained"}); err != nil {
		t.Fatal(err)
	}
	rec, err := Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	e := rec.Environment
	if e == nil || len(e.Settings) != 1 || e.Settings[0].Needs != 500 || !e.Settings[0].Lacks() || len(e.Hit) != 1 || e.Hit["ListenDrops"] != 4 || !e.At.Equal(at(1)) {
		t.Errorf("%+v", e)
	}
	for _, f := range []Format{Summary{}, HTML{}} {
		var b bytes.Buffer
		if err := f.Write(&b, rec); err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"net.core.somaxconn", "sysctl -w net.core.somaxconn=500", "ListenDrops 4 times", "it rained"} {
			if !strings.Contains(b.String(), want) {
				t.Errorf("%T does not say %q", f, want)
			}
		}
	}
}
