package workloads

import (
	"context"
	"reflect"
	"strings"
	"sync"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	k8stesting "k8s.io/client-go/testing"

	"github.com/nodefv/nodefv/metrics/report"
)

// rig is a fleet on a fake API and a fake kernel, which write down in one list what is done to them.
type rig struct {
	*Fleet
	client *fake.Clientset

	mu         sync.Mutex
	log        []string
	operations []report.Operation
	plugged    map[Key]Plug
	plugCalls  int
	unplugErr  error
}

func newRig(t *testing.T, cfg Config) *rig {
	t.Helper()
	r := &rig{client: fake.NewClientset(), plugged: map[Key]Plug{}}
	r.client.PrependReactor("*", "*", func(a k8stesting.Action) (bool, runtime.Object, error) {
		r.write(a.GetVerb() + " " + strings.TrimSuffix(a.GetResource().Resource+"/"+a.GetSubresource(), "/"))
		return false, nil, nil
	})
	cfg.Client, cfg.Plugger = r.client, r
	cfg.HostInterface = func(namespace, pod string) string { return namespace + "-" + pod }
	cfg.Record = func(op report.Operation) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.operations = append(r.operations, op)
	}
	r.Fleet = NewFleet(cfg, NewState("here"))
	return r
}

func (r *rig) write(what string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if n := len(r.log); n == 0 || r.log[n-1] != what {
		r.log = append(r.log, what)
	}
}

func (r *rig) Plug(_ context.Context, pods []Plug) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.plugCalls++
	for _, p := range pods {
		r.plugged[p.Pod] = p
	}
	return nil
}

func (r *rig) Unplug(_ context.Context, pods []Key) error {
	r.write("unplug")
	if r.unplugErr != nil {
		return r.unplugErr
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, k := range pods {
		delete(r.plugged, k)
	}
	return nil
}

func (r *rig) fail(verb, resource string, do func(name string) error) {
	r.client.PrependReactor(verb, resource, func(a k8stesting.Action) (bool, runtime.Object, error) {
		name := ""
		switch a := a.(type) {
		case k8stesting.CreateAction:
			name = a.GetObject().(metav1.Object).GetName()
		case k8stesting.DeleteAction:
			name = a.GetName()
		}
		err := do(name)
		return err != nil, nil, err
	})
}

func (r *rig) check(t *testing.T) {
	t.Helper()
	left, err := r.Verify(t.Context())
	if err != nil || len(left) > 0 {
		t.Errorf("the API differs from the model: %v, %v", left, err)
	}
	want := map[Key]Plug{}
	s := r.State()
	for _, p := range s.LocalPods() {
		if !p.Bare {
			want[p.Key] = Plug{Pod: p.Key, HostInterface: p.Namespace + "-" + p.Name, IPs: p.IPs}
		}
	}
	if !reflect.DeepEqual(r.plugged, want) {
		t.Errorf("plugged are %v, want %v", r.plugged, want)
	}
}
