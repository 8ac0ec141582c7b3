// Package fv is the suite: an ordinary Ginkgo v2 suite with one spec per scenario, compiled to fv.test and run by the
// harness inside the network namespace of the SUT's node. It is the only place with Ginkgo and Gomega.
package fv

import (
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"testing"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/nodefv/nodefv/fv/driver"
	"github.com/nodefv/nodefv/infra"
	"github.com/nodefv/nodefv/metrics"
	"github.com/nodefv/nodefv/scenarios"
	"github.com/nodefv/nodefv/scenarios/engine"
	"github.com/nodefv/nodefv/workloads"
)

// suite is nil where it was not started by the harness: then it can list its specs and nothing else.
var suite *driver.Driver

// TestMain lets the binary pass an order on to the one that is at work, instead of running anything.
func TestMain(m *testing.M) {
	if order := os.Getenv(infra.ControlEnv); order != "" {
		if err := driver.Control([]byte(order), os.Getenv(infra.ControlJSONEnv) != "", os.Stdout); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

func TestFV(t *testing.T) {
	RegisterFailHandler(Fail)
	if suite == nil && strings.Contains(os.Getenv("FV_REQUIRE"), "fv") {
		t.Fatalf("FV_REQUIRE asks for the fv tier: run `make fv`, which sets %s", infra.HandoffEnv)
	}
	RunSpecs(t, "nodefv")
}

var _ = BeforeSuite(func(ctx SpecContext) {
	if suite == nil {
		Skip("not inside a node's network namespace: run `make fv`, or `fv test` against a kept environment")
	}
	Expect(suite.Open(ctx)).To(Succeed())
	DeferCleanup(suite.Close)
})

var _ = ReportBeforeSuite(func(r Report) {
	if suite != nil {
		suite.Expect(r.PreRunStats.SpecsThatWillRun)
	}
})

// One spec per scenario, with no container around them, so that the whole text of a spec, which --focus matches, is the scenario's name.
func init() {
	all, err := selection()
	if err != nil {
		It("is well-formed", func() { Fail(err.Error()) })
		return
	}
	for _, sc := range all {
		It(sc.Name, labelsOf(sc), priority(sc), NodeTimeout(sc.Timeout+driver.UndoGrace), func(ctx SpecContext) {
			verdict, reason := suite.Run(ctx, sc)
			switch verdict {
			case metrics.Pass:
			case metrics.Skip:
				Skip(reason)
			default:
				Fail(verdict.String() + ": " + reason)
			}
		})
	}
}

// priority lets scenarios that take seconds come before those that take long, if the harness asks for it: a run that ends at the first failure ends
// sooner. Else the seed alone decides.
func priority(sc engine.Scenario) SpecPriority {
	long := slices.ContainsFunc(sc.Labels, func(l engine.Label) bool { return l == scenarios.Churn || l == scenarios.Scale }) || slices.Contains(sc.Needs, workloads.Restarts)
	if suite != nil && suite.Handoff().QuickFirst && !long {
		return 1
	}
	return 0
}

// selection reads the handoff, if there is one, and returns what it asks for.
func selection() ([]engine.Scenario, error) {
	path := os.Getenv(infra.HandoffEnv)
	if path == "" {
		return scenarios.All(scenarios.Params{})
	}
	h, err := infra.ReadHandoff(path)
	if err != nil {
		return nil, err
	}
	suite = driver.New(h, os.Stdout)
	interrupts := make(chan os.Signal, 1)
	signal.Notify(interrupts, infra.InterruptSignal)
	go func() {
		<-interrupts
		suite.Interrupt()
	}()
	go func() {
		if infra.AwaitAbandoned(h.Out) == nil { // nobody would ever end it
			suite.Interrupt()
		}
	}()
	return suite.Scenarios()
}

func labelsOf(sc engine.Scenario) Labels {
	labels := Labels{}
	return append(labels, sc.LabelNames()...)
}
