package engine

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestKnowsNoPolicy wants the engine to know of the model's words no more than what it hands on, and nothing of Kubernetes and of the kernel.
func TestKnowsNoPolicy(t *testing.T) {
	words := []string{"State", "Fleet", "Plan", "Topology", "Load", "Feature", "Restarts"}
	names, err := filepath.Glob("*.go")
	if err != nil || len(names) == 0 {
		t.Fatal(names, err)
	}
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range file.Imports {
			path := strings.Trim(i.Path.Value, `"`)
			if strings.HasPrefix(path, "k8s.io/") || strings.Contains(path, "/workloads/") || strings.HasSuffix(path, "/effects") {
				t.Errorf("%s imports %s", name, path)
			}
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if s, ok := n.(*ast.SelectorExpr); ok {
				if p, ok := s.X.(*ast.Ident); ok && p.Name == "workloads" && !slices.Contains(words, s.Sel.Name) {
					t.Errorf("%s knows workloads.%s", name, s.Sel.Name)
				}
			}
			return true
		})
	}
}
