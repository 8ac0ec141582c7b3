package workloads

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	k8stesting "k8s.io/client-go/testing"
)

// first makes a cluster of few pods and returns its first local one, which is not there yet.
func (r *rig) first(t *testing.T) Pod {
	t.Helper()
	s := planned(t, 5)
	pod := s.LocalPods()[0]
	s.Remove(PodKind.Part(pod.Key))
	if err := r.Apply(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	r.log = nil
	return pod
}

func TestVethAheadOfItsPod(t *testing.T) {
	r := newRig(t, Config{OneWrite: true})
	pod := r.first(t)
	if err := r.PlugPods(t.Context(), []Pod{pod}); err != nil {
		t.Fatal(err)
	}
	if there := r.State().Pods().Has(pod.Key); there || r.plugged[pod.Key].Pod != pod.Key || len(r.log) > 0 {
		t.Errorf("the model has the pod: %v; plugged: %v; API: %v", there, r.plugged[pod.Key], r.log)
	}
	calls := r.plugCalls
	if err := r.AddPods(t.Context(), []Pod{pod}); err != nil {
		t.Fatal(err)
	}
	if r.plugCalls != calls {
		t.Error("it was plugged again")
	}
	r.check(t)
	// The next life of the name has a veth of its own.
	for _, do := range []func() error{
		func() error { return r.RemovePods(t.Context(), []Key{pod.Key}, Graceful) },
		func() error { return r.AddPods(t.Context(), []Pod{pod}) },
	} {
		if err := do(); err != nil {
			t.Fatal(err)
		}
		r.check(t)
	}
}

func TestLocalPodsComeFirst(t *testing.T) {
	for _, c := range []struct {
		load  Load
		first bool
	}{{Load{}, true}, {Load{Rate: 1e6}, false}} {
		r := newRig(t, Config{OneWrite: true, Workers: 1, Load: c.load})
		want := planned(t, 12)
		if err := r.Apply(t.Context(), want); err != nil {
			t.Fatal(err)
		}
		var local []bool
		for _, a := range r.client.Actions() {
			if made, ok := a.(k8stesting.CreateAction); ok && a.GetResource().Resource == "pods" {
				local = append(local, made.GetObject().(*corev1.Pod).Spec.NodeName == want.LocalNode)
			}
		}
		if first := !slices.Contains(local[:12], false); len(local) != 30 || first != c.first {
			t.Errorf("load %+v: %d pods, local ones first: %v", c.load, len(local), first)
		}
	}
}

func TestVethWithoutPodIsCleared(t *testing.T) {
	r := newRig(t, Config{})
	if err := r.PlugPods(t.Context(), []Pod{r.first(t)}); err != nil {
		t.Fatal(err)
	}
	if err := r.Clear(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.check(t)
}

func TestPodAheadOfItsVeth(t *testing.T) {
	r := newRig(t, Config{OneWrite: true})
	pod := r.first(t)
	bare := pod
	bare.Bare = true
	if err := r.AddPods(t.Context(), []Pod{bare}); err != nil {
		t.Fatal(err)
	}
	if _, plugged := r.plugged[pod.Key]; plugged || !slices.Equal(r.log, []string{"create pods"}) {
		t.Errorf("plugged: %v, API: %v", plugged, r.log)
	}
	r.check(t)
	if err := r.PlugPods(t.Context(), []Pod{bare}); err != nil {
		t.Fatal(err)
	}
	if r.State().Pods().Get(pod.Key).Bare {
		t.Error("the model holds it to be bare")
	}
	r.check(t)
}

func TestRemotePodsHaveNoVeth(t *testing.T) {
	r := newRig(t, Config{})
	pod := r.first(t)
	pod.Node = "fv-1-node-1"
	if err := r.AddPods(t.Context(), []Pod{pod}); err != nil {
		t.Fatal(err)
	}
	r.check(t)
	back := r.State()
	if remote := back.RemotePods(); len(remote) == 0 || len(remote)+len(back.LocalPods()) != back.Pods().Len() {
		t.Errorf("remote are %v", remote)
	}
	pod.Node = "here"
	back.Put(pod)
	if err := r.Apply(t.Context(), back); err != nil {
		t.Fatal(err)
	}
	r.check(t)
	if err := r.Clear(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.check(t)
}

func TestClearIPs(t *testing.T) {
	r := newRig(t, Config{OneWrite: true, Decorate: func(obj any) {
		if pod, ok := obj.(*corev1.Pod); ok {
			pod.Annotations = map[string]string{"kind": "pod"}
			if len(pod.Status.PodIPs) > 0 {
				pod.Annotations["address"] = pod.Status.PodIP
			}
		}
	}})
	pod := r.first(t)
	if err := r.AddPods(t.Context(), []Pod{pod}); err != nil {
		t.Fatal(err)
	}
	if err := r.ClearIPs(t.Context(), []Key{pod.Key}); err != nil {
		t.Fatal(err)
	}
	got, err := r.client.CoreV1().Pods(pod.Namespace).Get(t.Context(), pod.Name, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	address, kept := got.Annotations["address"]
	if address != "" || !kept || got.Annotations["kind"] != "pod" || got.Status.PodIP != "" || len(got.Status.PodIPs) > 0 || got.Status.Phase != corev1.PodRunning {
		t.Errorf("left %v and %+v", got.Annotations, got.Status)
	}
	if len(r.State().Pods().Get(pod.Key).IPs) > 0 {
		t.Error("the model has its addresses")
	}
	if _, plugged := r.plugged[pod.Key]; !plugged {
		t.Error("it lost its veth")
	}
	if err := r.ClearIPs(t.Context(), []Key{{"no", "body"}}); err == nil || !strings.Contains(err.Error(), "no/body") {
		t.Errorf("got %v", err)
	}
}

func TestNamedPortsReachTheAPI(t *testing.T) {
	r := newRig(t, Config{})
	pod := r.first(t)
	pod.Ports = []NamedPort{{"http", corev1.ProtocolTCP, 8080}}
	if err := r.AddPods(t.Context(), []Pod{pod}); err != nil {
		t.Fatal(err)
	}
	got, err := r.client.CoreV1().Pods(pod.Namespace).Get(t.Context(), pod.Name, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if p := got.Spec.Containers[0].Ports; len(p) != 1 || p[0].Name != "http" || p[0].ContainerPort != 8080 || p[0].Protocol != corev1.ProtocolTCP {
		t.Errorf("made %+v", p)
	}
}

func TestLingeringLeavesTheVeth(t *testing.T) {
	r := newRig(t, Config{})
	pod := r.first(t)
	if err := r.AddPods(t.Context(), []Pod{pod}); err != nil {
		t.Fatal(err)
	}
	if err := r.RemovePods(t.Context(), []Key{pod.Key}, Lingering); err != nil {
		t.Fatal(err)
	}
	if there := r.State().Pods().Has(pod.Key); there || r.plugged[pod.Key].Pod != pod.Key || r.State().Ahead.Len() != 1 {
		t.Errorf("the model has the pod: %v; plugged: %v; ahead: %v", there, r.plugged[pod.Key], maps.Collect(r.State().Ahead.All()))
	}
	if err := r.UnplugPods(t.Context(), []Key{pod.Key}); err != nil {
		t.Fatal(err)
	}
	if r.State().Ahead.Len() > 0 {
		t.Errorf("ahead are %v", maps.Collect(r.State().Ahead.All()))
	}
	r.check(t)
}

func TestWatchFrames(t *testing.T) {
	r := newRig(t, Config{})
	pod := r.first(t)
	var frames []string
	r.Watch(func(verb string, after State) func() {
		is := after.Pods().Has(pod.Key)
		frames = append(frames, fmt.Sprintf("%s: %v, %d writes before", verb, is, len(r.log)))
		return func() { frames = append(frames, fmt.Sprintf("%s: written: %v", verb, len(r.log) > 0)) }
	})
	add := func() {
		if err := r.AddPods(t.Context(), []Pod{pod}); err != nil {
			t.Fatal(err)
		}
	}
	add()
	r.Watch(nil)
	if err := r.RemovePods(t.Context(), []Key{pod.Key}, Graceful); err != nil {
		t.Fatal(err)
	}
	if want := []string{"create pod: true, 0 writes before", "create pod: written: true"}; !slices.Equal(frames, want) {
		t.Errorf("got %q, want %q", frames, want)
	}
}
