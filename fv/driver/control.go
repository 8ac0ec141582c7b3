package driver

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/nodefv/nodefv/infra"
)

// controlAddress is an abstract socket: it belongs to the node's network namespace, and goes with the driver however that ends.
const controlAddress = "@nodefv-driver"

// answer is what the driver says to an order.
type answer struct {
	Links   []LinkReport   `json:"links"`
	Targets []ImpairTarget `json:"targets,omitempty"` // of an order to list them
	Error   string         `json:"error,omitempty"`
}

// listen obeys orders until the driver is closed.
func (w *Wire) listen() (stop func() error, err error) {
	listener, err := net.Listen("unix", controlAddress)
	if err != nil {
		return nil, fmt.Errorf("listen for orders: %w", err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := listener.Accept()
			if err != nil {
				return // it was closed
			}
			w.serve(c) // one after the other: each takes milliseconds
		}
	}()
	return func() error {
		err := listener.Close()
		<-done
		return err
	}, nil
}

func (w *Wire) serve(c net.Conn) {
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	var o infra.ImpairOrder
	var a answer
	err := json.NewDecoder(c).Decode(&o)
	switch {
	case err != nil:
	case o.Do == "list":
		if a.Targets = w.targets(); len(a.Targets) == 0 {
			err = errors.New("no pod has a link now")
		}
	default:
		a.Links, err = w.obey(o)
	}
	if err != nil {
		a.Error = err.Error()
	}
	_ = json.NewEncoder(c).Encode(a) // who asked may be gone
}

// ErrNobodyAtWork is what Control returns if no driver is at work on the node, so that there are no pods.
var ErrNobodyAtWork = errors.New("nothing is at work on this node, so no link can be impaired: start `fv traffic`, or `fv test`")

// Control passes an order on to the driver at work on this node, and prints its answer: as JSON, or for people.
func Control(order []byte, asJSON bool, out io.Writer) error {
	c, err := net.Dial("unix", controlAddress)
	if err != nil {
		return ErrNobodyAtWork
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(time.Minute))
	if _, err := c.Write(order); err != nil {
		return fmt.Errorf("pass the order on: %w", err)
	}
	var a answer
	if err := json.NewDecoder(c).Decode(&a); err != nil {
		return fmt.Errorf("read the driver's answer: %w", err)
	}
	if a.Error != "" {
		return errors.New(a.Error)
	}
	if asJSON {
		if a.Links == nil {
			a.Links = []LinkReport{}
		}
		encoder := json.NewEncoder(out)
		encoder.SetIndent("", "  ")
		if a.Targets != nil {
			return encoder.Encode(a.Targets)
		}
		return encoder.Encode(a.Links)
	}
	if a.Targets != nil {
		return printTargets(a.Targets, out)
	}
	return printLinks(a.Links, out)
}

func printLinks(links []LinkReport, out io.Writer) error {
	if len(links) == 0 {
		_, err := fmt.Fprintln(out, "nothing is impaired")
		return err
	}
	for _, l := range links {
		for _, i := range l.Impairments {
			asked, err := json.Marshal(i.Impairment)
			if err != nil {
				return err
			}
			fmt.Fprintf(out, "%s %s: %s\n  %d packets, %d bytes, %d lost\n", l.Pod, i.Name, asked, i.Counters.Packets, i.Counters.Bytes, i.Counters.Lost)
			for _, claim := range i.Proof {
				fmt.Fprintf(out, "  %s\n", claim)
			}
			if i.Held != nil && i.Held.Lateness.N > 0 {
				fmt.Fprintf(out, "  own lateness: P50 %v, P99 %v; kernel's mean delay %v; %d dropped for want of room\n",
					i.Held.Lateness.P50, i.Held.Lateness.P99, i.Held.KernelDelay, i.Held.Dropped)
			}
		}
	}
	return nil
}
