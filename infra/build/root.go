package build

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

const module = "github.com/nodefv/nodefv"

// FindRoot returns the root of the repository that dir is in: the nearest folder upwards whose go.mod is this project's.
func FindRoot(dir string) (string, error) {
	start, err := filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("find the repository: %w", err)
	}
	for at := start; ; at = filepath.Dir(at) {
		if modulePath(filepath.Join(at, "go.mod")) == module {
			return at, nil
		}
		if at == filepath.Dir(at) {
			return "", fmt.Errorf("%s is not in a checkout of %s, whose docker folder is needed: change into one", start, module)
		}
	}
}

func modulePath(file string) string {
	f, err := os.Open(file)
	if err != nil {
		return ""
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if name, ok := strings.CutPrefix(lines.Text(), "module "); ok {
			return strings.TrimSpace(name)
		}
	}
	return ""
}
