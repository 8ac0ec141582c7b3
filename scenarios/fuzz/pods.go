package fuzz

import (
	"fmt"
	"net/netip"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/nodefv/nodefv/scenarios/effects"
	"github.com/nodefv/nodefv/workloads"
)

// addPod draws where the pod is, its family, and whether its name or its address was another's.
func (g *Generator) addPod() Op {
	op := g.pod(AddPod)
	if g.chance(40) {
		op.Node = g.remoteNode()
	}
	op.Bare = op.Node == "" && g.chance(8)
	return op
}

func (g *Generator) pod(do Verb) Op {
	g.pods++
	op := Op{Do: do, Namespace: g.namespace(), Name: fmt.Sprintf("pod-%d", g.pods), Labels: g.labels(podLabels), Ports: g.containerPorts()}
	if len(g.retired) > 0 && g.chance(25) {
		i := g.rand.IntN(len(g.retired))
		op.Namespace, op.Name = g.retired[i].Namespace, g.retired[i].Name
		g.retired = slices.Delete(g.retired, i, i+1)
	}
	if len(g.free) > 0 && g.chance(30) {
		i := g.rand.IntN(len(g.free))
		op.IPs = g.free[i]
		g.free = slices.Delete(g.free, i, i+1)
		return op
	}
	g.addresses++
	v4, v6 := workloads.PodAddresses(g.addresses)
	switch g.rand.IntN(4) {
	case 0:
		op.IPs = []netip.Addr{v6}
	case 1:
		op.IPs = []netip.Addr{v4}
	default:
		op.IPs = []netip.Addr{v4, v6}
	}
	return op
}

// plugAhead makes the veth of a pod whose object is to come.
func (g *Generator) plugAhead() Op { return g.pod(PlugPod) }

func (g *Generator) addAhead() Op {
	op := g.ahead[one(g, g.model.Ahead.Keys())]
	op.Do = AddPod
	return op
}

// anyPod names a pod or, rarely, a veth without one.
func (g *Generator) anyPod() (namespace, name string) {
	keys := g.model.Pods().Keys()
	if g.model.Ahead.Len() > 0 && g.chance(10) {
		keys = g.model.Ahead.Keys()
	}
	k := one(g, keys)
	return k.Namespace, k.Name
}

func (g *Generator) removePod() Op {
	op := Op{Do: RemovePod, Forced: g.chance(40)}
	op.Namespace, op.Name = g.anyPod()
	return op
}

func (g *Generator) relabelPod() Op {
	op := Op{Do: RelabelPod, Labels: g.labels(podLabels)}
	op.Namespace, op.Name = g.anyPod()
	return op
}

func (g *Generator) clearPod() Op {
	op := Op{Do: ClearPodAddresses}
	op.Namespace, op.Name = g.anyPod()
	return op
}

func (g *Generator) movePod() Op {
	op := Op{Do: MovePod, Forced: g.chance(40)}
	op.Namespace, op.Name = g.anyPod()
	if g.model.Pods().Get(op.key()).Node == anyNode {
		op.Node = g.remoteNode()
	}
	return op
}

// containerPorts gives some pods names for ports, which pods number differently.
func (g *Generator) containerPorts() []workloads.NamedPort {
	var ports []workloads.NamedPort
	if g.chance(50) {
		ports = append(ports, workloads.NamedPort{Name: "http", Protocol: corev1.ProtocolTCP, Port: one(g, effects.Ports)})
	}
	if g.chance(40) {
		dns := workloads.NamedPort{Name: "dns", Protocol: corev1.ProtocolUDP, Port: one(g, []uint16{5353, effects.Ports[0]})}
		if g.chance(25) {
			dns.Protocol, dns.Port = corev1.ProtocolTCP, 5353
		}
		ports = append(ports, dns)
	}
	if g.chance(10) {
		ports = append(ports, workloads.NamedPort{Name: "sig", Protocol: corev1.ProtocolSCTP, Port: 3868})
	}
	return ports
}
