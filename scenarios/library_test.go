package scenarios

import (
	"strings"
	"testing"
)

func TestEveryScenarioIsWellFormed(t *testing.T) {
	all, err := All(Params{})
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, sc := range all {
		if names[sc.Name] || sc.Name == "" || sc.Doc == "" || len(sc.Labels) == 0 || sc.Timeout <= 0 {
			t.Errorf("scenario %+v lacks something, or its name is taken", sc)
		}
		names[sc.Name] = true
	}
	if len(all) < 9 {
		t.Errorf("%d scenarios", len(all))
	}
}

func TestImpossibleParametersAreRefused(t *testing.T) {
	for name, c := range map[string]struct {
		values map[string]string
		says   string
	}{
		"no nodes":        {map[string]string{"nodes": "0"}, "at least 1"},
		"negative rate":   {map[string]string{"rate": "-1"}, "negative"},
		"not a number":    {map[string]string{"pods": "many"}, "whole number"},
		"unknown":         {map[string]string{"colour": "red"}, "unknown parameter"},
		"too many pods":   {map[string]string{"namespaces": "100000", "pods": "1000"}, "addresses for"},
		"more than there": {map[string]string{"pods": "1", "namespaces": "1", "local": "2"}, "local pods"},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := ParseParams(c.values)
			if err == nil {
				_, err = All(p)
			}
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("error %v, want one that says %q", err, c.says)
			}
		})
	}
}
