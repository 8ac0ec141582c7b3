package load

import (
	"cmp"
	"errors"
	"fmt"
	"time"
)

// Order is what `fv traffic` asks for: pods that talk, and what that may suffer.
type Order struct {
	Spec   Spec   `json:"spec"`             // its pairs and servers follow from the pods
	From   Ends   `json:"from,omitempty"`   // OfPods
	To     Ends   `json:"to,omitempty"`     // OfPods
	Pods   int    `json:"pods"`             // of which each but the servers sends to them; by the node, none does
	Behind int    `json:"behind,omitempty"` // of the pods, how many servers a service has; 0: there is none, and one server
	IPv6   bool   `json:"ipv6,omitempty"`
	Budget Budget `json:"budget"`
}

// Ends are what talks.
type Ends string

// The ends there may be.
const (
	OfPods   Ends = "pods"   // of the node
	OfRemote Ends = "remote" // pods of another node, each with an address of its own
	OfNode   Ends = "node"   // the node itself
	// OfService is an address that a route with several next hops leads to pods of the node by; it only answers.
	OfService Ends = "service"
)

func (e Ends) known() bool { return e == OfPods || e == OfRemote || e == OfNode || e == OfService }

// Servers is how many pods answer, if pods of the node do.
func (o Order) Servers() int { return max(o.Behind, 1) }

// Local is how many pods of the node the order needs.
func (o Order) Local() int { return o.Pods - o.Remote() }

// Remote is how many pods of another node the order needs.
func (o Order) Remote() int {
	switch {
	case o.From == OfRemote:
		return o.Pods - o.Servers()
	case o.To == OfRemote:
		return 1
	}
	return 0
}

// What ordered traffic leaves in the record's folder.
const (
	ReportFile = "traffic.json" // the Report
	LogFile    = "traffic.hlog" // see Report.WriteLog
)

// Longest is how long ordered traffic without a duration goes on at most.
const Longest = 24 * time.Hour

// Check says what is wrong with the order, all at once.
func (o Order) Check() error {
	spec := o.Spec
	spec.Pairs = []Pair{{}} // they follow
	err := spec.Check()
	from, to := cmp.Or(o.From, OfPods), cmp.Or(o.To, OfPods)
	if !from.known() || !to.known() {
		err = errors.Join(err, fmt.Errorf("traffic: from %s to %s: each must be %s, %s or %s; to may be %s", from, to, OfPods, OfRemote, OfNode, OfService))
	}
	if from == OfService {
		err = errors.Join(err, errors.New("traffic: a service begins no connections, it only answers"))
	}
	if to != OfService && o.Behind > 0 || to == OfService && o.Behind < 1 {
		err = errors.Join(err, fmt.Errorf("traffic: to %s, with %d servers behind it: a service has at least one, and nothing else has any", to, o.Behind))
	}
	if to == OfService && o.IPv6 {
		err = errors.Join(err, errors.New("traffic: a service has an IPv4 address alone"))
	}
	if to == OfService && o.Pods <= o.Behind && from != OfNode {
		err = errors.Join(err, fmt.Errorf("traffic: of %d pods, %d are the service's servers: nobody is left to send", o.Pods, o.Behind))
	}
	if to == OfService && o.Pods < o.Behind && from == OfNode {
		err = errors.Join(err, fmt.Errorf("traffic: of %d pods, %d are to be the service's servers", o.Pods, o.Behind))
	}
	if from == to && from != OfPods {
		err = errors.Join(err, fmt.Errorf("traffic: from %s to %s does not pass the node's network of pods", from, to))
	}
	if o.Pods < 2 {
		err = errors.Join(err, errors.New("traffic: there must be two pods at least"))
	}
	if o.Spec.Duration > Longest {
		err = errors.Join(err, errors.New("traffic: it can go on for a day at most"))
	}
	return err
}
