package harness

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/nodefv/nodefv/infra/targets"
	"github.com/nodefv/nodefv/metrics"
	"github.com/nodefv/nodefv/scenarios/leak"
	"github.com/nodefv/nodefv/workloads"
)

// Leak carries an order to look for leaks out in an environment of its own, which is removed. The agent counts every allocation.
func (h *Harness) Leak(ctx context.Context, o Options, seed uint64, order leak.Order) (metrics.Verdict, error) {
	if err := possible(o, order); err != nil {
		return metrics.Inconclusive, err
	}
	command := repeatLeak(o, seed, order)
	o.Settings, o.Restartable = []workloads.Setting{workloads.CountsAll}, true
	_, verdict, err := h.carry(ctx, o, seed, func(s *session) { s.leak, s.command = &order, command })
	return verdict, err
}

// possible refuses a kind of churn that the target can't do.
func possible(o Options, order leak.Order) error {
	target, err := targets.New(o.Target, targets.Options{DataPlane: o.DataPlane})
	if err != nil {
		return usage(err)
	}
	can := leak.Possible(func(f workloads.Feature) bool { return f == workloads.Restarts || targets.Has(target, f) })
	if !slices.Contains(can, order.Churn) {
		return usage(fmt.Errorf("--churn %s: %s can't do that; it can do: %s", order.Churn, o.Target, strings.Join(can, ", ")))
	}
	return nil
}

func repeatLeak(o Options, seed uint64, order leak.Order) string {
	words := []string{"bin/fv leak --seed", strconv.FormatUint(seed, 10), "--churn", order.Churn, "--identities", order.Identities}
	if order.Objects > 0 {
		words = append(words, "--objects", strconv.Itoa(order.Objects))
	}
	if order.Cycles > 0 {
		words = append(words, "--cycles", strconv.Itoa(order.Cycles))
	}
	if order.For > 0 {
		words = append(words, "--for", order.For.String())
	}
	if order.UntilSure {
		words = append(words, "--until-sure")
	}
	if order.See > 0 {
		words = append(words, "--see", strconv.FormatFloat(order.See, 'f', -1, 64))
	}
	return strings.Join(append(words, o.words()...), " ")
}
