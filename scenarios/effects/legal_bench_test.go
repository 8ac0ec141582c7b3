package effects

import (
	"fmt"
	"testing"
	"time"

	"github.com/nodefv/nodefv/scenarios/engine"
	"github.com/nodefv/nodefv/workloads"
)

// BenchmarkChange measures what one change costs a streamWatch of 1,000 pods and 48 streams, each of which has a packet judged before it is
// acknowledged and one after: of a policy that comes or goes, and of a pod.
func BenchmarkChange(b *testing.B) {
	plan, err := workloads.NewPlan(1, workloads.Topology{RemoteNodes: 9, Namespaces: 20, PodsPerNamespace: 50, Local: 100}, "here")
	if err != nil {
		b.Fatal(err)
	}
	base := plan.State()
	for _, n := range base.Namespaces().All() {
		k := workloads.Key{Namespace: n.Name, Name: "gate"}
		base.Put(workloads.Policy{Key: k})
	}
	sample := new(sampler).draw(base)
	k := workloads.Key{Namespace: sample[0].To.Namespace, Name: "more"}
	more := base
	more.Put(workloads.Policy{Key: k})
	fewer := base
	fewer.Remove(workloads.PodKind.Part(base.RemotePods()[3].Key))
	for name, other := range map[string]workloads.State{"policy": more, "pod": fewer} {
		b.Run(name, func(b *testing.B) {
			v := benchChange(base, sample)
			states := [2]workloads.State{base, other}
			for i := 0; b.Loop(); i++ {
				acknowledged := v.changed("test", states[(i+1)%2])
				v.judge(benchPackets(sample))
				acknowledged()
				v.Agreed(time.Now())
				v.judge(benchPackets(sample))
			}
		})
	}
}

// BenchmarkRelabelledPod measures what one relabelled pod costs the driver's own bookkeeping, beside 48 streams and in clusters of several sizes:
// the model, what is legal when, and the sample. Of the write to the API it measures nothing.
func BenchmarkRelabelledPod(b *testing.B) {
	for _, pods := range []int{1_000, 10_000, 50_000, 200_000} {
		b.Run(fmt.Sprint(pods), func(b *testing.B) {
			plan, err := workloads.NewPlan(1, workloads.Topology{RemoteNodes: 9, Namespaces: pods / 50, PodsPerNamespace: 50, Local: 100}, "here")
			if err != nil {
				b.Fatal(err)
			}
			s := plan.State()
			for k := range s.Namespaces().All() {
				s.Put(workloads.Policy{Key: workloads.Key{Namespace: k.Name, Name: "gate"}})
			}
			v := benchChange(s, new(sampler).draw(s))
			v.sampler.draw(s)
			all := s.Pods().List()
			for i := 0; b.Loop(); i++ {
				p := all[i*7919%len(all)]
				p.Labels = map[string]string{"role": fmt.Sprint(i)}
				s.Put(p)
				acknowledged := v.changed("relabel pod", s)
				v.draw()
				acknowledged()
			}
		})
	}
}

func benchChange(s workloads.State, sample []Flow) *streamWatch {
	v := &streamWatch{history: newHistory(s, engine.DefaultBound), verdicts: map[Flow]*flowVerdicts{}, nudge: make(chan struct{}, 1)}
	for _, f := range sample {
		v.verdicts[f] = v.history.verdictsOf(f)
	}
	return v
}

func benchPackets(sample []Flow) []Observation {
	var all []Observation
	for _, f := range sample {
		all = append(all, Observation{Flow: f, Sent: time.Now(), Gone: time.Now()})
	}
	return all
}
