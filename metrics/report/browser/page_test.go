package browser

import (
	"path/filepath"
	"testing"
)

func TestShow(t *testing.T) {
	if *recordDir == "" {
		t.Skip()
	}
	p := newTab(t, 1280)
	t.Log(p.open(filepath.Join(*recordDir, "report.html")))
	p.do()
	p.look(filepath.Base(*recordDir))
	p.quiet()
}
