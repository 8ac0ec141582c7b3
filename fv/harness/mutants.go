package harness

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/nodefv/nodefv/infra/build"
	"github.com/nodefv/nodefv/infra/mutants"
	"github.com/nodefv/nodefv/metrics"
	"github.com/nodefv/nodefv/metrics/report"
	"github.com/nodefv/nodefv/scenarios/fuzz"
	"github.com/nodefv/nodefv/scenarios/leak"
	"github.com/nodefv/nodefv/workloads"
)

// mutantTable is a table that is being made.
type mutantTable struct {
	h    *Harness
	o    MutantOptions
	head mutants.Head
	dir  string

	mu      sync.Mutex // guards what is below
	journal *mutants.Journal
	rows    []mutants.Row
}

// Mutants puts mutants through stages until each is caught, writes the rows as they come and in the end the score. It is an error if a row has
// no verdict, or the control another than it must have.
func (h *Harness) Mutants(ctx context.Context, o MutantOptions) (err error) {
	table, chosen, err := chooseMutants(o, h.cfg.Images)
	if err != nil {
		return usage(err)
	}
	m := &mutantTable{h: h, o: o}
	if err := m.open(ctx, table); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, m.journal.Close()) }()
	fmt.Fprintf(m.h.cfg.Progress, "%d mutants, seed %d, table in %s\n", len(chosen), o.Seed, m.dir)
	fmt.Fprintln(h.cfg.Out, mutants.Heading())
	lanes, within := errgroup.WithContext(ctx)
	lanes.SetLimit(o.Lanes)
	known := slices.Clone(m.rows)
	for _, mutant := range chosen {
		row, stages := mutants.Left(known, mutant, m.head.Stages)
		if len(stages) == 0 {
			continue
		}
		if within.Err() != nil {
			break
		}
		lanes.Go(func() error {
			if err := m.run(within, mutant, row, stages); err != nil {
				return fmt.Errorf("%s: %w; `fv mutants --resume %s` goes on", mutant.Name, err, m.dir)
			}
			return nil
		})
	}
	if err := lanes.Wait(); err != nil {
		return err
	}
	return m.tell(table)
}

// open builds what is run and begins the table, or finds the rows of the one that is gone on with.
func (m *mutantTable) open(ctx context.Context, table mutants.Table) error {
	binary, err := m.h.mutated(ctx, table)
	if err != nil {
		return usage(err)
	}
	m.head = mutants.Head{Target: m.o.Target, DataPlane: m.o.DataPlane, Extras: m.o.Extras, Seed: m.o.Seed, FuzzFor: m.o.FuzzFor, Keys: map[string]string{}}
	for _, s := range mutants.Stages {
		if slices.Contains(m.o.Stages, string(s)) {
			m.head.Stages = append(m.head.Stages, s)
		}
	}
	for _, component := range []string{table.Component, build.Driver} {
		if m.head.Keys[component], err = m.h.builder.Key(component); err != nil {
			return usage(err)
		}
	}
	given := m.o.Binaries
	m.o.Binaries = map[string]string{table.Component: binary}
	maps.Copy(m.o.Binaries, given) // none of them is the component, see chooseMutants
	if _, err := m.h.Prepare(ctx, m.o.Options); err != nil {
		return err
	}
	m.head.Runtime = m.h.runtime.Name()
	if m.dir = m.o.Resume; m.dir == "" {
		m.dir = filepath.Join(m.o.Out, "mutants-"+NewRunID())
	}
	if err := os.MkdirAll(m.dir, 0o755); err != nil {
		return err
	}
	m.o.Out = m.dir
	m.journal, m.rows, err = mutants.Open(m.dir, m.head)
	return usage(err)
}

// mutated builds the component with all mutants in it and returns its binary.
func (h *Harness) mutated(ctx context.Context, table mutants.Table) (string, error) {
	source, err := h.builder.ModuleDir(ctx, table.Component, table.Module)
	if err != nil {
		return "", err
	}
	alteration, err := table.Weave(os.DirFS(source))
	if err != nil {
		return "", err
	}
	return h.builder.Altered(ctx, table.Component, alteration)
}

