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
	self, _ := OwnerOf(os.Getpid()) // it runs
	return self
}

// OwnerOf names a process that runs.
func OwnerOf(pid int) (Owner, error) {
	start, err := startOf(pid)
	if err != nil {
		return "", fmt.Errorf("process %d: %w", pid, err)
	}
	return Owner(fmt.Sprintf("%s/%d/%s", here(), pid, start)), nil
}

// strangerLife is how long what a process made that can't be seen from here is believed to be in use.
const strangerLife = 24 * time.Hour

// Gone reports whether the process that made something at that time has ended. One of another machine, or of before this one was
// started, can't be asked: it counts as gone after a day.
func (o Owner) Gone(made time.Time) bool {
	if pid, start, ok := o.visible(); ok {
		now, err := startOf(pid)
		return err != nil || now != start
	}
	if strings.Count(string(o), "/") != 3 {
		return true // nobody of ours
	}
	return strings.HasPrefix(string(o), here()+"/") || time.Since(made) > strangerLife
}

// PID returns the number of the process if it can be seen from here and has not ended. Who means to act on it takes hold of it by a
// pidfd first and asks then.
func (o Owner) PID() (int, bool) {
	pid, start, ok := o.visible()
	if !ok {
		return 0, false
	}
	now, err := startOf(pid)
	return pid, err == nil && now == start
}

// visible takes a name apart that belongs to this boot and process namespace.
func (o Owner) visible() (pid int, start string, ok bool) {
	parts := strings.Split(string(o), "/")
	if len(parts) != 4 || parts[0]+"/"+parts[1] != here() {
		return 0, "", false
	}
	pid, err := strconv.Atoi(parts[2])
	return pid, parts[3], err == nil
}

// here names the boot and the process namespace in which process numbers mean something.
func here() string {
	boot, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	space, _ := os.Readlink("/proc/self/ns/pid") // pid:[4026531836]
	return strings.TrimSpace(string(boot)) + "/" + strings.Trim(space, "pid:[]")
}

// startOf returns when a process was started, in clock ticks since boot: field 22 of proc(5)'s stat. One that has ended and that nobody
// waits for, as in containers whose first process reaps no orphans, is gone.
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
	if state := after[0]; state == "Z" || state == "X" {
		return "", fmt.Errorf("process %d has ended", pid)
	}
	return after[start], nil
}
