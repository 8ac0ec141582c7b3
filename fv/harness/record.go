package harness

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/nodefv/nodefv/infra"
	"github.com/nodefv/nodefv/metrics"
	"github.com/nodefv/nodefv/metrics/report"
	"github.com/nodefv/nodefv/scenarios/engine"
)

// Judge judges a stored record anew, writes all its formats again and returns it, with its folder. The record is that in the folder run, or else that of
// the run of this name below out. Nothing is excused by the known issues of these names.
func Judge(run, out string, withoutKnown ...string) (rec report.Record, dir string, err error) {
	rec, dir, err = find(run, out, report.Load)
	if err != nil {
		return rec, dir, err
	}
	for _, issue := range withoutKnown {
		var known bool
		if rec, known = rec.Without(issue); !known {
			return rec, dir, usage(fmt.Errorf("--without-known %q: the record knows %s", issue, rec.Issues()))
		}
	}
	rec = engine.Judge(rec)
	return rec, dir, report.WriteAll(dir, rec)
}

// Report writes all formats and plots of a stored record again, and returns where its page is. The record is found as Judge finds it; where
// there is no journal any more, run.json is read.
func Report(run, out string) (path string, err error) {
	rec, dir, err := find(run, out, func(dir string) (report.Record, error) {
		rec, err := report.Load(dir)
		if errors.Is(err, fs.ErrNotExist) {
			return report.ReadFile(filepath.Join(dir, report.JSON{}.File()))
		}
		return rec, err
	})
	if err != nil {
		return "", err
	}
	return filepath.Join(dir, report.HTML{}.File()), report.WriteAll(dir, engine.Judge(rec))
}

// find loads the record in the folder run or, if run is a name and not there, that of this name below out.
func find(run, out string, load func(dir string) (report.Record, error)) (rec report.Record, dir string, err error) {
	dir = run
	rec, err = load(dir)
	if errors.Is(err, fs.ErrNotExist) && !strings.ContainsRune(run, filepath.Separator) {
		dir = filepath.Join(out, run)
		rec, err = load(dir)
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		err = usage(fmt.Errorf("there is no record in %s: name a folder with the journals of a run, or a run below %s", dir, out))
	case err != nil:
		err = usage(fmt.Errorf("the record in %s is damaged: %s; the rest is judged once what is broken is taken out", dir, oneLine(err)))
	}
	return rec, dir, err
}

// oneLine is what an error says, in one line.
func oneLine(err error) string { return strings.ReplaceAll(err.Error(), "\n", "; ") }

// begin writes down what is run, on what and how.
func (s *session) begin(ctx context.Context, agent string) error {
	name, version, err := s.h.runtime.Describe(ctx)
	if err != nil {
		return err
	}
	machine, err := Machine()
	if err != nil {
		return err
	}
	machine.Engine = name + " " + version
	versions := s.h.versions(s.options.Target)
	if s.h.given(s.options.Target) {
		versions[s.options.Target] = strings.TrimSpace(agent + " " + versions[s.options.Target])
	} else if agent != "" {
		versions[s.options.Target] = agent
	}
	return s.journal.Write(report.Entry{Run: &report.Run{
		ID: s.id, Started: time.Now(), Seed: s.suite.Seed, Command: s.repeat(), Focus: s.suite.Focus, Target: s.options.Target,
		Runtime: name, Parameters: s.suite.Params, Ceilings: s.suite.ceilings, Machine: machine, Versions: versions,
	}})
}

// fromHere is a path as it is reached from the working directory, if it is below that.
func fromHere(path string) string {
	here, err := os.Getwd()
	if err != nil {
		return path
	}
	if inside, err := filepath.Rel(here, path); err == nil && filepath.IsLocal(inside) {
		return inside
	}
	return path
}

// finish judges what was recorded, writes every format and prints the table.
func (s *session) finish() (metrics.Verdict, error) {
	now := time.Now()
	err := errors.Join(s.journal.Write(report.Entry{End: &now}), s.journal.Close())
	rec, loadErr := report.Load(s.dir)
	if loadErr != nil {
		return metrics.Inconclusive, errors.Join(err, loadErr)
	}
	rec = engine.Judge(rec)
	err = errors.Join(err, report.WriteAll(s.dir, rec), report.Table(s.out, rec, fromHere(s.dir)))
	fmt.Fprintf(s.out, "record: %s\n", fromHere(s.dir))
	return rec.Verdict, errors.Join(err, s.screen.annotate(s.out, rec))
}

// broken ends a session whose environment never came up, with the record of what there is: a failure if the SUT died, else
// inconclusive.
func (s *session) broken(ctx context.Context, cause error) (metrics.Verdict, error) {
	if ended := context.Cause(ctx); ended != nil {
		cut := s.interrupted(ctx, atStart)
		if cause == ended {
			cause = cut
		} else {
			cause = errors.Join(cut, cause) // something could not be removed
		}
	}
	verdict, err := s.record(ctx, cause)
	if err == nil && verdict == metrics.Fail {
		return metrics.Fail, cause
	}
	return metrics.Inconclusive, withCleanup(cause, err)
}

// record writes down why an environment did not come up, and judges that.
func (s *session) record(ctx context.Context, cause error) (metrics.Verdict, error) {
	err := s.begin(context.WithoutCancel(ctx), "")
	event := report.Event{At: time.Now(), Container: "environment", What: "did not come up: " + oneLine(cause)}
	var died *infra.DiedError
	if errors.As(cause, &died) && context.Cause(ctx) == nil {
		event = report.Event{At: event.At, Container: string(died.Role), What: "exited", ExitCode: died.Exit.Code, OOM: died.Exit.OOM, Cause: died.Cause, Log: died.Log}
	}
	err = errors.Join(err, s.journal.Write(report.Entry{Event: &event}))
	verdict, finishErr := s.finish()
	return verdict, errors.Join(err, finishErr)
}
