package scenarios

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/nodefv/nodefv/metrics"
	"github.com/nodefv/nodefv/scenarios/effects"
	"github.com/nodefv/nodefv/scenarios/engine"
	"github.com/nodefv/nodefv/workloads"
	"github.com/nodefv/nodefv/workloads/traffic/shop"
)

// The shop takes a moment over an order. The link freezes in the midst of that, for longer than a customer is patient.
const (
	shopWork     = 500 * time.Millisecond
	shopFreezes  = 200 * time.Millisecond // after the first customers asked
	shopFrozen   = 3 * time.Second
	shopPatience = time.Second
	shopAsks     = 15 // at most: a dozen times as long as the link is frozen
	shopOrders   = 4  // of each kind
)

var _ = register(func(Params) engine.Scenario {
	return engine.Scenario{
		Name: "bought twice",
		Doc: "Customers ask a shop to buy, and ask again when no answer comes, while the link of the shop is frozen for 3 s. Without an idempotency key some buy twice;" +
			" with one, everybody buys once. In the end all have a receipt.",
		Labels:   []engine.Label{Traffic, Policy},
		Timeout:  brief,
		Topology: stage, Arrange: arrangeStage,
		Steps: []engine.Step{
			{Name: "guard", Do: func(ctx context.Context, w *engine.World) error {
				return w.Fleet.AddPolicies(ctx, []workloads.Policy{loadGuard(w)})
			}},
			{Name: "buy", Do: buyOverFrozenLink},
		},
	}
})

// order is one of the scenario's.
type order struct {
	name  string
	keyed bool
	late  bool // asked once the link is frozen: then it is the request that is held up, and else the answer
}

// kind is what it has in common with others.
func (o order) kind() (key, when string) {
	key, when = "none", "before the link froze"
	if o.keyed {
		key = "one"
	}
	if o.late {
		when = "while it was frozen"
	}
	return key, when
}

func shopOrdersAll() (all []order) {
	for i := range 4 * shopOrders {
		o := order{keyed: i%2 == 1, late: i/2%2 == 1}
		o.name = fmt.Sprintf("order-%d", i)
		all = append(all, o)
	}
	return all
}

// buyOverFrozenLink opens a shop on the stage's first server, lets customers buy while its link freezes, and judges what was sold.
func buyOverFrozenLink(ctx context.Context, w *engine.World) error {
	sockets, lossy := effects.Of(w).Sockets, effects.Of(w).Lossy
	switch {
	case sockets == nil:
		return effects.ErrNoSockets
	case lossy == nil:
		return effects.ErrNoLoss
	}
	s := onStage(w, 0, server)
	listener, err := sockets.Listen(ctx, effects.End{Key: s.Key, Addr: s.IPs[0]}, effects.LoadPort)
	if err != nil {
		return err
	}
	opened := shop.Open(listener, shopWork)
	events, frozen, err := sell(ctx, w, sockets, lossy, s)
	sold, closeErr := opened.Close()
	if err := errors.Join(err, closeErr); err != nil {
		return err
	}
	return judgeShop(w, append(events, sold...), frozen)
}

// spellFrozen is when the link was, and what was lost then.
type spellFrozen struct {
	from, to time.Time
	losses   effects.Losses
}

