package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/nodefv/nodefv/infra"
)

func impairCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "impair", Short: "Make a link worse while traffic goes on, or one connection of it", Args: cobra.NoArgs,
		Long: `impair delays, loses, duplicates, reorders, corrupts and slows down packets of a link: all, or those
that a filter matches. The link is a pod's, the node's to all others, or the agent's to the API server.
It works while something is at work on the environment (fv traffic, fv test, fv ui), and ends with that.
list says what can be impaired; show compares what was asked with what was achieved.`,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(impairListCommand(), impairSetCommand(), impairShowCommand(), impairClearCommand())
	return c
}

func impairSetCommand() *cobra.Command {
	var q qualityFlags
	var order infra.ImpairOrder
	var link linkFlags
	var run, direction, bpf string
	c := &cobra.Command{
		Use: "set --pod NAMESPACE/NAME | --uplink | --api", Short: "Set or change an impairment", Args: cobra.NoArgs,
		Long: `set puts an impairment in force, or changes the one of its name: what no flag says stays as it was, unless --replace is given. Connections
live on. All that was counted of it begins anew.`,
		Example: `  fv impair set --pod fv-7-team-a/web-0 --delay 100ms --jitter 10ms
  fv impair set --pod fv-7-team-a/web-0 --delay 100ms \
      --connection tcp,10.128.0.1:40312,10.128.0.2:5201
  fv impair set --pod fv-7-team-a/web-0 --name lossy --direction in --loss 3% --seed 7
  fv impair set --api --direction both --loss 100%
  tcpdump -y EN10MB -ddd 'udp port 53' | \
      fv impair set --pod fv-7-team-a/web-0 --bpf - --loss-burst 1%,25%,100%,0%`,
		RunE: func(c *cobra.Command, _ []string) error {
			asked, err := q.asked(c.Flags())
			if err == nil {
				err = link.choose(&order)
			}
			if err == nil && order.Pod == "" {
				err = errors.New("say which link: --pod, --uplink or --api")
			}
			if err == nil && link.api && c.Flags().Changed("connection") {
				err = errors.New("--api is a connection by itself: leave --connection out, or use --uplink")
			}
			if err != nil {
				return usage(err)
			}
			switch direction {
			case "both":
				order.Both = true
			case "in", "out":
				if c.Flags().Changed("direction") {
					asked["direction"] = direction
				}
			default:
				return usage(fmt.Errorf("--direction %s: must be out, in or both", direction))
			}
			if bpf != "" {
				text, err := readArgument(c, bpf)
				if err != nil {
					return usage(fmt.Errorf("--bpf: %w", err))
				}
				order.Classic = text
			}
			order.Do = "set"
			if order.Asked, err = json.Marshal(asked); err != nil {
				return err
			}
			return control(c, run, order, false)
		},
	}
	f := c.Flags()
	controlFlags(f, &run, &order)
	link.flags(f, &order)
	f.StringVar(&direction, "direction", "out", "of the packets, as the pod or the node sees it: out, in or both")
	f.BoolVar(&order.Replace, "replace", false, "what no flag says is not as it was but nothing")
	f.StringVar(&bpf, "bpf", "", "only packets that a classic BPF filter matches: a `file` with the output of tcpdump -y EN10MB -ddd EXPRESSION, or - for standard input")
	q.flags(f)
	return c
}

func impairListCommand() *cobra.Command {
	var run, format string
	c := &cobra.Command{
		Use: "list", Short: "Say which pods have a link, and which connections of traffic stand", Args: cobra.NoArgs,
		Long: `list prints a line for each pod that has a link now, and for each connection of the traffic that goes on:
the flags of fv impair set that mean it.`,
		Example: `  fv impair list | grep connection
  fv impair set --delay 100ms $(fv impair list | grep -m1 connection)`,
		RunE: func(c *cobra.Command, _ []string) error {
			if format != "text" && format != "json" {
				return usage(fmt.Errorf("--format %s: must be text or json", format))
			}
			return control(c, run, infra.ImpairOrder{Do: "list"}, format == "json")
		},
	}
	c.Flags().StringVarP(&format, "format", "f", "text", "text or json")
	c.Flags().StringVar(&run, "run", "", "the environment's run (default: the only one)")
	return c
}

