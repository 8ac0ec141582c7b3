package faults

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/nodefv/nodefv/metrics"
	"github.com/nodefv/nodefv/metrics/report"
	"github.com/nodefv/nodefv/scenarios/effects"
	"github.com/nodefv/nodefv/scenarios/engine"
	"github.com/nodefv/nodefv/scenarios/routed"
	"github.com/nodefv/nodefv/workloads"
	"github.com/nodefv/nodefv/workloads/requests"
	"github.com/nodefv/nodefv/workloads/routing"
)

const (
	// routesThere is how many routes the bed has, each with a host and a service of its own, and each service with a pod.
	routesThere = 4
	// idle is the number of a service that no route leads to, and of its pod.
	idle = routesThere
	// spare is the number of a pod that is behind no service.
	spare = idle + 1
	// spell is how long a fault lasts that is found at once.
	spell = 3 * time.Second
)

// routesByIngress are what the bed of routes needs of the target.
var routesByIngress = []workloads.Feature{workloads.ProxiedRequests, workloads.HTTPRouting}

// What becomes of requests. The judge that looks at each answer must find it, so it is asked before anything else is compared.
var _ = register(
	Fault{
		Name: "controller frozen", Needs: routesByIngress, Want: metrics.Fail, Causes: []Cause{meets(string(requests.TimedOut))},
		Break: func(ctx context.Context, w *engine.World, _ Saboteur) error {
			// While nobody answers, to wait for what is under way takes long.
			err := w.Freeze(func() error { return engine.Pause(ctx, routed.AskTimeout+spell) })
			return errors.Join(err, w.Drain(w.Note))
		},
	},
	Fault{
		Name: "wrong backend", Needs: routesByIngress, Want: metrics.Fail, Causes: []Cause{meets("wrong backend").on(0)},
		Break: func(ctx context.Context, w *engine.World, s Saboteur) error {
			pods := served(w)
			from, to := pods[idle], pods[spare]
			// The controller has no connection to the pod yet: one that stands would still lead there.
			return amidRule(ctx, s, "nat", "OUTPUT", toBackend(from, "DNAT", "--to-destination", fmt.Sprintf("%s:%d", to.IPs[0], routed.BackendPort)), func() error {
				if err := w.Fleet.Change(ctx, routeTo(w, 0, idle)); err != nil {
					return err
				}
				proxied, _ := routed.ProxiedOf(w)
				if err := proxied.Reach(ctx, requestOf(0), to.Key); err != nil {
					return err
				}
				return judged(ctx, w, spell)
			})
		},
	},
	Fault{
		Name: "backend refuses", Needs: routesByIngress, Want: metrics.Fail, Causes: []Cause{meets(strconv.Itoa(http.StatusBadGateway)).on(1)},
		Break: func(ctx context.Context, w *engine.World, s Saboteur) error {
			return amidRule(ctx, s, "filter", "OUTPUT", toBackend(served(w)[1], reset...), func() error { return judged(ctx, w, spell) })
		},
	},
	Fault{
		// What carries a request, and no beginning of a connection: that would be refused.
		Name: "connections reset", Needs: routesByIngress, Want: metrics.Fail, Causes: []Cause{meets(string(requests.Reset))},
		Break: func(ctx context.Context, w *engine.World, s Saboteur) error {
			proxied, _ := routed.ProxiedOf(w)
			rule := []string{"-p", "tcp", "--dport", strconv.Itoa(int(proxied.HTTP.Port())), "--tcp-flags", "PSH", "PSH", "-m", "statistic", "--mode", "random", "--probability", "0.33", "-j"}
			return amidRule(ctx, s, "filter", "INPUT", append(rule, reset...), func() error { return judged(ctx, w, spell) })
		},
	},
	Fault{
		Name: "controller deaf", Needs: routesByIngress, Want: metrics.Fail, Causes: []Cause{meets("wrong backend").wanting(http.StatusNotFound).on(0)},
		Break: func(ctx context.Context, w *engine.World, s Saboteur) error {
			return effects.WhileWorse(ctx, w, s.Way(), effects.Worse{Loss: 1}, func(ctx context.Context) error {
				if err := w.Fleet.Remove(ctx, routeTo(w, 0, 0).Part()); err != nil {
					return err
				}
				return judged(ctx, w, engine.DefaultBound+spell)
			})
		},
	},
)

