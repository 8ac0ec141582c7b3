package build

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// altering returns a project whose tool says what its library does.
func altering(t *testing.T) *Builder {
	b := project(t, "package main\n\nimport \"example.org/lib\"\n\nfunc main() { println(lib.Word()) }\n")
	write(t, b.Root, "docker/tool/go.mod", "module example.org/docker/the-tool\n\ngo 1.24\n\nrequire example.org/lib v1.0.0\n\nreplace example.org/lib => ./lib\n")
	write(t, b.Root, "docker/tool/lib/go.mod", "module example.org/lib\n\ngo 1.24\n")
	write(t, b.Root, "docker/tool/lib/lib.go", "package lib\n\nfunc Word() string { return \"released\" }\n")
	return b
}

func alteration(word string) Alteration {
	return Alteration{Module: "example.org/lib", Files: map[string][]byte{
		"lib.go":        []byte("package lib\n\nimport \"example.org/lib/added\"\n\nfunc Word() string { return added.Word }\n"),
		"added/word.go": []byte("package added\n\nconst Word = \"" + word + "\"\n"),
	}}
}

func TestAltered(t *testing.T) {
	b := altering(t)
	first, err := b.Altered(t.Context(), "tool", alteration("one"))
	if err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(first).CombinedOutput(); err != nil || string(out) != "one\n" {
		t.Errorf("the altered tool says %q, %v", out, err)
	}
	if again, err := b.Altered(t.Context(), "tool", alteration("one")); err != nil || again != first {
		t.Errorf("built again: %q, %v", again, err)
	}
	if second, err := b.Altered(t.Context(), "tool", alteration("two")); err != nil || second == first {
		t.Errorf("another alteration: %q, %v", second, err)
	}
	if _, err := os.Stat(b.Root + "/docker/tool/lib/added"); err == nil {
		t.Error("the module's own folder was written to")
	}
}

func TestAlteredSaysWhatFailed(t *testing.T) {
	b := altering(t)
	a := Alteration{Module: "example.org/lib", Files: map[string][]byte{"lib.go": []byte("package lib\n\nfunc Word() string { return 7 }\n")}}
	if _, err := b.Altered(t.Context(), "tool", a); err == nil || !strings.Contains(err.Error(), "example.org/lib") || !strings.Contains(err.Error(), "lib.go:3") {
		t.Errorf("got %v", err)
	}
	b.Overrides = map[string]string{"tool": "/bin/true"}
	if _, err := b.Altered(t.Context(), "tool", alteration("one")); err == nil {
		t.Error("a binary that is given was altered")
	}
}
