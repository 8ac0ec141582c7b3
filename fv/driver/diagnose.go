package driver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/pager"
	"sigs.k8s.io/yaml"

	"github.com/nodefv/nodefv/metrics/report"
	"github.com/nodefv/nodefv/scenarios/effects"
	"github.com/nodefv/nodefv/scenarios/engine"
	"github.com/nodefv/nodefv/workloads"
)

// diagnoses are the commands whose output an engineer wants to see beside a failed scenario.
var diagnoses = map[string][]string{
	"links.txt":           {"ip", "-d", "-s", "link"},
	"addresses.txt":       {"ip", "addr"},
	"routes.txt":          {"ip", "route", "show", "table", "all"},
	"rules.txt":           {"ip", "rule"},
	"neighbours.txt":      {"ip", "neigh"},
	"iptables-nft.txt":    {"iptables-nft-save", "-c"},
	"iptables-legacy.txt": {"iptables-legacy-save", "-c"},
	"ip6tables-nft.txt":   {"ip6tables-nft-save", "-c"},
	"nftables.txt":        {"nft", "list", "ruleset"},
	"ipsets.txt":          {"ipset", "list"},
	"conntrack.txt":       {"conntrack", "-L"},
}

// diagnose writes what is known of the node, the API and the SUT to dir, each in a file of its own. What can't be had is
// reported at the end and stops nothing.
func (d *Driver) diagnose(ctx context.Context, dir string) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("diagnose: %w", err)
	}
	var failed []error
	for file, args := range diagnoses {
		out, err := exec.CommandContext(ctx, args[0], args[1:]...).CombinedOutput()
		if err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", strings.Join(args, " "), err))
		}
		failed = append(failed, os.WriteFile(filepath.Join(dir, file), out, 0o644))
	}
	for _, profile := range []string{"heap", "goroutine"} {
		url := fmt.Sprintf("http://127.0.0.1:%d/debug/pprof/%s", d.handoff.Target.DebugPort, profile)
		failed = append(failed, fetch(ctx, url, filepath.Join(dir, profile+".pprof")))
	}
	if d.configuration != nil {
		failed = append(failed, writeJSON(filepath.Join(dir, "configuration.json"), d.configuration.Config()))
	}
	failed = append(failed, d.dumpAPI(ctx, filepath.Join(dir, "api-objects.yaml")))
	return errors.Join(failed...)
}

// matrixPods is how many local pods, and how many remote ones, the table of connections has.
const matrixPods = 20

// writeMatrix tries all flows between a choice of pods, and writes what differs from the policies, to dir and to the record.
func (d *Driver) writeMatrix(ctx context.Context, w *engine.World, scenario, dir string) error {
	if _, ok := w.Effects.(*effects.Set); !ok {
		return nil // it says nothing of connections between pods
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	m, err := effects.TryMatrix(ctx, w, matrixPods)
	if err != nil {
		return fmt.Errorf("try all connections: %w", err)
	}
	d.write(report.Entry{Scenario: scenario, Connections: m.Record()})
	return os.WriteFile(filepath.Join(dir, "connections.txt"), []byte(m.String()), 0o644)
}

func writeJSON(path string, what any) error {
	text, err := json.MarshalIndent(what, "", "  ")
	if err != nil {
		return fmt.Errorf("write %s: %w", filepath.Base(path), err)
	}
	return os.WriteFile(path, text, 0o644)
}

func fetch(ctx context.Context, url, path string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return fmt.Errorf("read %s: %w", url, err)
	}
	return os.WriteFile(path, body, 0o644)
}

// dumpAPI writes the objects of the run that a scenario can change, one after the other: there may be tens of thousands.
func (d *Driver) dumpAPI(ctx context.Context, path string) (err error) {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	for _, kind := range workloads.Kinds() {
		if !d.serves(kind) {
			continue
		}
		list := pager.New(pager.SimplePageFunc(func(o metav1.ListOptions) (runtime.Object, error) { return kind.List(ctx, d.clients(), o) }))
		failed := list.EachListItem(ctx, metav1.ListOptions{}, func(object runtime.Object) error {
			text, err := yaml.Marshal(object)
			if err == nil {
				_, err = fmt.Fprintf(file, "--- # %T\n%s", object, text)
			}
			return err
		})
		if failed != nil {
			err = errors.Join(err, fmt.Errorf("list each %s: %w", kind.Word(), failed))
		}
	}
	return err
}
