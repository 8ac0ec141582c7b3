package lifecycle

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// Owner names a process for as long as this machine is up: its number alone may be another's later, or another machine's.
// It is machine boot, process namespace, number and start, with slashes between.
type Owner string

// Self is this process.
func Self() Owner {
	pid := os.Getpid()
	start, _ := startOf(pid)
	return Owner(fmt.Sprintf("%s/%d/%s", here(), pid, start))
}

// strangerLife is how long what a process made that can't be seen from here is believed to be in use.
const strangerLife = 24 * time.Hour

// Gone reports whether the process that made something at that time has ended. One of another machine, or of before this one was
// started, can't be asked: it counts as gone after a day.
func (o Owner) Gone(made time.Time) bool {
	parts := strings.Split(string(o), "/")
	if len(parts) != 4 {
		return true // nobody of ours
	}
	if parts[0]+"/"+parts[1] != here() {
		return time.Since(made) > strangerLife
	}
	pid, err := strconv.Atoi(parts[2])
	if err != nil {
		return true
	}
	start, err := startOf(pid)
	return err != nil || start != parts[3]
}

// here names the boot and the process namespace in which process numbers mean something.
func here() string {
	boot, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	space, _ := os.Readlink("/proc/self/ns/pid") // pid:[4026531836]
	return strings.TrimSpace(string(boot)) + "/" + strings.Trim(space, "pid:[]")
}

// startOf returns when a process was started, in clock ticks since boot: field 22 of proc(5)'s stat.
func startOf(pid int) (string, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return "", err
	}
	after := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:])) // the name may hold anything
	const start = 22 - 3
	if len(after) <= start {
		return "", fmt.Errorf("process %d: stat of %d fields", pid, len(after)+2)
	}
	return after[start], nil
}
