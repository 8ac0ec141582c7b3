package infra

import (
	"os"
	"path/filepath"
	"testing"
)

func TestKeptLooksWhereTheRunWasMade(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	elsewhere, here := t.TempDir(), RunInfo{Run: "mine"}
	theirs := RunInfo{Run: "theirs", State: elsewhere}
	for _, r := range []RunInfo{here, theirs} {
		if r.Kept() {
			t.Errorf("%s is kept before anybody said so", r.Run)
		}
	}
	mine, err := StateFolder("mine")
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{mine, elsewhere} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, keptFile), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, r := range []RunInfo{here, theirs} {
		if !r.Kept() {
			t.Errorf("%s is not kept", r.Run)
		}
	}
}
