package leak

import (
	"cmp"
	"context"
	"fmt"
	"time"

	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/nodefv/nodefv/metrics"
	"github.com/nodefv/nodefv/metrics/leak"
	"github.com/nodefv/nodefv/scenarios/engine"
	"github.com/nodefv/nodefv/workloads"
)

// The scenario's labels: those of package scenarios, which stands above this one.
var labels = []engine.Label{"leak", "slow"}

// mostCycles end an order that names only a time.
const mostCycles = 10000

// grace is how much longer than asked for a scenario may take: to deploy, for the last cycle, and to settle.
const grace = 20 * time.Minute

// Scenario makes the scenario that carries the order out.
func (o Order) Scenario() (engine.Scenario, error) {
	o, err := o.Check()
	if err != nil {
		return engine.Scenario{}, err
	}
	churn, err := o.find()
	if err != nil {
		return engine.Scenario{}, err
	}
	c := &course{order: o, churn: churn, objects: cmp.Or(o.Objects, churn.objects)}
	c.reader.trial = leak.Trial{Churn: churn.name, Thing: churn.thing, Churned: c.objects, Identities: o.Identities, UntilSure: o.UntilSure}
	var began time.Time
	return engine.Scenario{
		Name: "leak by " + churn.name, Doc: churn.doc, Labels: labels, Needs: churn.needs,
		Timeout: cmp.Or(o.For, 24*time.Hour) + grace, Topology: churn.topology,
		Steps: []engine.Step{
			{Name: "stand", Do: c.stand, Read: func(ctx context.Context, w *engine.World) error {
				began = time.Now()
				return c.reader.baseline(ctx, w)
			}},
			{
				Name: "up and down", Repeat: cmp.Or(o.Cycles, mostCycles), Do: c.upAndDown,
				Read: func(ctx context.Context, w *engine.World) error { return c.reader.read(ctx, w, c) },
				Enough: func() bool {
					return o.For > 0 && time.Since(began) >= o.For || c.sure()
				},
			},
		},
	}, nil
}

// churns takes note of how many objects each cycle has where the cluster decides that, and not the order.
func (c *course) churns(objects int) { c.objects, c.reader.trial.Churned = objects, objects }

// sure reports whether a look is due and says enough.
func (c *course) sure() bool {
	if !c.order.UntilSure || leak.Look(c.cycle) == 0 {
		return false
	}
	verdict, _ := c.reader.told().Judge()
	return verdict != metrics.Inconclusive
}

func (c *course) upAndDown(ctx context.Context, w *engine.World) error {
	c.cycle = w.Cycle
	down, err := c.churn.turn(ctx, w, c)
	if err != nil || down == nil {
		return err
	}
	if err := w.Converge(ctx); err != nil {
		return err
	}
	return down()
}

// stand makes what stands: a policy in each namespace, unless the churn says otherwise, so that the SUT has sets whose members come and go with the pods.
func (c *course) stand(ctx context.Context, w *engine.World) error {
	switch {
	case c.churn.bare:
		return nil
	case c.churn.stand != nil:
		return c.churn.stand(ctx, w)
	}
	talkers := inRoles("api", "web")
	var policies []workloads.Policy
	for _, ns := range namespaces(w) {
		policies = append(policies, workloads.Policy{Key: workloads.Key{Namespace: ns, Name: "talk"}, Spec: hears(talkers)})
	}
	return w.Fleet.AddPolicies(ctx, policies)
}

var everyone = &metav1.LabelSelector{}

// inRoles selects pods by their roles.
func inRoles(roles ...string) *metav1.LabelSelector {
	return &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "role", Operator: metav1.LabelSelectorOpIn, Values: roles}}}
}

// hears isolates all pods of a namespace but for what comes from these pods of any.
func hears(from *metav1.LabelSelector) networkingv1.NetworkPolicySpec {
	return networkingv1.NetworkPolicySpec{
		PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeIngress},
		Ingress:     []networkingv1.NetworkPolicyIngressRule{{From: []networkingv1.NetworkPolicyPeer{{NamespaceSelector: everyone, PodSelector: from}}}},
	}
}

// namespaces are those that pods stand in, in the order of their first pods.
func namespaces(w *engine.World) []string {
	var names []string
	seen := map[string]bool{}
	for _, p := range w.Plan.Ring(w.Fleet.State()) {
		if !seen[p.Namespace] {
			names, seen[p.Namespace] = append(names, p.Namespace), true
		}
	}
	return names
}

// standing are the pods that stay, on the local node or elsewhere.
func standing(w *engine.World, local bool) []workloads.Pod {
	var pods []workloads.Pod
	s := w.Fleet.State()
	for _, p := range w.Plan.Ring(s) {
		if (p.Node == s.LocalNode) == local {
			pods = append(pods, p)
		}
	}
	return pods
}

func keys(pods []workloads.Pod) []workloads.Key {
	var all []workloads.Key
	for _, p := range pods {
		all = append(all, p.Key)
	}
	return all
}

// small is the cluster that stays while others come and go.
var small = workloads.Topology{RemoteNodes: 2, Namespaces: 2, PodsPerNamespace: 6, Local: 4}

func named(kind string, cycle, i int) string { return fmt.Sprintf("leak-%s-%d-%d", kind, cycle, i) }
