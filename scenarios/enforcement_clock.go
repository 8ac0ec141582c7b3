package scenarios

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"

	"golang.org/x/time/rate"

	"github.com/nodefv/nodefv/scenarios/effects"
	"github.com/nodefv/nodefv/scenarios/engine"
	"github.com/nodefv/nodefv/workloads"
)

// clockChurn is how many operations a second go on beside what is timed, unless --rate says otherwise.
const clockChurn = 20

var _ = register(func(p Params) engine.Scenario {
	churn := float64(clockChurn)
	if p.Rate != nil && *p.Rate > 0 {
		churn = *p.Rate
	}
	rounds := or(p.Cycles, 20)
	return engine.Scenario{
		Name: "enforcement clock",
		Doc: "How many milliseconds until a change holds, from the API write to the first packet that meets its verdict: each kind of operation, to allow and to deny," +
			" at rest and while pods come and go.",
		Labels:   []engine.Label{Clock, Slow},
		Timeout:  30 * time.Minute,
		Topology: stage,
		Arrange:  arrangeStage,
		Steps: []engine.Step{
			{Name: "rest", Repeat: rounds, Do: func(ctx context.Context, w *engine.World) error { return timeAll(ctx, w, "rest") }},
			{Name: "churn", Repeat: rounds, Do: func(ctx context.Context, w *engine.World) error {
				return amidChurn(ctx, w, churn, func(ctx context.Context) error { return timeAll(ctx, w, fmt.Sprintf("%g operations/s", churn)) })
			}},
		},
	}
})

// timeAll times each kind of operation once, and leaves the stage as it was.
func timeAll(ctx context.Context, w *engine.World, load string) error {
	for _, timed := range []func(context.Context, *timekeeper) error{timeIsolation, timePermission, timeRelabelling, timePeers} {
		if err := timed(ctx, &timekeeper{w, load}); err != nil {
			return err
		}
	}
	return nil
}

// What a timed change does to the stream.
const (
	allows = true
	denies = false
)

// timekeeper times changes on the stage.
type timekeeper struct {
	*engine.World
	load string
}

// flow is the stream between two pods.
func (t *timekeeper) flow(from, to workloads.Pod) effects.Flow {
	return flowBetween(t.World, from, to, 0, corev1.ProtocolUDP)
}

// time times one change that allows or denies a stream.
func (t *timekeeper) time(ctx context.Context, operation string, stream effects.Flow, allow bool, do func(context.Context) error) error {
	return effects.Time(ctx, t.World, effects.Timed{Operation: operation, Load: t.load, Flow: stream, Allows: allow, Do: do})
}

// hearsClients is the stage's policy, for all protocols and ports.
func (t *timekeeper) hearsClients() workloads.Policy {
	p := guard(t.World)
	p.Spec.Ingress[0].Ports = nil
	return p
}

// timeIsolation adds and deletes a policy that isolates an open pod.
func timeIsolation(ctx context.Context, t *timekeeper) error {
	stream := t.flow(onStage(t.World, 0, localClient), onStage(t.World, 0, server))
	isolate := closed(t.World, 0)
	return errors.Join(
		t.time(ctx, "policy added", stream, denies, func(ctx context.Context) error { return t.Fleet.AddPolicies(ctx, []workloads.Policy{isolate}) }),
		t.time(ctx, "policy deleted", stream, allows, func(ctx context.Context) error { return t.Fleet.RemovePolicies(ctx, []workloads.Key{isolate.Key}) }),
	)
}

// timePermission opens an isolated pod by a policy, and closes it again.
func timePermission(ctx context.Context, t *timekeeper) error {
	stream := t.flow(onStage(t.World, 0, localClient), onStage(t.World, 0, server))
	isolate, permit := closed(t.World, 0), t.hearsClients()
	narrow := permit
	narrow.Spec.Ingress = []networkingv1.NetworkPolicyIngressRule{{From: permit.Spec.Ingress[0].From, Ports: on(effects.Ports[0])}} // TCP alone
	put := func(p workloads.Policy) func(context.Context) error {
		return func(ctx context.Context) error { return t.Fleet.ChangePolicies(ctx, []workloads.Policy{p}) }
	}
	if err := t.Fleet.AddPolicies(ctx, []workloads.Policy{isolate}); err != nil {
		return err
	}
	return errors.Join(
		t.time(ctx, "policy added", stream, allows, func(ctx context.Context) error { return t.Fleet.AddPolicies(ctx, []workloads.Policy{permit}) }),
		t.time(ctx, "policy changed", stream, denies, put(narrow)),
		t.time(ctx, "policy changed", stream, allows, put(permit)),
		t.time(ctx, "policy deleted", stream, denies, func(ctx context.Context) error { return t.Fleet.RemovePolicies(ctx, []workloads.Key{permit.Key}) }),
		t.Fleet.RemovePolicies(ctx, []workloads.Key{isolate.Key}),
	)
}

