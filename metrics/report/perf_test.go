package report

import (
	"bytes"
	"encoding/json"
	"os"
	"path"
	"regexp"
	"strings"
	"testing"

	"github.com/nodefv/nodefv/metrics"
)

// perfRecord is the sample with a step that comes to rest, in a cluster of some size.
func perfRecord() Record {
	rec := sample()
	rec.Run.Parameters = map[string]string{"pods": "400", "dataplane": "iptables"}
	rec.Points = append(rec.Points, metrics.Point{
		At: at(13.5), Phase: metrics.Phase{Scenario: "local endpoints", Step: "delete", Cycle: 2, Settled: true},
		Values: metrics.Snapshot{metrics.HeapBytes: 9 << 20, metrics.Endpoints: 12},
	})
	return rec
}

// documents returns what Calico's send-perf-results would send, by file: it parses each .json of a folder of artifacts/perf as an object.
func documents(t *testing.T, rec Record) map[string]map[string]any {
	t.Helper()
	all := map[string]map[string]any{}
	for _, f := range perf(rec) {
		var b bytes.Buffer
		if err := f.Write(&b, rec); err != nil {
			t.Fatal(err)
		}
		var doc map[string]any
		if err := json.Unmarshal(b.Bytes(), &doc); err != nil {
			t.Fatal(err)
		}
		if all[f.File()] != nil {
			t.Errorf("two documents are called %s", f.File())
		}
		all[f.File()] = doc
	}
	return all
}

// TestDocumentsAreAsTheirReaderWantsThem holds what hack/perf of Calico's repository asks of a producer: a file for each measurement in a folder
// for each family, named as an index may be; scalars alone; test_name, ok, and error unless it is; iter a whole number; and none of the fields that
// the tool adds.
func TestDocumentsAreAsTheirReaderWantsThem(t *testing.T) {
	place := regexp.MustCompile(`^artifacts/perf/benchmark_data_[a-z_]+/[^/]+\.json$`)
	for file, doc := range documents(t, perfRecord()) {
		if !place.MatchString(file) {
			t.Errorf("%s is not where it is looked for", file)
		}
		for name, v := range doc {
			switch v.(type) {
			case string, float64, bool:
			default:
				t.Errorf("%s: %s is a %T", file, name, v)
			}
		}
		for _, name := range []string{"@timestamp", "git_commit", "git_branch", "code_version", "ci_run_id", "pr_number", "env"} {
			if _, there := doc[name]; there {
				t.Errorf("%s sets %s, which is the tool's", file, name)
			}
		}
		if doc["test_name"] == "" || doc["phase"] == "" {
			t.Errorf("%s has no name or phase: %v", file, doc)
		}
		if ok, isBool := doc["ok"].(bool); !isBool || ok == (doc["error"] != nil) {
			t.Errorf("%s: ok is %v, error %v", file, doc["ok"], doc["error"])
		}
	}
}

func TestDocumentsSayWhatTheRecordSays(t *testing.T) {
	all := documents(t, perfRecord())
	folder := perfFolder
	for file, want := range map[string]map[string]any{
		folder + "scenario/scenario-local-endpoints.json": {
			"test_name": "local endpoints", "ok": true, "total_ms": 10250.0, "peak_heap_bytes": 11534336.0, "cpu_seconds": 3.0, "scale_pods": 400.0, "dataplane": "iptables", "target_version": "v3.31.0",
		},
		folder + "scenario/scenario-policy-churn.json":                                {"ok": false, "verdict": "fail", "error": "connections differ"},
		folder + "measurement/measurement-local-endpoints-established-flows-cut.json": {"phase": "established flows cut", "label_protocol": "TCP", "n": 2.0, "without": 1.0, "p50_ms": 40.0, "max_ms": 60.0},
		folder + "measurement/measurement-local-endpoints-left-over.json":             {"p50": 3.0},
		folder + "settled/settled-local-endpoints-delete-2.json":                      {"phase": "delete", "iter": 2.0, "test_step": "settled_2", "heap_bytes": float64(9 << 20)},
	} {
		for name, v := range want {
			if got := all[file][name]; got != v {
				t.Errorf("%s: %s is %v, want %v", file, name, got, v)
			}
		}
	}
}

// TestEveryFieldHasItsType wants the index templates to know every field, so that no document is refused for the type that another one gave a field.
func TestEveryFieldHasItsType(t *testing.T) {
	for file, doc := range documents(t, perfRecord()) {
		family := path.Base(path.Dir(file))
		text, err := os.ReadFile("../../docs/perf-templates/" + family + ".json")
		if err != nil {
			t.Fatal(err)
		}
		var index struct {
			Patterns []string `json:"index_patterns"`
			Template struct {
				Mappings struct {
					Properties map[string]struct{ Type string }
					Dynamic    []map[string]struct {
						Of      string `json:"match_mapping_type"`
						Mapping struct{ Type string }
					} `json:"dynamic_templates"`
				}
			}
		}
		if err := json.Unmarshal(text, &index); err != nil {
			t.Fatal(err)
		}
		if len(index.Patterns) != 1 || index.Patterns[0] != family+"_*" {
			t.Errorf("the template of %s is for %v", family, index.Patterns)
		}
		dynamic := map[string]string{}
		for _, rule := range index.Template.Mappings.Dynamic {
			for _, r := range rule {
				dynamic[r.Of] = r.Mapping.Type
			}
		}
		for name, v := range doc {
			known, is := index.Template.Mappings.Properties[name].Type, ""
			switch v := v.(type) {
			case string:
				is, known = "keyword", strings.TrimSpace(known+" "+dynamic["string"])
			case bool:
				is = "boolean"
			case float64:
				is = "double"
				if name == "iter" && v == float64(int(v)) {
					is = "integer"
				}
				if known == "" {
					known = dynamic["long"]
				}
			}
			if !strings.Contains(known, is) {
				t.Errorf("%s: %s is a %s, its template says %q", file, name, is, known)
			}
		}
	}
}
