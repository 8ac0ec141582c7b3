package scenarios

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/nodefv/nodefv/scenarios/effects"
	"github.com/nodefv/nodefv/scenarios/engine"
	"github.com/nodefv/nodefv/workloads"
)

// portSlots is how many ports a rule of iptables holds; a range takes two (iptables-extensions(8), multiport).
const portSlots = 15

var _ = register(func(Params) engine.Scenario {
	sc := engine.Scenario{
		Name: "many ports",
		Doc: "Policies name as many ports and ranges as a rule of iptables holds, and one more; each port named is open, and what comes after a range is closed." +
			" One policy goes before the next comes.",
		Labels:   []engine.Label{Identity, Policy},
		Timeout:  brief,
		Topology: stage, Arrange: arrangeStage,
	}
	for _, many := range []struct{ ports, ranges int }{
		{portSlots, 0}, {portSlots + 1, 0}, {0, portSlots / 2}, {0, portSlots/2 + 1}, {1, portSlots / 2}, {portSlots - 1, 1}, {portSlots, portSlots},
	} {
		name := fmt.Sprintf("%d ports and %d ranges", many.ports, many.ranges)
		sc.Steps = append(sc.Steps, engine.Step{Name: name, Do: func(ctx context.Context, w *engine.World) error {
			if err := w.Fleet.RemovePolicies(ctx, policyKeys(w.Fleet.State())); err != nil {
				return err
			}
			p := guard(w)
			p.Name = fmt.Sprintf("ports-%d-%d", many.ports, many.ranges)
			p.Spec.Ingress[0].Ports = spread(many.ports, many.ranges)
			return w.Fleet.AddPolicies(ctx, []workloads.Policy{p})
		}})
	}
	return sc
})

// spread are TCP ports and ranges of two with gaps between them, so that no two can be one: the ports come first, from effects.Ports[0] on.
func spread(ports, ranges int) []networkingv1.NetworkPolicyPort {
	tcp, all, next := corev1.ProtocolTCP, []networkingv1.NetworkPolicyPort{}, int32(effects.Ports[0])
	for i := range ports + ranges {
		p := networkingv1.NetworkPolicyPort{Protocol: &tcp, Port: new(intstr.FromInt32(next))}
		if i >= ports {
			p.EndPort = new(next + 1)
		}
		all, next = append(all, p), next+10
	}
	return all
}
