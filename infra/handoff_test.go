package infra

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func TestHandoffRoundTrip(t *testing.T) {
	want := Handoff{
		Version: HandoffVersion, Run: "r1", Seed: 1<<64 - 1, Kubeconfig: "/k", Node: "n", NodeAddr: "172.18.0.4", Out: "/out", Live: true, Command: "fv run",
		Target:     TargetFacts{Name: "felix", Process: "calico-felix", MetricsPort: 1, HealthPort: 2, DebugPort: 3, DataPlane: "nftables", Extras: []string{"typha"}},
		Parameters: map[string]string{"cycles": "3"},
	}
	data, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "handoff.json")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := ReadHandoff(path)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v\nwant %+v", got, err, want)
	}
	if err := os.WriteFile(path, []byte(`{"version":99}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadHandoff(path); err == nil || !strings.Contains(err.Error(), "version 99") {
		t.Errorf("another version: %v", err)
	}
}