func impairShowCommand() *cobra.Command {
	var order infra.ImpairOrder
	var link linkFlags
	var run, format string
	c := &cobra.Command{
		Use: "show", Short: "Say what is in force, what it did, and whether that is what was asked", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if format != "text" && format != "json" {
				return usage(fmt.Errorf("--format %s: must be text or json", format))
			}
			if err := link.choose(&order); err != nil {
				return usage(err)
			}
			order.Do = "show"
			return control(c, run, order, format == "json")
		},
	}
	c.Flags().StringVarP(&format, "format", "f", "text", "text or json, in which durations are nanoseconds and shares from 0 to 1")
	c.Flags().StringVar(&run, "run", "", "the environment's run (default: the only one)")
	link.flags(c.Flags(), &order)
	return c
}

func impairClearCommand() *cobra.Command {
	var order infra.ImpairOrder
	var link linkFlags
	var run string
	var all bool
	c := &cobra.Command{
		Use: "clear", Short: "End impairments", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := link.choose(&order); err != nil {
				return usage(err)
			}
			if all == (order.Pod != "" || order.Name != "") {
				return usage(errors.New("say which: a link (--pod, --uplink, --api), --name or both, or else --all"))
			}
			order.Do = "clear"
			return control(c, run, order, false)
		},
	}
	controlFlags(c.Flags(), &run, &order)
	link.flags(c.Flags(), &order)
	c.Flags().BoolVar(&all, "all", false, "all impairments of all links")
	return c
}

func controlFlags(f *pflag.FlagSet, run *string, o *infra.ImpairOrder) {
	f.StringVar(run, "run", "", "the environment's run (default: the only one)")
	f.StringVar(&o.Name, "name", "", "of the impairment; a link may have several, of which a packet meets the first that matches")
}

// linkFlags choose a link.
type linkFlags struct{ uplink, api bool }

func (l *linkFlags) flags(f *pflag.FlagSet, o *infra.ImpairOrder) {
	f.StringVar(&o.Pod, "pod", "", "the link of the pod namespace/name")
	f.BoolVar(&l.uplink, "uplink", false, "the node's links to the other nodes and to the API server")
	f.BoolVar(&l.api, "api", false, "what the agent says to the API server and hears of it")
}

// choose makes the order one about the link that is chosen; it is an error if there are several.
func (l *linkFlags) choose(o *infra.ImpairOrder) error {
	chosen := 0
	for _, c := range []struct {
		is   bool
		word string
	}{{o.Pod != "", o.Pod}, {l.uplink, infra.Uplink}, {l.api, infra.API}} {
		if c.is {
			o.Pod = c.word
			chosen++
		}
	}
	if chosen > 1 {
		return errors.New("--pod, --uplink and --api each choose a link: give one")
	}
	return nil
}

func control(c *cobra.Command, run string, order infra.ImpairOrder, asJSON bool) error {
	h, err := open(c)
	if err != nil {
		return err
	}
	return h.Control(c.Context(), run, order, asJSON, c.OutOrStdout())
}

func readArgument(c *cobra.Command, name string) (string, error) {
	if name != "-" {
		text, err := os.ReadFile(name)
		return string(text), err
	}
	text, err := io.ReadAll(c.InOrStdin())
	return string(text), err
}

// qualityFlags are what is asked for, in the words of flags.
type qualityFlags struct {
	delay, jitter                                 time.Duration
	distribution, loss, burst, states             string
	duplicate, reorder, corrupt, rate, connection string
	limit                                         int
	seed                                          uint64
	dscp, mark                                    string
	u32                                           []string
}

