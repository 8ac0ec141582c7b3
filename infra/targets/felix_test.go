package targets

import "testing"

// The name follows from sha1("default.nginx"), as Calico's CNI plugin computes it.
func TestHostInterface(t *testing.T) {
	if got := (felix{}).HostInterface("default", "nginx"); got != "calic440f455693" {
		t.Errorf("host interface %s", got)
	}
}

func TestUnknownTargetsAndDataPlanesAreRefused(t *testing.T) {
	if _, err := New("flannel", Options{}); err == nil {
		t.Error("an unknown target was made")
	}
	if _, err := New("felix", Options{DataPlane: "ebpf"}); err == nil {
		t.Error("an unknown data plane was taken")
	}
}
