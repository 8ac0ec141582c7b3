package scenarios

import (
	"testing"

	"github.com/nodefv/nodefv/metrics"
	"github.com/nodefv/nodefv/scenarios/engine"
	"github.com/nodefv/nodefv/workloads/requests"
)

// TestRequestsAreJudged wants an answer of who may not to be a fault at any rate, and errors only of a SUT that could do what it was asked.
func TestRequestsAreJudged(t *testing.T) {
	stranger, status := map[string]uint64{"ns/other": 1}, map[string]uint64{"answered by nobody": 1}
	for name, c := range map[string]struct {
		count requests.Count
		right uint64 // in the only second, of 100
		want  metrics.Verdict
	}{
		"all is right":                           {requests.Count{}, 100, metrics.Pass},
		"a stranger":                             {requests.Count{Strangers: stranger}, 99, metrics.Fail},
		"a stranger of one that is at its limit": {requests.Count{Strangers: stranger}, 50, metrics.Fail},
		"a status":                               {requests.Count{Wrong: status}, 99, metrics.Fail},
		"a status of one that is at its limit":   {requests.Count{Wrong: status}, 50, metrics.Pass},
		"a failure":                              {requests.Count{Failures: map[requests.Failure]uint64{requests.Other: 1}}, 99, metrics.Fail},
		"a failure of ours":                      {requests.Count{Failures: map[requests.Failure]uint64{requests.Own: 1}}, 99, metrics.Inconclusive},
		"nothing is answered":                    {requests.Count{}, 0, metrics.Inconclusive},
	} {
		c.count.Due, c.count.Sent, c.count.Right = 100, 100, c.right
		r := requests.Report{Count: c.count, Seconds: []requests.Second{{Due: 100, Right: c.right}}}
		if err := judgeRequests(&engine.World{}, r, 1000); judged(err) != c.want {
			t.Errorf("%s: %s, want %s: %v", name, judged(err), c.want, err)
		}
	}
}

// TestProxiesAreInstances wants the parameter to be heeded by what runs with several instances, and to be refused beyond what there may be.
func TestProxiesAreInstances(t *testing.T) {
	p, err := ParseParams(map[string]string{"proxies": "3"})
	if err != nil {
		t.Fatal(err)
	}
	all, err := All(p)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]int{"requests at a rate": 3, "proxy restarted under load": 3}
	for _, sc := range all {
		if sc.Instances != want[sc.Name] {
			t.Errorf("%s: %d instances", sc.Name, sc.Instances)
		}
	}
	for name := range want {
		if !Heeds(name, "proxies", "1", "2") || !Heeds(name, "proxies", "2", "3") {
			t.Errorf("%s is the same with more proxies", name)
		}
	}
	for _, n := range []string{"0", "5", "x"} {
		if _, err := ParseParams(map[string]string{"proxies": n}); err == nil {
			t.Errorf("--proxies %s is not refused", n)
		}
	}
}