func (q *qualityFlags) flags(f *pflag.FlagSet) {
	f.DurationVar(&q.delay, "delay", 0, "mean delay")
	f.DurationVar(&q.jitter, "jitter", 0, "how far delays are from the mean")
	f.StringVar(&q.distribution, "distribution", "", "of the jitter: uniform, normal or pareto")
	f.StringVar(&q.loss, "loss", "", "share of packets lost by chance, such as 3% or 0.03")
	f.StringVar(&q.burst, "loss-burst", "", "Gilbert–Elliott: chances to turn bad and good again, shares lost when bad and when good, such as 1%,25%,100%,0%")
	f.StringVar(&q.states, "loss-state", "", "four-state model: p13,p31,p32,p23,p14")
	f.StringVar(&q.duplicate, "duplicate", "", "share of packets sent twice")
	f.StringVar(&q.reorder, "reorder", "", "share of packets that are not delayed and so overtake others")
	f.StringVar(&q.corrupt, "corrupt", "", "share of packets with one bit flipped")
	f.StringVar(&q.rate, "rate", "", "bits a second, such as 10M; 0: as fast as it goes")
	f.IntVar(&q.limit, "limit", 0, "packets held back at most (default 10000)")
	f.Uint64Var(&q.seed, "seed", 0, "of all chance")
	f.StringVar(&q.connection, "connection", "", "only one connection: PROTOCOL,LOCAL,REMOTE as the pod sees it; * stands for any address or port")
	f.StringVar(&q.dscp, "dscp", "", "only packets of this class, 0 to 63")
	f.StringVar(&q.mark, "mark", "", "only packets with this mark: VALUE or VALUE/MASK")
	f.StringArrayVar(&q.u32, "u32", nil, "only packets with VALUE/MASK@OFFSET, as tc's u32 has it; may be given several times")
}

// asked is the part of an impairment that the flags say.
func (q *qualityFlags) asked(f *pflag.FlagSet) (map[string]any, error) {
	asked, filter := map[string]any{}, map[string]any{}
	var errs []error
	say := func(flag, field string, value func() (any, error)) {
		if !f.Changed(flag) {
			return
		}
		v, err := value()
		if err != nil {
			errs = append(errs, fmt.Errorf("--%s: %w", flag, err))
		}
		asked[field] = v
	}
	say("delay", "delay", func() (any, error) { return q.delay, nil })
	say("jitter", "jitter", func() (any, error) { return q.jitter, nil })
	say("distribution", "distribution", func() (any, error) { return q.distribution, nil })
	say("limit", "limit", func() (any, error) { return q.limit, nil })
	say("seed", "seed", func() (any, error) { return q.seed, nil })
	say("rate", "rate", func() (any, error) { return parseRate(q.rate) })
	for flag, c := range map[string]struct{ field, text string }{
		"duplicate": {"duplication", q.duplicate}, "reorder": {"reordering", q.reorder}, "corrupt": {"corruption", q.corrupt},
	} {
		say(flag, c.field, func() (any, error) { return parseNamed(c.text, "share") })
	}
	// One model takes the place of another.
	say("loss", "loss", func() (any, error) { return lossOf(parseNamed(q.loss, "share")) })
	say("loss-burst", "loss", func() (any, error) {
		return lossIn("gilbertElliott")(parseNamed(q.burst, "toBad", "toGood", "lostBad", "lostGood"))
	})
	say("loss-state", "loss", func() (any, error) {
		return lossIn("fourState")(parseNamed(q.states, "p13", "p31", "p32", "p23", "p14"))
	})
	for flag, parse := range map[string]func() (field string, v any, err error){
		"connection": func() (string, any, error) { v, err := parseConnection(q.connection); return "connection", v, err },
		"dscp":       func() (string, any, error) { v, err := strconv.ParseUint(q.dscp, 0, 8); return "dscp", v, err },
		"mark":       func() (string, any, error) { v, err := parseMark(q.mark); return "mark", v, err },
		"u32":        func() (string, any, error) { v, err := parseU32(q.u32); return "u32", v, err },
	} {
		if f.Changed(flag) {
			field, v, err := parse()
			if err != nil {
				errs = append(errs, fmt.Errorf("--%s: %w", flag, err))
			}
			filter[field] = v
		}
	}
	if len(filter) > 0 {
		asked["filter"] = filter
	}
	return asked, errors.Join(errs...)
}

