package driver

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/nodefv/nodefv/scenarios/effects"
	"github.com/nodefv/nodefv/workloads/traffic"
)

func TestObserved(t *testing.T) {
	sent := time.Now()
	gone, received := sent.Add(time.Millisecond), sent.Add(2*time.Millisecond)
	for name, c := range map[string]struct {
		protocol corev1.Protocol
		received time.Time
		gone     time.Time
		arrived  bool
	}{
		"a datagram that waited":                 {corev1.ProtocolUDP, received, received, true},
		"one that arrived before write returned": {corev1.ProtocolUDP, sent, gone, true},
		"one that was dropped":                   {corev1.ProtocolUDP, time.Time{}, gone, false},
		"a handshake, whose answer was noticed":  {corev1.ProtocolTCP, received, gone, true},
	} {
		flow := effects.Flow{Protocol: c.protocol}
		got := observed(traffic.Datagram{Tag: flow, Sent: sent, Gone: gone, Received: c.received})
		if want := (effects.Observation{Flow: flow, Sent: sent, Gone: c.gone, Arrived: c.arrived}); got != want {
			t.Errorf("%s: got %+v, want %+v", name, got, want)
		}
	}
}
