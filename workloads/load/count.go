package load

import "time"

// Way is what became of messages in one direction.
type Way struct {
	Arrived    uint64 `json:"arrived"`
	Lost       uint64 `json:"lost"`       // sent, and it did not arrive before it was given up or its connection ended
	Duplicated uint64 `json:"duplicated"` // arrivals of what had arrived
	Reordered  uint64 `json:"reordered"`  // arrivals after one that was sent later
}

// Count is the account of messages, of one connection or of all.
type Count struct {
	Due    uint64 `json:"due"`    // by the clock; in a closed loop: sent
	Sent   uint64 `json:"sent"`   // Due = Sent + Missed
	Missed uint64 `json:"missed"` // there was no connection to send it on, or the socket took none until the end
	There  Way    `json:"there"`  // Sent = There.Arrived + There.Lost
	Back   Way    `json:"back"`   // There.Arrived = Back.Arrived + Back.Lost
	Late   uint64 `json:"late"`   // of Back.Arrived
	After  uint64 `json:"after"`  // arrivals after the message was given up, which counts as lost all the same
}

// Add adds another account.
func (c *Count) Add(o Count) {
	c.Due, c.Sent, c.Missed, c.Late, c.After = c.Due+o.Due, c.Sent+o.Sent, c.Missed+o.Missed, c.Late+o.Late, c.After+o.After
	for _, w := range []struct {
		to *Way
		of Way
	}{{&c.There, o.There}, {&c.Back, o.Back}} {
		w.to.Arrived += w.of.Arrived
		w.to.Lost += w.of.Lost
		w.to.Duplicated += w.of.Duplicated
		w.to.Reordered += w.of.Reordered
	}
}

// Hole is a time in which no message that was due in it was answered in time.
type Hole struct {
	At   time.Time     `json:"at"` // when the first of them was due
	Took time.Duration `json:"took"`
}
