package harness

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/nodefv/nodefv/infra"
	"github.com/nodefv/nodefv/infra/build"
	"github.com/nodefv/nodefv/metrics"
	"github.com/nodefv/nodefv/workloads/load"
)

// Traffic makes traffic in the kept environment of that run, or the only one there is, with a record below out, and tells on result what became of
// it: as text, or as JSON. It fails if the traffic is worse than its budget allows.
func (h *Harness) Traffic(ctx context.Context, run, out string, order load.Order, asJSON bool, result io.Writer) (metrics.Verdict, error) {
	if err := order.Check(); err != nil {
		return metrics.Inconclusive, usage(err)
	}
	env, o, release, err := h.attachToDrive(ctx, run, out)
	if err != nil {
		return metrics.Inconclusive, err
	}
	defer release()
	sess, err := h.newSession(o, Suite{Seed: 1})
	if err != nil {
		return metrics.Inconclusive, err
	}
	sess.traffic, sess.command = &order, repeatTraffic(order)
	fmt.Fprintf(h.cfg.Progress, "traffic: record in %s\n", fromHere(sess.dir))
	verdict, err := sess.driveKept(ctx, env)
	return verdict, errors.Join(err, tellTraffic(filepath.Join(sess.dir, load.ReportFile), asJSON, result))
}

// tellTraffic tells a report; that there is none is no error, for then something else is.
func tellTraffic(path string, asJSON bool, result io.Writer) error {
	data, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err == nil && asJSON {
		_, err = result.Write(data)
		return err
	}
	var r load.Report
	if err == nil {
		err = json.Unmarshal(data, &r)
	}
	if err != nil {
		return fmt.Errorf("tell what became of the traffic: %w", err)
	}
	_, err = fmt.Fprint(result, r)
	return err
}

// Control passes an order on to the driver that is at work in the kept environment of that run, or the only one there is, and its answer to
// out, as JSON or for people. An order that is refused is a usage error.
func (h *Harness) Control(ctx context.Context, run string, order infra.ImpairOrder, asJSON bool, out io.Writer) error {
	env, o, err := h.attach(ctx, run)
	if err != nil {
		return err
	}
	if err := h.prepareDriver(ctx, o); err != nil {
		return err
	}
	text, err := json.Marshal(order)
	if err != nil {
		return err
	}
	spec := infra.Spec{Component: build.Driver, Command: []string{"fv.test"}, Env: map[string]string{infra.ControlEnv: string(text)}}
	if asJSON {
		spec.Env[infra.ControlJSONEnv] = "1"
	}
	var answer bytes.Buffer
	exit, err := env.Exec(ctx, spec, &answer)
	if err != nil {
		return err
	}
	if exit.Code != 0 {
		return usage(errors.New(strings.TrimSpace(answer.String())))
	}
	_, err = answer.WriteTo(out)
	return err
}