// parseNamed reads shares, such as 3% or 0.03, that have names, in their order.
func parseNamed(text string, names ...string) (map[string]any, error) {
	fields, values := strings.Split(text, ","), map[string]any{}
	if len(fields) != len(names) {
		return nil, fmt.Errorf("%q: there must be %d numbers: %s", text, len(names), strings.Join(names, ","))
	}
	for i, field := range fields {
		number, percent := strings.CutSuffix(field, "%")
		v, err := strconv.ParseFloat(number, 64)
		if err != nil {
			return nil, fmt.Errorf("%q is no share, such as 3%% or 0.03", field)
		}
		if percent {
			v /= 100
		}
		values[names[i]] = v
	}
	return values, nil
}

// lossOf is a loss by that chance and nothing else.
func lossOf(chance map[string]any, err error) (any, error) {
	loss := map[string]any{"share": 0, "correlation": 0, "packets": nil, "gilbertElliott": nil, "fourState": nil}
	for k, v := range chance {
		loss[k] = v
	}
	return loss, err
}

// lossIn is a loss by that model and nothing else.
func lossIn(model string) func(map[string]any, error) (any, error) {
	return func(values map[string]any, err error) (any, error) { return lossOf(map[string]any{model: values}, err) }
}

func parseRate(text string) (uint64, error) {
	digits, unit := strings.TrimRight(text, "kMG"), uint64(1)
	switch strings.TrimPrefix(text, digits) {
	case "":
	case "k":
		unit = 1e3
	case "M":
		unit = 1e6
	case "G":
		unit = 1e9
	default:
		unit = 0
	}
	v, err := strconv.ParseFloat(digits, 64)
	if err != nil || unit == 0 || !(v >= 0 && v*float64(unit) <= 1e18) { // NaN as well
		return 0, fmt.Errorf("%q is no rate, such as 500k, 10M or 1G", text)
	}
	return uint64(v * float64(unit)), nil
}

func parseConnection(text string) (any, error) {
	fields := strings.Split(text, ",")
	if len(fields) != 3 {
		return nil, fmt.Errorf("%q: must be PROTOCOL,LOCAL,REMOTE", text)
	}
	connection := map[string]any{}
	if fields[0] != "*" {
		connection["protocol"] = strings.ToUpper(fields[0])
	}
	for i, name := range []string{"local", "remote"} {
		end, err := parseEndpoint(fields[i+1])
		if err != nil {
			return nil, err
		}
		connection[name] = end
	}
	return connection, nil
}

func parseEndpoint(text string) (map[string]any, error) {
	end := map[string]any{}
	at := strings.LastIndex(text, ":")
	if text == "*" {
		return end, nil
	}
	if at < 0 {
		return nil, fmt.Errorf("%q is no ADDRESS:PORT; * stands for either, or for both", text)
	}
	if host := strings.Trim(text[:at], "[]"); host != "*" {
		address, err := netip.ParseAddr(host)
		if err != nil {
			return nil, err
		}
		end["address"] = address
	}
	if port := text[at+1:]; port != "*" {
		number, err := strconv.ParseUint(port, 10, 16)
		if err != nil {
			return nil, fmt.Errorf("%q is no port", port)
		}
		end["port"] = number
	}
	return end, nil
}

// parseMasked reads VALUE/MASK; without a mask that is 0.
func parseMasked(text string) (value, mask uint64, err error) {
	first, second, masked := strings.Cut(text, "/")
	if value, err = strconv.ParseUint(first, 0, 32); err == nil && masked {
		mask, err = strconv.ParseUint(second, 0, 32)
	}
	if err != nil {
		err = fmt.Errorf("%q is no VALUE or VALUE/MASK of 32 bits", text)
	}
	return value, mask, err
}

func parseMark(text string) (any, error) {
	value, mask, err := parseMasked(text)
	return map[string]any{"value": value, "mask": mask}, err
}

func parseU32(texts []string) (any, error) {
	var all []map[string]any
	for _, text := range texts {
		masked, at, ok := strings.Cut(text, "@")
		offset, err := strconv.ParseUint(at, 0, 16)
		if !ok || err != nil {
			return nil, fmt.Errorf("%q: must be VALUE/MASK@OFFSET", text)
		}
		value, mask, err := parseMasked(masked)
		if err != nil {
			return nil, err
		}
		if !strings.Contains(masked, "/") {
			mask = math.MaxUint32
		}
		all = append(all, map[string]any{"value": value, "mask": mask, "offset": offset})
	}
	return all, nil
}
