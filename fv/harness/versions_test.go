package harness

import (
	"testing"

	"github.com/nodefv/nodefv/infra/build"
	"github.com/nodefv/nodefv/infra/targets"
)

func TestVersionsAreOfTheTarget(t *testing.T) {
	root, err := ProjectRoot()
	if err != nil {
		t.Fatal(err)
	}
	h := &Harness{builder: &build.Builder{Root: root}}
	for _, i := range targets.All() {
		versions := h.versions(i.Name)
		for _, other := range targets.All() {
			if (versions[other.Name] != "") != (other.Name == i.Name) {
				t.Errorf("%s: %v", i.Name, versions)
			}
		}
	}
}
