package workloads

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	k8stesting "k8s.io/client-go/testing"

	"github.com/nodefv/nodefv/metrics/report"
)

func planned(t *testing.T, local int) State {
	t.Helper()
	plan, err := NewPlan(1, Topology{RemoteNodes: 2, Namespaces: 3, PodsPerNamespace: 10, Local: local, DualStack: true}, "here")
	if err != nil {
		t.Fatal(err)
	}
	s := plan.State()
	for name := range s.Namespaces().All() {
		k := Key{name.Name, "deny"}
		s.Put(Policy{Key: k, Spec: ingress(is())})
	}
	return s
}

var refused = apierrors.NewBadRequest("no")

func TestApply(t *testing.T) {
	r := newRig(t, Config{})
	want := planned(t, 12)
	if err := r.Apply(t.Context(), want); err != nil {
		t.Fatal(err)
	}
	if !r.State().Equal(want) {
		t.Error("the model is not what was asked for")
	}
	if len(r.plugged) != 12 || r.plugCalls != 1 {
		t.Errorf("%d pods plugged in %d calls, want 12 in one", len(r.plugged), r.plugCalls)
	}
	r.check(t)
	pod, err := r.client.CoreV1().Pods(want.LocalPods()[0].Namespace).Get(t.Context(), want.LocalPods()[0].Name, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if pod.Spec.NodeName != "here" || pod.Status.Phase != corev1.PodRunning || len(pod.Status.PodIPs) != 2 || pod.Labels["role"] == "" {
		t.Errorf("made %+v", pod)
	}
	for _, op := range r.operations {
		if op.Verb == "create pod" && (op.Count != 30 || len(op.Objects) != 20) {
			t.Errorf("recorded %+v", op)
		}
	}
	if got := r.Done(); got != 2+3+3+30+12 {
		t.Errorf("%d changes are counted", got)
	}
	if err := r.Apply(t.Context(), NewState("here")); err != nil {
		t.Fatal(err)
	}
	r.check(t)
}

func TestOrder(t *testing.T) {
	r := newRig(t, Config{OneWrite: true})
	if err := r.Apply(t.Context(), planned(t, 12)); err != nil {
		t.Fatal(err)
	}
	if err := r.Clear(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"create nodes", "create namespaces", "create networkpolicies", "create pods",
		"delete pods", "unplug", "delete networkpolicies",
	}
	writes := slices.DeleteFunc(slices.Clone(r.log), func(what string) bool { return strings.HasPrefix(what, "list ") })
	if got := writes[:min(len(writes), len(want))]; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if got := r.log[len(r.log)-1]; got != "delete nodes" {
		t.Errorf("last is %q", got)
	}
	r.check(t)
}

func TestModelFirst(t *testing.T) {
	r := newRig(t, Config{})
	s := planned(t, 5)
	known := func(want bool) func(string) error {
		return func(name string) error {
			for k := range r.State().Pods().All() {
				if k.Name == name && want {
					return nil
				}
				if k.Name == name {
					return refused
				}
			}
			if want {
				return refused
			}
			return nil
		}
	}
	r.fail("create", "pods", known(true))
	r.fail("delete", "pods", known(false))
	if err := r.Apply(t.Context(), s); err != nil {
		t.Errorf("a pod was made before the model had it: %v", err)
	}
	if err := r.RemovePods(t.Context(), s.Pods().Keys(), Graceful); err != nil {
		t.Errorf("a pod was removed while the model had it: %v", err)
	}
}

func TestRemoval(t *testing.T) {
	for how, want := range map[Removal][]string{Graceful: {"delete pods", "unplug"}, Forced: {"unplug", "delete pods"}} {
		r := newRig(t, Config{OneWrite: true})
		s := planned(t, 30)
		if err := r.Apply(t.Context(), s); err != nil {
			t.Fatal(err)
		}
		r.log = nil
		keys := s.Pods().Keys()
		slices.Reverse(keys)
		given := slices.Clone(keys)
		if err := r.RemovePods(t.Context(), keys, how); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(r.log, want) {
			t.Errorf("%d: got %v, want %v", how, r.log, want)
		}
		if !slices.Equal(keys, given) {
			t.Error("the caller's list was changed")
		}
		r.check(t)
	}
}

func TestCreationFails(t *testing.T) {
	r := newRig(t, Config{Workers: 1})
	made := 0
	r.fail("create", "pods", func(string) error {
		if made++; made == 3 {
			return refused
		}
		return nil
	})
	err := r.Apply(t.Context(), planned(t, 12))
	if !apierrors.IsBadRequest(err) || !strings.HasPrefix(err.Error(), "create pod fv-1-team-a/db-2: ") || made != 3 {
		t.Errorf("after %d: %v", made, err)
	}
	if i := slices.IndexFunc(r.operations, func(op report.Operation) bool { return op.Verb == "create pod" }); i < 0 || r.operations[i].Error != err.Error() {
		t.Errorf("recorded %+v", r.operations)
	}
	if err := r.Clear(t.Context()); err != nil {
		t.Error(err)
	}
	r.check(t)
}

func TestClearAfterFailure(t *testing.T) {
	r := newRig(t, Config{})
	s := planned(t, 12)
	if err := r.Apply(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	stuck := s.Pods().Keys()[7]
	broken := true
	r.fail("delete", "pods", func(name string) error {
		if broken && name == stuck.Name {
			return refused
		}
		return nil
	})
	r.unplugErr = errors.New("kernel says no")
	err := r.Clear(t.Context())
	if !apierrors.IsBadRequest(err) || !errors.Is(err, r.unplugErr) {
		t.Errorf("not all errors: %v", err)
	}
	left, err := r.Verify(t.Context())
	if want := []string{"pod " + stuck.String() + " is left"}; err != nil || !slices.Equal(left, want) {
		t.Errorf("got %v, %v, want %v", left, err, want)
	}
	if len(r.plugged) != 12 {
		t.Errorf("%d are plugged, want 12", len(r.plugged))
	}
	broken, r.unplugErr = false, nil
	if err := r.Clear(t.Context()); err != nil {
		t.Error(err)
	}
	r.check(t)
}

func TestPassingErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Config{})
		tries := map[string]int{}
		var mu sync.Mutex
		r.fail("create", "namespaces", func(name string) error {
			mu.Lock()
			defer mu.Unlock()
			switch tries[name]++; tries[name] {
			case 1: // the server did it, but the answer was lost
				return apierrors.NewServiceUnavailable("busy")
			case 2:
				return apierrors.NewAlreadyExists(schema.GroupResource{Resource: "namespaces"}, name)
			}
			return nil
		})
		if err := r.AddNamespaces(t.Context(), []Namespace{{Name: "a"}, {Name: "b"}}); err != nil {
			t.Error(err)
		}
		r.fail("delete", "namespaces", func(string) error { return apierrors.NewServiceUnavailable("away") })
		err := r.RemoveNamespaces(t.Context(), []string{"a"})
		if !apierrors.IsServiceUnavailable(err) || !strings.Contains(err.Error(), "delete namespace a: not done within 11 tries and") {
			t.Errorf("got %v", err)
		}
	})
}

