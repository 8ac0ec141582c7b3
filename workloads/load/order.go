package load

import (
	"errors"
	"time"
)

// Order is what `fv traffic` asks for: pods that talk, and what that may suffer.
type Order struct {
	Spec   Spec   `json:"spec"` // its pairs and servers follow from the pods
	Pods   int    `json:"pods"` // on the node, of which each but the first sends to the first
	IPv6   bool   `json:"ipv6,omitempty"`
	Budget Budget `json:"budget"`
}

// Longest is how long ordered traffic without a duration goes on at most.
const Longest = 24 * time.Hour

// Check says what is wrong with the order, all at once.
func (o Order) Check() error {
	spec := o.Spec
	spec.Pairs = []Pair{{}} // they follow
	err := spec.Check()
	if o.Pods < 2 {
		err = errors.Join(err, errors.New("traffic: there must be two pods at least"))
	}
	if o.Spec.Duration > Longest {
		err = errors.Join(err, errors.New("traffic: it can go on for a day at most"))
	}
	return err
}
