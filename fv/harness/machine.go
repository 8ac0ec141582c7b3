package harness

import (
	"fmt"
	"os"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/nodefv/nodefv/metrics/report"
)

// Machine describes this machine for a record.
func Machine() (report.Machine, error) {
	var uts unix.Utsname
	if err := unix.Uname(&uts); err != nil {
		return report.Machine{}, fmt.Errorf("uname: %w", err)
	}
	var info unix.Sysinfo_t
	if err := unix.Sysinfo(&info); err != nil {
		return report.Machine{}, fmt.Errorf("sysinfo: %w", err)
	}
	return report.Machine{
		Kernel: unix.ByteSliceToString(uts.Release[:]), OS: runtime.GOOS, Arch: runtime.GOARCH, CPU: cpuModel(), CPUs: runtime.NumCPU(),
		MemoryBytes: info.Totalram * uint64(info.Unit),
	}, nil
}

func cpuModel() string {
	data, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return "unknown"
	}
	for line := range strings.Lines(string(data)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return "unknown"
}