func TestExistingIsAnError(t *testing.T) {
	r := newRig(t, Config{})
	if err := r.AddNamespaces(t.Context(), []Namespace{{Name: "a"}}); err != nil {
		t.Fatal(err)
	}
	if err := r.AddNamespaces(t.Context(), []Namespace{{Name: "a"}}); !apierrors.IsAlreadyExists(err) {
		t.Errorf("got %v", err)
	}
}

// TestFinalize has an API without a namespace controller: a deleted namespace stays until it is finalized.
func TestFinalize(t *testing.T) {
	r := newRig(t, Config{})
	tracker, resource := r.client.Tracker(), corev1.SchemeGroupVersion.WithResource("namespaces")
	r.client.PrependReactor("delete", "namespaces", func(k8stesting.Action) (bool, runtime.Object, error) { return true, nil, nil })
	conflicts := 0
	r.client.PrependReactor("*", "namespaces", func(a k8stesting.Action) (bool, runtime.Object, error) {
		if a.GetSubresource() != "finalize" {
			return false, nil, nil
		}
		ns := a.(k8stesting.CreateAction).GetObject().(*corev1.Namespace)
		if conflicts++; conflicts == 1 {
			return true, nil, apierrors.NewConflict(resource.GroupResource(), ns.Name, errors.New("changed meanwhile"))
		}
		if len(ns.Spec.Finalizers) > 0 {
			return true, nil, fmt.Errorf("finalizers %v are left", ns.Spec.Finalizers)
		}
		return true, ns, tracker.Delete(resource, "", ns.Name)
	})
	if err := r.Apply(t.Context(), planned(t, 5)); err != nil {
		t.Fatal(err)
	}
	if err := r.RemoveNamespaces(t.Context(), []string{"fv-1-team-b"}); err != nil {
		t.Fatal(err)
	}
	if s := r.State(); s.Namespaces().Len() != 2 || s.Pods().Len() != 20 || s.Policies().Len() != 2 {
		t.Errorf("%d namespaces, %d pods, %d policies are left", s.Namespaces().Len(), s.Pods().Len(), s.Policies().Len())
	}
	r.check(t)
}

