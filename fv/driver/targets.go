package driver

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/nodefv/nodefv/workloads"
)

// ImpairTarget is what may be impaired: the link of a pod, or a connection of traffic on it, as the pod sees it.
type ImpairTarget struct {
	Pod        string `json:"pod"`
	Connection string `json:"connection,omitempty"` // protocol,local,remote
}

// targets are all pods that have a link, and the connections of the newest traffic that stand, as long as one of their ends is here.
func (w *Wire) targets() (all []ImpairTarget) {
	w.mu.Lock()
	carried := w.carried
	for k := range w.plugs {
		all = append(all, ImpairTarget{Pod: k.String()})
	}
	w.mu.Unlock()
	slices.SortFunc(all, func(a, b ImpairTarget) int { return strings.Compare(a.Pod, b.Pod) })
	if carried == nil {
		return all
	}
	looks := carried.Look() // it waits for the traffic's thread: not under the lock
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range looks {
		pod, local, remote := c.From, c.Local, c.Remote
		if _, here := w.plugs[pod]; !here {
			pod, local, remote = w.owners[remote.Addr()], remote, local
		}
		if c.Stands && pod != (workloads.Key{}) {
			all = append(all, ImpairTarget{pod.String(), fmt.Sprintf("%s,%s,%s", carrierOf(string(c.Protocol)), local, remote)})
		}
	}
	return all
}

// carrierOf is the protocol of packets that carry a protocol.
func carrierOf(protocol string) string {
	if protocol == "udp" {
		return protocol
	}
	return "tcp"
}

func printTargets(all []ImpairTarget, out io.Writer) error {
	for _, t := range all {
		line := "--pod " + t.Pod
		if t.Connection != "" {
			line += " --connection " + t.Connection
		}
		if _, err := fmt.Fprintln(out, line); err != nil {
			return err
		}
	}
	return nil
}
