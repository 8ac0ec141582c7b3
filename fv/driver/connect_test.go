package driver

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"testing"

	"github.com/nodefv/nodefv/scenarios/effects"
	"github.com/nodefv/nodefv/workloads"
	"github.com/nodefv/nodefv/workloads/traffic"
	"github.com/nodefv/nodefv/workloads/uplink"
)

func TestOutcome(t *testing.T) {
	from, other := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.9")
	for want, r := range map[effects.Outcome]traffic.Result{
		{Kind: effects.Connected}:                           {SourceSeen: from},
		{Kind: effects.ConnectedFrom, Seen: other.String()}: {SourceSeen: other},
		{Kind: effects.Dropped}:                             {Err: traffic.ErrDropped},
		{Kind: effects.Refused}:                             {Err: traffic.ErrRefused},
		{Kind: effects.PassedLate}:                          {Err: traffic.ErrLate},
		{Kind: effects.Unplugged}:                           {Err: fmt.Errorf("gone: %w", os.ErrNotExist)},
		{Kind: effects.Failed, Seen: "no buffer"}:           {Err: errors.New("no buffer")},
	} {
		if got := outcome(effects.Flow{From: effects.End{Addr: from}}, r); got != want {
			t.Errorf("%v: got %q, want %q", r, got, want)
		}
	}
}

func TestRemotePodsSendFromTheUplink(t *testing.T) {
	here, there := workloads.Key{Namespace: "a", Name: "here"}, workloads.Key{Namespace: "a", Name: "there"}
	a, b := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2")
	flow := effects.Flow{From: effects.End{Key: here, Addr: a}, To: effects.End{Key: there, Addr: b, Remote: true}, Port: 80}
	if got, want := onWire(flow), (traffic.Flow{From: here, To: b, Port: 80}); got != want {
		t.Errorf("from here: %+v, want %+v", got, want)
	}
	flow.From, flow.To = flow.To, flow.From
	if got, want := onWire(flow), (traffic.Flow{From: uplink.Pod, Source: b, To: a, Port: 80}); got != want {
		t.Errorf("from there: %+v, want %+v", got, want)
	}
}
