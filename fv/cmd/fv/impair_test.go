package main

import (
	"encoding/json"
	"net/netip"
	"reflect"
	"testing"
	"time"

	"github.com/spf13/pflag"

	"github.com/nodefv/nodefv/workloads/impair"
)

// askedBy is what flags ask for, as the driver reads it.
func askedBy(t *testing.T, words ...string) (impair.Impairment, error) {
	t.Helper()
	var q qualityFlags
	f := pflag.NewFlagSet("", pflag.ContinueOnError)
	q.flags(f)
	if err := f.Parse(words); err != nil {
		t.Fatal(err)
	}
	asked, err := q.asked(f)
	if err != nil {
		return impair.Impairment{}, err
	}
	text, err := json.Marshal(asked)
	if err != nil {
		t.Fatal(err)
	}
	i := impair.Impairment{Name: "x", Direction: impair.Out}
	if err := json.Unmarshal(text, &i); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return i, i.Check()
}

func TestFlagsAskForImpairments(t *testing.T) {
	got, err := askedBy(t, "--delay", "100ms", "--jitter", "10ms", "--distribution", "pareto", "--loss", "3%", "--duplicate", "0.01", "--reorder", "2%",
		"--corrupt", "1%", "--rate", "10M", "--limit", "50", "--seed", "7", "--connection", "udp,10.0.0.1:*,[fd00::1]:53", "--dscp", "46",
		"--mark", "0x7/0xff", "--u32", "0x35/0xffff@20", "--u32", "7@0")
	dscp := uint8(46)
	want := impair.Impairment{Name: "x", Direction: impair.Out,
		Filter: impair.Filter{
			Connection: &impair.Connection{Protocol: "UDP", Local: impair.Endpoint{Address: netip.MustParseAddr("10.0.0.1")},
				Remote: impair.Endpoint{Address: netip.MustParseAddr("fd00::1"), Port: 53}},
			DSCP: &dscp, Mark: &impair.Mark{Value: 7, Mask: 0xff},
			U32: []impair.U32{{Value: 0x35, Mask: 0xffff, Offset: 20}, {Value: 7, Mask: 0xffffffff}},
		},
		Quality: impair.Quality{
			Delay: 100 * time.Millisecond, Jitter: 10 * time.Millisecond, Distribution: impair.Pareto, Loss: impair.Loss{Chance: impair.Chance{Share: 0.03}},
			Duplication: impair.Chance{Share: 0.01}, Reordering: impair.Chance{Share: 0.02}, Corruption: impair.Chance{Share: 0.01},
			Rate: 10e6, Limit: 50, Seed: 7,
		}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v (%v)\nwant %+v", got, err, want)
	}
	if got, err = askedBy(t, "--loss-burst", "1%,25%,100%,0%"); err != nil || *got.Loss.GilbertElliott != (impair.GilbertElliott{ToBad: 0.01, ToGood: 0.25, LostBad: 1}) {
		t.Errorf("got %+v (%v)", got.Loss, err)
	}
	if got, err = askedBy(t, "--loss-state", "1%,2%,3%,4%,5%"); err != nil || got.Loss.FourState.P14 != 0.05 {
		t.Errorf("got %+v (%v)", got.Loss, err)
	}
}

func TestWrongFlagsAreRefused(t *testing.T) {
	for _, words := range [][]string{
		{"--loss", "much"}, {"--loss", "300%"}, {"--loss-burst", "1%"}, {"--rate", "fast"}, {"--rate", "1T"}, {"--connection", "tcp"},
		{"--connection", "tcp,1.2.3.4,*"}, {"--connection", "tcp,x:1,*"}, {"--connection", "tcp,*:99999,*"}, {"--connection", "ospf,*,*"},
		{"--dscp", "64"}, {"--mark", "x"}, {"--u32", "1/2"}, {"--reorder", "1%"},
	} {
		if _, err := askedBy(t, words...); err == nil {
			t.Errorf("%v is taken", words)
		}
	}
}