// meets is the cause where requests met something that was not legal, as their judge tells it.
func meets(what string) Cause {
	return Cause{Probe: "never wrong", Aspect: report.Requests, Kind: report.Request, Met: what}
}

// on narrows a cause to requests for a route of the bed.
func (c Cause) on(route int) Cause {
	c.Subject = requestOf(route).String()
	return c
}

// wanting narrows a cause to requests of which a status alone was legal.
func (c Cause) wanting(status int) Cause {
	c.Want = "always " + strconv.Itoa(status)
	return c
}

// amidRoutes is the bed of who routes requests: they are made all along, and answered right before the fault.
func amidRoutes(f Fault, s Saboteur) (workloads.Topology, []engine.Step) {
	return workloads.Topology{Namespaces: 1, PodsPerNamespace: spare + 1, Local: -1}, []engine.Step{
		{Name: "routes", Do: addRoutes},
		{Name: "requests", Do: func(ctx context.Context, w *engine.World) error { return judged(ctx, w, spell) }},
		{Name: "break", Do: func(ctx context.Context, w *engine.World) error { return f.Break(ctx, w, s) }},
	}
}

// served are the pods, oldest first.
func served(w *engine.World) []workloads.Pod {
	pods := w.Fleet.State().LocalPods()
	workloads.SortByAge(pods)
	return pods
}

func addRoutes(ctx context.Context, w *engine.World) error {
	front, all := routed.FrontOf(w), []workloads.Object(nil)
	for i, pod := range served(w)[:spare] {
		service, slice := front.Service(serviceName(i), pod)
		if all = append(all, service, slice); i < routesThere {
			all = append(all, routeTo(w, i, i))
		}
	}
	return w.Fleet.Add(ctx, all...)
}

// routeTo is a route of the bed that leads to a service.
func routeTo(w *engine.World, route, service int) workloads.Ingress {
	return routed.FrontOf(w).Route(fmt.Sprintf("route-%d", route), hostOf(route), workloads.Key{Namespace: served(w)[service].Namespace, Name: serviceName(service)})
}

func serviceName(i int) string { return fmt.Sprintf("service-%d", i) }

func hostOf(route int) string { return fmt.Sprintf("route-%d.example", route) }

// requestOf is what the judge asks for all along, of a route.
func requestOf(route int) routing.Request {
	return routing.Request{Host: hostOf(route), Path: "/below"}
}

// judged lets requests go on for so long, and has all of them judged: its error wraps engine.ErrBroken if one was answered as it must not be.
func judged(ctx context.Context, w *engine.World, lasts time.Duration) error {
	if err := engine.Pause(ctx, lasts); err != nil {
		return err
	}
	return w.Drain(w.Note)
}

// reset is the end of a rule by which a packet is answered as if nobody had the connection.
var reset = []string{"REJECT", "--reject-with", "tcp-reset"}

// toBackend is a rule for what goes to a pod's server.
func toBackend(pod workloads.Pod, target ...string) []string {
	return append([]string{"-d", pod.IPs[0].String(), "-p", "tcp", "--dport", strconv.Itoa(routed.BackendPort), "-j"}, target...)
}

// amidRule has a rule come before all others of a chain while it is done.
func amidRule(ctx context.Context, s Saboteur, table, chain string, rule []string, do func() error) error {
	put := func(ctx context.Context, verb string) error {
		_, err := s.Run(ctx, append([]string{"iptables", "-w", "-t", table, verb, chain}, rule...)...)
		return err
	}
	if err := put(ctx, "-I"); err != nil {
		return err
	}
	return errors.Join(do(), put(context.WithoutCancel(ctx), "-D"))
}
