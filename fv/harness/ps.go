package harness

import (
	"context"
	"fmt"
	"os"
	"os/user"
	"slices"
	"strconv"
	"time"

	"github.com/nodefv/nodefv/infra"
)

// What an environment is to its user.
const (
	Kept     = "kept"      // it was left on purpose
	UnderWay = "under way" // the command that made it runs
	Orphan   = "orphan"    // the command that made it was killed: the next run removes it
)

// Environment is what there is to tell of an environment on this machine.
type Environment struct {
	Run        string        `json:"run"`
	Target     string        `json:"target,omitempty"` // empty, as what follows from it: another user's
	Version    string        `json:"version,omitempty"`
	DataPlane  string        `json:"data_plane,omitempty"`
	Runtime    string        `json:"runtime"`
	Created    time.Time     `json:"created"`
	State      string        `json:"state"`            // kept, under way or orphan
	Owner      string        `json:"owner"`            // the user who made it
	PID        int           `json:"pid,omitempty"`    // of the command that made it, while it runs
	Access     *infra.Access `json:"access,omitempty"` // nil: it can't be had
	Containers int           `json:"containers"`
}

// Environments tells of all environments on this machine, the oldest first.
func (h *Harness) Environments(ctx context.Context) ([]Environment, error) {
	runs, err := h.runs(ctx)
	if err != nil {
		return nil, err
	}
	all := []Environment{}
	for _, r := range runs {
		e := Environment{Run: r.Run, Runtime: r.provider.Name(), Created: begun(r.RunInfo), State: r.state(), Owner: ownerOf(r.RunInfo), Containers: r.Containers}
		if pid, runs := r.Owner.PID(); runs {
			e.PID = pid
		}
		if facts, err := r.Facts(); err == nil {
			e.Target, e.Version, e.DataPlane = facts.Name, facts.Version, facts.DataPlane
		}
		if access, err := infra.AccessOf(ctx, r.provider, r.RunInfo); err == nil { // it may not be up yet, or go just now
			e.Access = &access
		}
		all = append(all, e)
	}
	slices.SortFunc(all, func(a, b Environment) int { return a.Created.Compare(b.Created) })
	return all, nil
}

// begun is when the run was named, which is before its first container; of a name of another form, when its latest container was made.
func begun(r infra.RunInfo) time.Time {
	if at, err := time.Parse(runTime, r.Run[:min(len(runTime), len(r.Run))]); err == nil {
		return at
	}
	return r.Created
}

// state is what the run is to its user.
func (r placedRun) state() string {
	pid, runs := r.Owner.PID()
	switch {
	case runs && pid != os.Getpid() && r.Kept(): // it will be left, but is at work yet
		return UnderWay
	case r.Kept():
		return Kept
	case r.Owner.Gone(r.Created):
		return Orphan
	}
	return UnderWay
}

// ownerOf names the user who made a run, by number if the machine has no name for it.
func ownerOf(r infra.RunInfo) string {
	uid, ok := r.User()
	if !ok {
		return "another user"
	}
	number := strconv.FormatUint(uint64(uid), 10)
	if u, err := user.LookupId(number); err == nil {
		return u.Username
	}
	return fmt.Sprintf("user %s", number)
}
