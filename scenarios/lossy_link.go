package scenarios

import (
	"context"
	"errors"
	"net/netip"

	corev1 "k8s.io/api/core/v1"

	"github.com/nodefv/nodefv/scenarios/effects"
	"github.com/nodefv/nodefv/scenarios/engine"
	"github.com/nodefv/nodefv/workloads"
	"github.com/nodefv/nodefv/workloads/load"
)

// linkLoss is the share of packets that the link loses, each way.
const linkLoss = 0.01

var _ = register(func(Params) engine.Scenario {
	return engine.Scenario{
		Name: "lossy link",
		Doc: "The link of a server loses one packet in a hundred each way by order, while policies come and go and others talk to it. No policy is blamed for a loss, none that" +
			" is wrong goes unseen, and the messages that are lost are those that the kernel counted.",
		Labels:   []engine.Label{Traffic, Policy},
		Timeout:  brief,
		Topology: stage, Arrange: arrangeStage,
		Steps: []engine.Step{
			{Name: "guard", Do: func(ctx context.Context, w *engine.World) error {
				return w.Fleet.AddPolicies(ctx, []workloads.Policy{loadGuard(w)})
			}},
			{Name: "one in a hundred is lost", Do: talkOverLossyLink},
		},
	}
})

// talkOverLossyLink compares what is lost of traffic with what the kernel says that it has lost of it, amid changes of policies.
func talkOverLossyLink(ctx context.Context, w *engine.World) error {
	s, lossy := onStage(w, 0, server), effects.Quality{Loss: linkLoss}
	talk := netip.AddrPortFrom(s.IPs[0], effects.LoadPort)
	var reports []load.Report
	met, err := effects.Amid(ctx, w, []effects.Impairment{
		{Pod: s.Key, In: true, Protocol: corev1.ProtocolUDP, Local: talk, Quality: lossy},
		{Pod: s.Key, Protocol: corev1.ProtocolUDP, Local: talk, Quality: lossy},
		{Pod: s.Key, In: true, Quality: lossy},
		{Pod: s.Key, Quality: lossy},
	}, func(ctx context.Context) (err error) {
		flows := []effects.Flow{
			loadFlow(w, onStage(w, 0, localClient), s, 0, load.UDP), loadFlow(w, onStage(w, 0, remoteClient), s, 0, load.UDP),
		}
		reports, err = effects.Carry(ctx, w, []effects.Carrying{{
			Name: "over a lossy link", Flows: flows, Spec: load.Spec{Protocol: load.UDP, Connections: 12, Rate: 1200},
		}}, func(ctx context.Context) error {
			return errors.Join(w.Converge(ctx), isolateAndFree(ctx, w), engine.Pause(ctx, beforeAndAfter))
		})
		return err
	})
	if err != nil {
		return err
	}
	if c := reports[0].Count; c.There.Lost != met[0].Lost || c.Back.Lost != met[1].Lost {
		return broken("%d messages lost there and %d back; the kernel lost %d and %d", c.There.Lost, c.Back.Lost, met[0].Lost, met[1].Lost)
	}
	return nil
}

// isolateAndFree isolates the stage's second namespace and frees it again, and wants all effects to hold each time.
func isolateAndFree(ctx context.Context, w *engine.World) error {
	p := closed(w, 1)
	for _, change := range []func() error{
		func() error { return w.Fleet.AddPolicies(ctx, []workloads.Policy{p}) },
		func() error { return w.Fleet.RemovePolicies(ctx, []workloads.Key{p.Key}) },
	} {
		if err := errors.Join(change(), w.Converge(ctx)); err != nil {
			return err
		}
	}
	return nil
}
