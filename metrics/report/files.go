package report

import (
	"path/filepath"
	"slices"
	"strings"
)

// The folders beside a record in which there is more to be read: logs, and what was there when a scenario failed, a folder each.
const (
	logsDir        = "logs"
	diagnosticsDir = "diagnostics"
)

// filesIn lists the logs and diagnostics in a record's folder, as paths within it.
func filesIn(dir string) []string {
	var files []string
	for _, pattern := range []string{logsDir + "/*", diagnosticsDir + "/*/*"} {
		found, _ := filepath.Glob(filepath.Join(escapedGlob(dir), pattern)) // the pattern is well-formed
		for _, path := range found {
			if inside, err := filepath.Rel(dir, path); err == nil {
				files = append(files, filepath.ToSlash(inside))
			}
		}
	}
	slices.Sort(files)
	return files
}

// escapedGlob is a path as a pattern that matches it alone.
func escapedGlob(path string) string {
	return strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`).Replace(path)
}

// logs are the files in which parts of the environment have logged.
func (rec Record) logs() []string { return rec.below(logsDir) }

// diagnostics are the files with what was there when the scenario failed.
func (rec Record) diagnostics(scenario string) []string {
	return rec.below(diagnosticsDir + "/" + scenario)
}

func (rec Record) below(dir string) []string {
	return slices.DeleteFunc(slices.Clone(rec.Files), func(f string) bool { return !strings.HasPrefix(f, dir+"/") })
}

// links are links to files, in Markdown.
func links(files []string) string {
	var all []string
	for _, f := range files {
		all = append(all, "["+cell(f[strings.LastIndexByte(f, '/')+1:])+"](<"+strings.NewReplacer("<", "%3C", ">", "%3E").Replace(f)+">)")
	}
	return strings.Join(all, ", ")
}
