package fuzz

import (
	"context"
	"reflect"
	"slices"
	"testing"

	"k8s.io/client-go/kubernetes/fake"
	"pgregory.net/rapid"
	adminfake "sigs.k8s.io/network-policy-api/pkg/client/clientset/versioned/fake"

	"github.com/nodefv/nodefv/workloads"
)

// sockets is a kernel that remembers what is plugged.
type sockets map[workloads.Key]workloads.Plug

func (s sockets) Plug(_ context.Context, pods []workloads.Plug) error {
	for _, p := range pods {
		s[p.Pod] = p
	}
	return nil
}

func (s sockets) Unplug(_ context.Context, pods []workloads.Key) error {
	for _, k := range pods {
		delete(s, k)
	}
	return nil
}

// TestAnySubsequenceIsARun wants the fuzzer's model, the fleet's, the API and the veths to agree, whatever is left out.
func TestAnySubsequenceIsARun(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		kernel := sockets{}
		fleet := workloads.NewFleet(workloads.Config{
			Client: fake.NewClientset(), Admin: adminfake.NewSimpleClientset(), Plugger: kernel, OneWrite: true,
			HostInterface: func(namespace, pod string) string { return namespace + "-" + pod },
		}, workloads.NewState("here"))
		m := NewModel("here")
		actor := Actor{Fleet: fleet, Restart: func(context.Context) error { return nil }}
		for _, ops := range drawn(t, Wishes{Restarts: true, Known: true, Admin: true, Cluster: true}) {
			kept := slices.DeleteFunc(slices.Clone(ops), func(Op) bool { return rapid.IntRange(0, 2).Draw(t, "leave out") == 0 })
			if err := m.perform(t.Context(), actor, kept); err != nil {
				t.Fatal(err)
			}
			checkWorld(t, m, fleet, kernel)
		}
	})
}

func checkWorld(t *rapid.T, m *Model, fleet *workloads.Fleet, kernel sockets) {
	differ, err := fleet.Verify(t.Context())
	if err != nil || len(differ) > 0 {
		t.Fatalf("the API differs from the model: %v, %v", differ, err)
	}
	if len(kernel) != len(m.veths) {
		t.Fatalf("plugged are %v, want %v", kernel, m.veths)
	}
	for k, ips := range m.veths {
		if p := kernel[k]; !slices.Equal(p.IPs, ips) {
			t.Fatalf("plugged is %+v, want %v", p, ips)
		}
	}
	owners := map[string]workloads.Key{}
	for k, p := range m.Pods().All() {
		for _, ip := range p.IPs {
			if other, taken := owners[ip.String()]; taken {
				t.Fatalf("%s is of %s and of %s", ip, k, other)
			}
			owners[ip.String()] = k
		}
	}
}

func TestRebuild(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := NewModel("here")
		for _, ops := range drawn(t, Wishes{Admin: true, Cluster: true}) {
			for _, op := range ops {
				m.Apply(op)
			}
		}
		again := NewModel("here")
		for _, op := range m.Rebuild() {
			if again.Apply(op) == nil {
				t.Fatalf("%v means nothing", op)
			}
		}
		// A pod whose addresses were cleared has none from the beginning; labels of a veth's future pod are not told.
		if !m.State.Equal(again.State) || !reflect.DeepEqual(m.said, again.said) || !slices.Equal(sortedKeys(m.veths), sortedKeys(again.veths)) {
			t.Fatalf("%+v becomes %+v", m.State, again.State)
		}
	})
}

func TestApplyRefuses(t *testing.T) {
	base := []Op{{Do: AddNamespace, Namespace: "a"}, podOp("a", "x", 1), podOp("a", "y", 2)}
	ahead := podOp("a", "z", 3)
	ahead.Do = PlugPod
	moved, elsewhere, remote := podOp("a", "z", 4), podOp("a", "z", 3), podOp("a", "z", 1)
	elsewhere.Node, remote.Node = "other", "other"
	for name, c := range map[string]struct {
		before []Op
		op     Op
	}{
		"an unknown verb":                  {nil, Op{Do: "sing"}},
		"a pod without namespace":          {nil, podOp("b", "x", 9)},
		"a pod that is there":              {nil, podOp("a", "x", 9)},
		"an address of another's":          {nil, remote},
		"another address than the veth's":  {[]Op{ahead}, moved},
		"another node than the veth's":     {[]Op{ahead}, elsewhere},
		"a veth that is there":             {[]Op{ahead}, ahead},
		"the end of a pod that is not":     {nil, Op{Do: RemovePod, Namespace: "a", Name: "q"}},
		"a change of no policy":            {nil, Op{Do: ChangePolicy, Namespace: "a", Name: "q"}},
		"the end of the SUT's node":        {nil, Op{Do: RemoveNode, Name: "here"}},
		"the end of a namespace not there": {nil, Op{Do: RemoveNamespace, Namespace: "q"}},
		"a change of no cluster policy":    {nil, Op{Do: ChangeClusterPolicy, Name: "q", Wide: &wideSpec{}}},
		"a baseline of another name":       {nil, Op{Do: AddBaseline, Name: "q", Wide: &wideSpec{}}},
		"an admin policy without a spec":   {nil, Op{Do: AddAdminPolicy, Name: "q"}},
		"the end of a baseline not there":  {nil, Op{Do: RemoveBaseline, Name: "default"}},
		"a move to where it is":            {nil, Op{Do: MovePod, Namespace: "a", Name: "x"}},
	} {
		m := NewModel("here")
		for _, op := range append(slices.Clone(base), c.before...) {
			if m.Apply(op) == nil {
				t.Fatalf("%s: %v means nothing", name, op)
			}
		}
		before := m.Clone()
		if m.Apply(c.op) != nil || !before.State.Equal(m.State) || !reflect.DeepEqual(before.veths, m.veths) || len(m.said) > 0 {
			t.Errorf("%s is taken", name)
		}
	}
}

func podOp(namespace, name string, address int) Op {
	v4, _ := workloads.PodAddresses(address)
	op := Op{Do: AddPod, Namespace: namespace, Name: name}
	op.IPs = append(op.IPs, v4)
	return op
}
