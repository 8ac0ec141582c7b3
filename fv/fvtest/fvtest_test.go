package fvtest

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/nodefv/nodefv/fv/harness"
	"github.com/nodefv/nodefv/infra/targets"
	"github.com/nodefv/nodefv/scenarios/effects"
	"github.com/nodefv/nodefv/workloads"
)

// open is a wire on which all flows have one outcome.
type open struct{ outcome effects.OutcomeKind }

func (open) Plug(context.Context, []workloads.Plug) error  { return nil }
func (open) Unplug(context.Context, []workloads.Key) error { return nil }
func (open) Readdress([]workloads.Plug) error              { return nil }

func (w open) Connect(_ context.Context, flows []effects.Flow) (effects.Outcomes, error) {
	met := effects.Outcomes{}
	for _, f := range flows {
		met[f] = effects.Outcome{Kind: w.outcome}
	}
	return met, nil
}

// quiet is a target of which nothing is asked but how pods are presented to it.
type quiet struct {
	targets.Target
	rejects bool
}

func (q quiet) Presentation() targets.Presentation { return targets.Presentation{Rejects: q.rejects} }
func (quiet) Name() string                         { return "agent" }
func (quiet) Features() []workloads.Feature        { return nil }

const here = "here"

// standing is an environment without a node, on a cluster that holds nothing.
func standing(wire open) *Env {
	e := &Env{client: fake.NewClientset(), target: quiet{}, wire: wire}
	e.fleet = workloads.NewFleet(workloads.Config{
		Client: e.client, Plugger: wire, HostInterface: func(namespace, pod string) string { return namespace + pod },
	}, workloads.NewState(here))
	e.nodeName = here
	return e
}

var (
	web, cart = Pod("shop", "web", map[string]string{"app": "web"}), Pod("shop", "cart", nil)
	flow      = Flow{From: cart.Key, To: web.Key, Port: 80}
)

func plugged(t *testing.T, wire open) *Env {
	t.Helper()
	e := standing(wire)
	if err := e.Plug(t.Context(), web, cart); err != nil {
		t.Fatal(err)
	}
	return e
}

func deny(t *testing.T, e *Env) {
	t.Helper()
	policy := &networkingv1.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "deny"}}
	if _, err := e.client.NetworkingV1().NetworkPolicies("shop").Create(t.Context(), policy, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}

func TestPlugMakesWhatIsMissing(t *testing.T) {
	e := standing(open{})
	far := Pod("street", "far", nil)
	far.Node = "there"
	named := Pod("shop", "named", nil)
	named.IPs = []netip.Addr{netip.MustParseAddr("fd00::7")}
	if err := e.Plug(t.Context(), web, far, named); err != nil {
		t.Fatal(err)
	}
	s := e.fleet.State()
	if s.Namespaces().Len() != 2 || s.Nodes().Len() != 2 || s.Pods().Get(web.Key).Node != here || s.Pods().Get(far.Key).Node != "there" {
		t.Errorf("%+v", s)
	}
	if a, b := s.Pods().Get(web.Key).IPs, s.Pods().Get(far.Key).IPs; len(a) != 1 || len(b) != 1 || a[0] == b[0] || s.Pods().Get(named.Key).IPs[0] != named.IPs[0] {
		t.Errorf("addresses %v, %v, %v", a, b, s.Pods().Get(named.Key).IPs)
	}
	if err := e.Plug(t.Context(), cart); err != nil {
		t.Error("into a namespace that is there: ", err)
	}
}

func TestStateIsWhatTheAPIHolds(t *testing.T) {
	e, ctx := plugged(t, open{}), t.Context()
	pod, err := e.client.CoreV1().Pods("shop").Get(ctx, "web", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	pod.Labels = map[string]string{"app": "other"}
	finished := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "done"},
		Status:     corev1.PodStatus{Phase: corev1.PodSucceeded, PodIPs: []corev1.PodIP{{IP: "10.0.0.9"}}},
	}
	_, err = e.client.CoreV1().Pods("shop").Update(ctx, pod, metav1.UpdateOptions{})
	_, more := e.client.CoreV1().Pods("shop").Create(ctx, finished, metav1.CreateOptions{})
	if err := errors.Join(err, more, e.client.CoreV1().Pods("shop").Delete(ctx, "cart", metav1.DeleteOptions{})); err != nil {
		t.Fatal(err)
	}
	deny(t, e)
	s, err := e.State(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if got := s.Pods().Get(web.Key); got.Labels["app"] != "other" || len(got.IPs) != 1 || got.Bare {
		t.Errorf("relabelled: %+v", got)
	}
	if s.Pods().Has(cart.Key) || s.Policies().Len() != 1 || len(s.Pods().Get(workloads.Key{Namespace: "shop", Name: "done"}).IPs) != 0 {
		t.Errorf("%+v", s)
	}
}

func TestDecide(t *testing.T) {
	e := plugged(t, open{})
	if d, err := e.Decide(t.Context(), flow); err != nil || !d.Allowed {
		t.Errorf("without a policy: %+v, %v", d, err)
	}
	deny(t, e)
	if d, err := e.Decide(t.Context(), flow); err != nil || d.Allowed || !strings.Contains(d.Why, "shop/deny") {
		t.Errorf("with one: %+v, %v", d, err)
	}
}

func TestVerify(t *testing.T) {
	e := plugged(t, open{effects.Connected})
	if err := e.Verify(t.Context(), flow); err != nil {
		t.Error(err)
	}
	deny(t, e)
	e.died = errors.New("agent exited")
	if err := e.Verify(t.Context(), flow); !errors.Is(err, e.died) {
		t.Errorf("of an agent that died: %v", err)
	}
	e.died = nil
	err := e.verify(t.Context(), flow)
	if err == nil || !strings.Contains(err.Error(), "cart > shop/web tcp/80: want dropped (") || !strings.Contains(err.Error(), "got connected") {
		t.Errorf("of a flow that passes: %v", err)
	}
	e.wire = open{effects.Refused}
	if err := e.verify(t.Context(), flow); err == nil {
		t.Error("refused is dropped, for an agent that drops")
	}
	e.target = quiet{rejects: true}
	if err := e.verify(t.Context(), flow); err != nil {
		t.Error(err)
	}
}

func TestProbeOfAPodThatWasNotPlugged(t *testing.T) {
	e := standing(open{})
	if _, err := e.Probe(t.Context(), flow); err == nil || !strings.Contains(err.Error(), "pod shop/cart was not plugged") {
		t.Errorf("error %v", err)
	}
}

func TestOptionsThatCanNotBe(t *testing.T) {
	for name, c := range map[string]struct {
		o    Options
		says string
	}{
		"no target":   {Options{Target: "nobody"}, "felix"},
		"no runtime":  {Options{Runtime: "podman"}, "docker and local"},
		"no binary":   {Options{Binary: "/no/such/file"}, "/no/such/file"},
		"no checkout": {Options{Checkout: t.TempDir()}, "clone the repository"},
	} {
		_, err := Up(t.Context(), c.o)
		var usage *harness.UsageError
		if !errors.As(err, &usage) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestCheckout(t *testing.T) {
	found, err := checkout(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(found, "fv", "fvtest", "checkout.go")); err != nil {
		t.Error(err)
	}
	t.Setenv("PATH", "")
	if _, err := checkout(t.Context(), ""); err == nil || !strings.Contains(err.Error(), "install Go") {
		t.Errorf("without go: %v", err)
	}
}
