package felix

import "testing"

// The lines are those of a Felix v3.32.1 that was given the CRDs and the role of v3.31.0.
const lackingLog = `2026-11-25 00:25:48.764 [INFO][14] felix/daemon.go 132: Felix starting up GOMAXPROCS=2 builddate="2026-03-02" gitcommit="0ca9d1b9" version="v3.32.1"
2026-11-25 00:25:49.004 [INFO][14] felix/watchercache.go 274: Failed to perform list of current data during resync ListRoot=".../v3/pc.org/livemigrations" error=connection is unauthorized: virtualmachineinstancemigrations.kubevirt.io is forbidden: User "calico-node" cannot list resource "virtualmachineinstancemigrations" in API group "kubevirt.io" at the cluster scope
2026-11-25 00:25:49.028 [INFO][14] felix/watchercache.go 274: Failed to perform list of current data during resync ListRoot=".../v3/pc.org/kubernetesclusternetworkpolicies" error=the server could not find the requested resource (get clusternetworkpolicies.policy.networking.k8s.io)
2026-11-25 00:25:50.004 [INFO][14] felix/watchercache.go 274: Failed to perform list of current data during resync ListRoot=".../v3/pc.org/livemigrations" error=connection is unauthorized: virtualmachineinstancemigrations.kubevirt.io is forbidden: User "calico-node" cannot list resource "virtualmachineinstancemigrations" in API group "kubevirt.io" at the cluster scope
`

func TestVersion(t *testing.T) {
	for log, want := range map[string]string{lackingLog: "v3.32.1", "": "", "felix/daemon.go 132: Felix starting up version=v3.31.0-5-g1\n": "v3.31.0-5-g1",
		"felix/daemon.go 132: Felix starting up builddate=\"\" version=\"\"\n": ""} {
		if got := (felix{}).VersionIn([]byte(log)); got != want {
			t.Errorf("%q: version %q, want %q", log, got, want)
		}
	}
}

func TestLacks(t *testing.T) {
	const want = "it lacks the CRD of kubernetesclusternetworkpolicies and the right to list virtualmachineinstancemigrations.kubevirt.io: " +
		"give the CRDs and the role of its release (--crds DIR), or its checkout (--felix-source DIR)"
	if got := (felix{}).LacksIn([]byte(lackingLog)); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if got := (felix{}).LacksIn([]byte("all is well")); got != "" {
		t.Errorf("nothing lacks, but it says %q", got)
	}
}
