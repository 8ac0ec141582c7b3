package infra

import (
	"context"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// talker is an agent that logs what it is told to.
type talker struct {
	Container
	log strings.Builder
}

func (a *talker) Logs(_ context.Context, w io.Writer, _ bool) error {
	_, err := io.WriteString(w, a.log.String())
	return err
}

// complainer is a target whose agent says "lack" and what it lacks.
type complainer struct{ fakeTarget }

func (complainer) VersionIn([]byte) string { return "" }

func (complainer) LacksIn(log []byte) string {
	if strings.Contains(string(log), "lack") {
		return "it lacks something"
	}
	return ""
}

func TestLacksOfAnAgent(t *testing.T) {
	for name, c := range map[string]struct {
		complains func(second int) bool
		told      bool
	}{
		"never":                    {func(int) bool { return false }, false},
		"at its start alone":       {func(s int) bool { return s < 2 }, false},
		"now and then":             {func(s int) bool { return s%8 == 0 }, false},
		"all the time":             {func(int) bool { return true }, true},
		"each other second":        {func(s int) bool { return s%2 == 0 }, true},
		"from the fifteenth on":    {func(s int) bool { return s > 15 }, true},
		"from the twenty-fifth on": {func(s int) bool { return s > 25 }, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				agent, told := &talker{}, false
				learned := learner(complainer{}, agent)
				for second := range 30 {
					agent.log.WriteString("busy\n")
					if c.complains(second) {
						agent.log.WriteString("lack\n")
					}
					_, lacks := learned(t.Context(), false)
					told = told || lacks != ""
					time.Sleep(learnInterval)
				}
				if told != c.told {
					t.Errorf("told: %v, want %v", told, c.told)
				}
			})
		})
	}
}