// sell lets the customers buy, and returns what they know of it.
func sell(ctx context.Context, w *engine.World, sockets effects.Sockets, lossy effects.Lossy, s workloads.Pod) (events []shop.Event, frozen spellFrozen, err error) {
	var early, late []*shop.Customer
	for i, o := range shopOrdersAll() {
		from := loadFlow(w, onStage(w, 0, []int{localClient, remoteClient}[i/4%2]), s, 0, "tcp").From
		c := &shop.Customer{Order: o.name, Patience: shopPatience, Pause: shopPatience / 5, Most: shopAsks, Dial: func(ctx context.Context) (net.Conn, error) {
			return sockets.Dial(ctx, from, netip.AddrPortFrom(s.IPs[0], effects.LoadPort))
		}}
		if o.keyed {
			c.Key = o.name
		}
		defer c.Leave()
		if err := c.Enter(ctx); err != nil {
			return nil, frozen, broken("%s: %v", from, err)
		}
		if o.late {
			late = append(late, c)
		} else {
			early = append(early, c)
		}
	}
	told := make(chan []shop.Event, len(early)+len(late))
	var group errgroup.Group
	ask := func(customers []*shop.Customer) {
		for _, c := range customers {
			group.Go(func() error {
				told <- c.Buy(ctx)
				return nil
			})
		}
	}
	ask(early)
	err = engine.Pause(ctx, shopFreezes)
	losing, freezeErr := lossy.Freeze(s.Key)
	frozen.from = time.Now()
	if err = errors.Join(err, freezeErr); err == nil {
		ask(late)
		err = engine.Pause(ctx, shopFrozen)
		var endErr error
		frozen.losses, endErr = losing.End()
		err = errors.Join(err, endErr)
	}
	frozen.to = time.Now()
	_ = group.Wait() // nobody fails
	close(told)
	for e := range told {
		events = append(events, e...)
	}
	return events, frozen, errors.Join(err, engine.Pause(ctx, 2*shopWork)) // what was given up may still come
}

// judgeShop tells the story of an order of each kind, and wants what was asked with a key to be sold once, and all to be sold.
func judgeShop(w *engine.World, events []shop.Event, frozen spellFrozen) error {
	w.Note(frozen.losses.Finding("the shop's link while it is frozen", 1))
	var wrong error
	told, twice := map[string]bool{}, map[bool]int{}
	for _, o := range shopOrdersAll() {
		times := shop.Times(events, o.name, shop.Sold)
		key, when := o.kind()
		w.Measure(metrics.Measurement{
			Name: "times bought", Doc: "How often an order was sold, of a customer who wants it once.", Samples: []metrics.Sample{{At: frozen.from, Value: float64(times)}},
			Labels: []metrics.Label{{Name: "idempotency key", Value: key}, {Name: "first asked", Value: when}},
		})
		if kind := key + when; !told[kind] && (o.keyed || times > 1) {
			told[kind] = true
			tellStory(w, o, shop.Story(events, o.name), frozen)
		}
		if !o.keyed && times > 1 {
			twice[o.late]++
		}
		switch {
		case times == 0 || shop.Times(events, o.name, shop.Receipt) != 1:
			wrong = errors.Join(wrong, broken("%s: sold %d times, %d receipts, though the link thawed", o.name, times, shop.Times(events, o.name, shop.Receipt)))
		case o.keyed && times != 1:
			wrong = errors.Join(wrong, broken("%s has an idempotency key, and was sold %d times", o.name, times))
		}
	}
	if wrong == nil && (twice[false] == 0 || twice[true] == 0) {
		return fmt.Errorf("without a key %d orders asked before the link froze and %d asked later were sold twice: what a key is for was not seen", twice[false], twice[true])
	}
	return wrong
}

// tellStory records what happened to an order, as a table of its own.
func tellStory(w *engine.World, o order, story []shop.Event, frozen spellFrozen) {
	key, when := o.kind()
	name := fmt.Sprintf("a purchase with %s idempotency key, asked %s", map[string]string{"none": "no", "one": "an"}[key], when)
	record := func(at time.Time, step string) {
		w.Measure(metrics.Measurement{
			Name: name, Doc: "One of them, step by step, from when the link froze.", Unit: metrics.Seconds,
			Labels: []metrics.Label{{Name: "step", Value: step}}, Samples: []metrics.Sample{{At: at, Value: at.Sub(frozen.from).Seconds()}},
		})
	}
	freezes, thaws := false, false
	upTo := func(at time.Time) {
		if !freezes && !at.Before(frozen.from) {
			freezes = true
			record(frozen.from, "the link freezes")
		}
		if !thaws && !at.Before(frozen.to) {
			thaws = true
			record(frozen.to, "the link thaws")
		}
	}
	for _, e := range story {
		upTo(e.At)
		who := "the customer"
		if e.What == shop.Sold || e.What == shop.Repeated {
			who = "the order"
		}
		record(e.At, fmt.Sprintf("%s %s (request %d)", who, e.What, e.Ask))
	}
	upTo(frozen.to)
}
