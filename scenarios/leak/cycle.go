package leak

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/nodefv/nodefv/scenarios/engine"
)

// Kinds returns the names of the kinds of churn of pods and policies of which a cycle disturbs nothing that stands: those that Cycle knows.
func Kinds() (names, docs []string) {
	for _, c := range churns {
		if !c.bare && slices.Equal(c.needs, onNode) {
			names, docs = append(names, c.name), append(docs, c.doc)
		}
	}
	return names, docs
}

// ErrAlone is what Cycle returns in a cluster that has no pods on this node and on another to take after.
var ErrAlone = errors.New("churn takes after pods on this node and on another: there must be some of each")

// Cycle makes the objects of one cycle of a kind of churn, so many of them (0: its own number), calls between and removes them again, even
// if that fails. Cycles are numbered from 1: each has objects of its own. It returns how many there were.
func Cycle(ctx context.Context, w *engine.World, kind string, cycle, objects int, between func() error) (made int, err error) {
	churn, err := Order{Churn: kind}.find()
	if err != nil {
		return 0, err
	}
	if len(standing(w, true)) == 0 || len(standing(w, false)) == 0 {
		return 0, ErrAlone
	}
	c := &course{order: Order{Churn: kind}, churn: churn, cycle: cycle, objects: cmp.Or(objects, churn.objects)}
	down, err := churn.turn(ctx, w, c)
	if err != nil || down == nil {
		return 0, err
	}
	err = between()
	return c.objects, errors.Join(err, down())
}
