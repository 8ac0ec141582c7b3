package driver

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nodefv/nodefv/infra/lifecycle"
	"github.com/nodefv/nodefv/scenarios/engine"
)

// sleeper starts a process of that name, which lives until it is killed.
func sleeper(t *testing.T, name string) *exec.Cmd {
	t.Helper()
	sleep, err := exec.LookPath("sleep")
	if err != nil {
		t.Skip(err)
	}
	data, err := os.ReadFile(sleep)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, data, 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, "600")
	cmd.Args[0] = "sleep" // one program may be many, by its name
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { kill(cmd) })
	return cmd
}

func kill(cmd *exec.Cmd) {
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
}

func TestEndOfTheProcessEndsWhatIsGuarded(t *testing.T) {
	cmd := sleeper(t, "fv-life-ends")
	alive, err := watchLife(t.Context(), "fv-life-ends", func() []int { return nil })
	if err != nil {
		t.Fatal(err)
	}
	guarded, release := alive.guard(t.Context(), func(context.Context) (*life, bool, error) { return nil, false, nil })
	defer release()
	if guarded.Err() != nil {
		t.Fatal("it ended while the process lived")
	}
	kill(cmd)
	select {
	case <-guarded.Done():
	case <-time.After(10 * time.Second):
		t.Fatal("the end was not seen")
	}
	if cause := context.Cause(guarded); !errors.Is(cause, engine.ErrDied) {
		t.Errorf("the cause is %v", cause)
	}
}

func TestEndThatIsAskedForIsFollowedByTheSuccessor(t *testing.T) {
	cmd := sleeper(t, "fv-life-first")
	next := sleeper(t, "fv-life-second")
	alive, err := watchLife(t.Context(), "fv-life-first", func() []int { return nil })
	if err != nil {
		t.Fatal(err)
	}
	taken := make(chan struct{})
	guarded, release := alive.guard(t.Context(), func(ctx context.Context) (*life, bool, error) {
		select {
		case <-taken:
			return nil, false, nil // the end of the successor is not asked for
		default:
		}
		defer close(taken)
		l, err := watchLife(ctx, "fv-life-second", func() []int { return nil })
		return l, true, err
	})
	defer release()
	kill(cmd)
	select {
	case <-taken:
	case <-guarded.Done():
		t.Fatal(context.Cause(guarded))
	case <-time.After(10 * time.Second):
		t.Fatal("nobody looked for the successor")
	}
	kill(next)
	select {
	case <-guarded.Done():
	case <-time.After(10 * time.Second):
		t.Fatal("the successor's end was not seen")
	}
}

func TestStopped(t *testing.T) {
	cmd := sleeper(t, "fv-life-stops")
	pid := cmd.Process.Pid
	if stopped(pid) {
		t.Error("a process that sleeps counts as stopped")
	}
	if err := unix.Kill(pid, unix.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	err := lifecycle.Wait(t.Context(), "its stop", 10*time.Second, func(context.Context) error {
		if !stopped(pid) {
			return errors.New("it runs")
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	if stopped(1 << 30) {
		t.Error("a process that is not there counts as stopped")
	}
}
