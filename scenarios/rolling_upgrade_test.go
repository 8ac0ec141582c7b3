package scenarios

import (
	"math"
	"testing"
	"time"

	"github.com/nodefv/nodefv/workloads"
	"github.com/nodefv/nodefv/workloads/load"
)

func TestAnalysisOfAnUpgrade(t *testing.T) {
	e := analysed(4, 120)
	if math.Abs(e.Mean-194.4) > 0.1 || !e.Holds(195) || e.Holds(120) || e.Holds(300) {
		t.Errorf("%+v", e)
	}
}

func TestTurnCost(t *testing.T) {
	at := func(s int) time.Time { return time.Unix(int64(s), 0) }
	mine, other := workloads.Key{Name: "a"}, workloads.Key{Name: "b"}
	connection := func(number, again int, server *workloads.Key, begun, ended int) load.Connection {
		c := load.Connection{Number: number, Again: again, Server: server, Begun: at(begun), Connect: 1, Ended: at(ended), Cause: load.PeerClosed}
		if ended == 0 {
			c.Cause = load.Done
		}
		return c
	}
	got := turnCost([]load.Connection{
		connection(0, 0, &mine, 1, 11), connection(0, 1, &other, 12, 0), // as it should be
		connection(1, 0, &mine, 1, 11), connection(1, 1, &mine, 25, 0), // late
		connection(2, 0, &other, 1, 13), connection(2, 1, &other, 14, 15), // a bystander, twice
		connection(3, 0, &mine, 1, 5), connection(3, 1, &mine, 6, 30), // before, and not in time
	}, turn{mine, at(10), at(20)})
	if want := (spent{stood: 4, had: 3, lost: 4, late: 1}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}