func TestApplyChangesInPlace(t *testing.T) {
	r := newRig(t, Config{OneWrite: true})
	s := planned(t, 30)
	if err := r.Apply(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	keys := s.Pods().Keys()
	relabelled, moved, policy := s.Pods().Get(keys[0]), s.Pods().Get(keys[1]), s.Policies().Get(Key{"fv-1-team-a", "deny"})
	relabelled.Labels = map[string]string{"role": "new"}
	moved.IPs = []netip.Addr{address(PoolV4, 5000)}
	policy.Spec.PolicyTypes = []networkingv1.PolicyType{networkingv1.PolicyTypeEgress}
	to := s
	to.Put(relabelled, moved, policy)
	to.Put(Namespace{Name: "fv-1-team-c", Labels: map[string]string{"team": "new"}})
	r.log = nil
	if err := r.Apply(t.Context(), to); err != nil {
		t.Fatal(err)
	}
	want := []string{"delete pods", "unplug", "patch namespaces", "update networkpolicies", "patch pods", "create pods"}
	if !slices.Equal(r.log, want) || !r.State().Equal(to) {
		t.Errorf("got %v, want %v", r.log, want)
	}
	r.check(t)
	pod, err := r.client.CoreV1().Pods(keys[0].Namespace).Get(t.Context(), keys[0].Name, metav1.GetOptions{})
	if err != nil || !reflect.DeepEqual(pod.Labels, map[string]string{"role": "new", managedBy: manager}) {
		t.Errorf("labels are %v, %v", pod.Labels, err)
	}
	ns, err := r.client.CoreV1().Namespaces().Get(t.Context(), "fv-1-team-c", metav1.GetOptions{})
	if err != nil || !reflect.DeepEqual(ns.Labels, map[string]string{"team": "new", managedBy: manager, metadataName: ns.Name}) {
		t.Errorf("labels are %v, %v", ns.Labels, err)
	}
	if err := r.RelabelPods(t.Context(), []Pod{{Key: Key{"no", "body"}}}); err == nil || !strings.Contains(err.Error(), "not in the model, such as no/body") {
		t.Errorf("got %v", err)
	}
}

// TestNodesDoNotChange wants the model to keep a node as it is: what a node is can't be changed in place.
func TestNodesDoNotChange(t *testing.T) {
	r := newRig(t, Config{})
	node := Node{Name: "far", IP: netip.MustParseAddr("10.0.0.2")}
	moved := Node{Name: "far", IP: netip.MustParseAddr("10.0.0.3")}
	if err := r.Add(t.Context(), node); err != nil {
		t.Fatal(err)
	}
	if err := r.Change(t.Context(), moved); err != nil {
		t.Fatal(err)
	}
	if got := r.State().Nodes().Named("far"); got.IP != node.IP {
		t.Errorf("the model has it at %s", got.IP)
	}
}

func TestDecorate(t *testing.T) {
	r := newRig(t, Config{OneWrite: true, Decorate: func(obj any) {
		if pod, ok := obj.(*corev1.Pod); ok {
			pod.Annotations = map[string]string{"ip": pod.Status.PodIP}
		}
	}})
	s := planned(t, 30)
	if err := r.Apply(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	p := s.LocalPods()[3]
	pod, err := r.client.CoreV1().Pods(p.Namespace).Get(t.Context(), p.Name, metav1.GetOptions{})
	if err != nil || pod.Annotations["ip"] != p.IPs[0].String() || slices.Contains(r.log, "update pods/status") {
		t.Errorf("annotations %v, %v, %v", pod.Annotations, err, r.log)
	}
}

func TestLoadPacesVeths(t *testing.T) {
	r := newRig(t, Config{Load: Load{Rate: 1e6}})
	if err := r.Apply(t.Context(), planned(t, 12)); err != nil {
		t.Fatal(err)
	}
	if r.plugCalls != 12 {
		t.Errorf("%d calls, want one for each of 12 pods", r.plugCalls)
	}
	r.check(t)
	if err := newRig(t, Config{Load: Load{Rate: -1}}).Apply(t.Context(), planned(t, 12)); err == nil || !strings.Contains(err.Error(), "load of -1") {
		t.Errorf("got %v", err)
	}
}

func TestCancelled(t *testing.T) {
	r := newRig(t, Config{})
	cause := errors.New("the user left")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(cause)
	if err := r.Apply(ctx, planned(t, 12)); !errors.Is(err, cause) {
		t.Errorf("got %v", err)
	}
}

func TestManyArePurged(t *testing.T) {
	var r *rig
	asked := 0
	r = newRig(t, Config{Purge: func(ctx context.Context, pods []Key, namespaces []string) error {
		asked++
		for i, k := range pods {
			if i == 7 {
				continue // what a purge left, the API removes
			}
			if err := r.client.Tracker().Delete(corev1.SchemeGroupVersion.WithResource("pods"), k.Namespace, k.Name); err != nil {
				return err
			}
		}
		return nil
	}})
	if err := r.Apply(t.Context(), planned(t, 12)); err != nil {
		t.Fatal(err)
	}
	if err := r.Clear(t.Context()); err != nil || asked > 0 {
		t.Fatalf("a dozen was purged %d times, %v", asked, err)
	}
	plan, err := NewPlan(1, Topology{RemoteNodes: 2, Namespaces: 4, PodsPerNamespace: purgeMin / 4, Local: 5}, "here")
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Apply(t.Context(), plan.State()); err != nil {
		t.Fatal(err)
	}
	if err := r.Clear(t.Context()); err != nil || asked != 1 {
		t.Errorf("many were purged %d times, %v", asked, err)
	}
	r.check(t)
}