// timeRelabelling makes a client none and one again, by its own label and by its namespace's.
func timeRelabelling(ctx context.Context, t *timekeeper) error {
	client := onStage(t.World, 0, localClient)
	stream := t.flow(client, onStage(t.World, 0, server))
	permit := t.hearsClients()
	permit.Spec.Ingress[0].From[0].NamespaceSelector = label("tier", "front")
	if err := t.Fleet.AddPolicies(ctx, []workloads.Policy{permit}); err != nil {
		return err
	}
	pod := func(role string) func(context.Context) error {
		return func(ctx context.Context) error { return relabel(0, localClient, role)(ctx, t.World) }
	}
	namespace := func(tier string) func(context.Context) error {
		return func(ctx context.Context) error { return relabelNamespace(0, tier)(ctx, t.World) }
	}
	return errors.Join(
		t.time(ctx, "pod relabelled", stream, denies, pod("idle")),
		t.time(ctx, "pod relabelled", stream, allows, pod("client")),
		t.time(ctx, "namespace relabelled", stream, denies, namespace("back")),
		t.time(ctx, "namespace relabelled", stream, allows, namespace("front")),
		t.Fleet.RemovePolicies(ctx, []workloads.Key{permit.Key}),
	)
}

// timePeers adds and deletes a client, here and on another node, of an isolated pod that hears clients.
func timePeers(ctx context.Context, t *timekeeper) error {
	permit := t.hearsClients()
	if err := t.Fleet.AddPolicies(ctx, []workloads.Policy{permit}); err != nil {
		return err
	}
	for _, kind := range []struct {
		name     string
		position int
	}{{"pod", localClient}, {"remote endpoint", remoteClient}} {
		old := onStage(t.World, 0, kind.position)
		pod, err := t.Plan.Successor(old)
		if err != nil {
			return err
		}
		stream := t.flow(pod, onStage(t.World, 0, server))
		err = errors.Join(
			t.time(ctx, kind.name+" added", stream, allows, func(ctx context.Context) error { return t.Fleet.AddPods(ctx, []workloads.Pod{pod}) }),
			t.time(ctx, kind.name+" deleted", stream, denies, func(ctx context.Context) error {
				return t.Fleet.RemovePods(ctx, []workloads.Key{pod.Key}, workloads.Lingering)
			}),
			t.Fleet.UnplugPods(ctx, []workloads.Key{pod.Key}),
		)
		if err != nil {
			return err
		}
	}
	return t.Fleet.RemovePolicies(ctx, []workloads.Key{permit.Key})
}

// amidChurn does something while pods of the stage's second namespace are added and removed at a rate of so many operations a second.
func amidChurn(ctx context.Context, w *engine.World, perSecond float64, do func(context.Context) error) error {
	within, cancel := context.WithCancel(ctx)
	churned := make(chan error, 1)
	go func() { churned <- ComeAndGo(within, w, onStage(w, 1, localClient), perSecond) }()
	err := do(ctx)
	cancel()
	return errors.Join(err, <-churned)
}

// ComeAndGo adds and removes pods like parent, which stays, so many times a second, five of them there at once, until ctx ends; then it removes
// what is left of them.
func ComeAndGo(ctx context.Context, w *engine.World, parent workloads.Pod, perSecond float64) error {
	clock := rate.NewLimiter(rate.Limit(perSecond), 1)
	var living []workloads.Key
	finish := context.WithoutCancel(ctx)
	for clock.Wait(ctx) == nil {
		pod, err := w.Plan.Successor(parent)
		if err != nil {
			return err
		}
		if err := w.Fleet.AddPods(finish, []workloads.Pod{pod}); err != nil {
			return err
		}
		living = append(living, pod.Key)
		if len(living) < 5 || clock.Wait(ctx) != nil {
			continue
		}
		if err := w.Fleet.RemovePods(finish, living[:1], workloads.Graceful); err != nil {
			return err
		}
		living = living[1:]
	}
	return w.Fleet.RemovePods(finish, living, workloads.Graceful)
}