// run puts one mutant through stages until it is caught, and writes its row.
func (m *mutantTable) run(ctx context.Context, mutant mutants.Mutant, row mutants.Row, stages []mutants.Stage) error {
	begun := time.Now()
	for _, stage := range stages {
		more, err := m.try(ctx, &row, mutant, stage)
		if err != nil {
			return err
		}
		if !more {
			break
		}
	}
	row.Took += time.Since(begun)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.rows = append(slices.DeleteFunc(m.rows, func(r mutants.Row) bool { return r.Mutant == row.Mutant }), row)
	row.Judge(mutant)
	fmt.Fprintln(m.h.cfg.Out, row.Line())
	return m.journal.Write(row)
}

// try puts a mutant through a stage, once more if that has no verdict.
func (m *mutantTable) try(ctx context.Context, row *mutants.Row, mutant mutants.Mutant, stage mutants.Stage) (more bool, err error) {
	var dir string
	var rec report.Record
	for range 2 {
		fmt.Fprintf(m.h.cfg.Progress, "  %s: %s\n", mutant.Name, stage)
		dir, rec, err = m.stage(ctx, mutant, stage)
		if ctx.Err() != nil {
			return false, context.Cause(ctx)
		}
		if err != nil { // an environment that can't be had is no verdict, and no reason to leave the other mutants
			rec = report.Record{Reason: err.Error()}
		}
		if rec.Verdict != metrics.Inconclusive {
			break
		}
	}
	if dir == "" {
		return row.Add(mutant, stage, rec, "")
	}
	log, err := os.ReadFile(filepath.Join(dir, "logs", "agent.log"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	row.Records = append(row.Records, dir)
	return row.Add(mutant, stage, rec, string(log))
}

// leakOfMutants is what the stage leak churns: namespaces, whose pods and policies come and go with them. There are so few that the SUT keeps up with what
// the kernel tells it, so that the control can pass: an agent may have a leak of its own where it does not.
var leakOfMutants = leak.Order{Churn: "namespaces", Objects: 5, Identities: leak.Fresh, For: 30 * time.Minute, UntilSure: true, See: 16 << 10}

// stage runs a stage on a mutant in an environment of its own.
func (m *mutantTable) stage(ctx context.Context, mutant mutants.Mutant, stage mutants.Stage) (string, report.Record, error) {
	o, s := m.o.Options, Suite{Seed: m.o.Seed}
	o.Settings = []workloads.Setting{workloads.NoResync} // else it mends now and then what the bug has broken, and what is seen is a matter of time
	if mutant.Name != mutants.Control {
		o.Env = map[string]string{mutants.Variable: mutant.Name}
	}
	var fuzzing *fuzz.Order
	var leaking *leak.Order
	quick := false
	switch stage {
	case mutants.Set:
		quick = true
		s.Extra = []string{"--ginkgo.fail-fast"}
		if err := s.Resolve(); err != nil { // the others have one scenario, which no label leaves out
			return "", report.Record{}, err
		}
	case mutants.Soak:
		o.Settings = append(o.Settings, workloads.CountsAll)
		leaking = &leakOfMutants
	case mutants.Fuzz:
		fuzzing = &fuzz.Order{For: m.o.FuzzFor, Target: m.h.fuzzTarget(o)}
	}
	return m.h.alone(ctx, o, s, func(sess *session) {
		sess.fuzz, sess.leak, sess.quick, sess.command, sess.label = fuzzing, leaking, quick, m.repeat(mutant, stage), mutant.Name+": "
	})
}

func (m *mutantTable) repeat(mutant mutants.Mutant, stage mutants.Stage) string {
	words := []string{"bin/fv mutants --focus", "'^" + mutant.Name + "$'", "--stages", string(stage), "--seed", strconv.FormatUint(m.o.Seed, 10)}
	if stage == mutants.Fuzz {
		words = append(words, "--fuzz-for", m.o.FuzzFor.String())
	}
	o := m.o.Options
	o.Binaries = nil
	return strings.Join(append(words, o.words()...), " ")
}

// tell writes the table to its folder and its score to the terminal. It is an error if a row has no verdict, or the control another
// than it must have.
func (m *mutantTable) tell(table mutants.Table) error {
	r := mutants.NewReport(m.head, table, m.rows)
	if err := r.Write(m.dir); err != nil {
		return err
	}
	fmt.Fprintf(m.h.cfg.Out, "\n%stable: %s\n", r.Score.Terminal(), m.dir)
	return r.Trouble()
}
