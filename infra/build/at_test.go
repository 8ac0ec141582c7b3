package build

import "testing"

// TestOneReleaseIsOneArtifact wants a component in a release to be the same however it is asked for, so that it is built once.
func TestOneReleaseIsOneArtifact(t *testing.T) {
	root, err := FindRoot(".")
	if err != nil {
		t.Fatal(err)
	}
	key := func(b *Builder, component string) string {
		t.Helper()
		k, err := b.Key(component)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	pinned, chosen := &Builder{Root: root}, &Builder{Root: root}
	if err := chosen.Choose("felix", "v3.30.1"); err != nil {
		t.Fatal(err)
	}
	if key(pinned, At("felix", "v3.30.1")) != key(chosen, "felix") {
		t.Error("v3.30.1 is another one if it is chosen")
	}
	if key(chosen, At("felix", "v3.31.0")) != key(pinned, "felix") {
		t.Error("the pinned release is another one if it is named")
	}
	if key(pinned, "felix") == key(chosen, "felix") {
		t.Error("two releases are one")
	}
}
