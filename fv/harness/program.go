package harness

import (
	"debug/buildinfo"
	"debug/elf"
)

// isProgramOf reports whether the file can be a program that is built from a module: false for one that is compiled from something else. A
// script, and a Go program that does not say what it is made of, can be anything.
func isProgramOf(path, module string) bool {
	file, err := elf.Open(path)
	if err != nil {
		return true // a script, or nothing that is there any more
	}
	_ = file.Close() // it was only read
	info, err := buildinfo.ReadFile(path)
	if err != nil {
		return false // no Go program
	}
	for _, m := range info.Deps {
		if m.Path == module {
			return true
		}
	}
	return info.Main.Path == "" || info.Main.Path == module
}
