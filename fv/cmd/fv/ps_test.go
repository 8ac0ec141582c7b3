package main

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nodefv/nodefv/fv/harness"
	"github.com/nodefv/nodefv/infra"
)

func TestEnvironmentsTable(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	var out strings.Builder
	err := environments(&out, []harness.Environment{
		{Run: "a", Target: "felix", Version: "v3.31.0", Runtime: "docker", Created: now.Add(-90 * time.Minute), State: harness.Kept, Owner: "ann", Access: &infra.Access{Kubeconfig: "/k"}},
		{Run: "b", Target: "felix", Runtime: "local", Created: now.Add(-5 * time.Second), State: harness.UnderWay, Owner: "root", PID: 7, Access: &infra.Access{Inside: true}},
		{Run: "d", Target: "felix", Runtime: "local", Created: now.Add(-5 * time.Second), State: harness.Kept, Owner: "root", Access: &infra.Access{Inside: true}},
		{Run: "c", Runtime: "docker", Created: now.Add(-72 * time.Hour), State: harness.Orphan, Owner: "another user"},
	}, now)
	want := `RUN  TARGET         RUNTIME  AGE    OWNER         STATE
a    felix v3.31.0  docker   1h30m  ann           kept
  KUBECONFIG=/k
b    felix          local    5s     root          under way (7)
d    felix          local    5s     root          kept
  fv exec -t --run d -- bash
c                   docker   3d     another user  orphan
`
	if err != nil || out.String() != want {
		t.Errorf("%v\n%s\nwant\n%s", err, out.String(), want)
	}
}

func TestWhich(t *testing.T) {
	runs := []string{"a", "b", "c"}
	for answers, want := range map[string][]string{"2\n": {"b"}, "1, 3\n": {"a", "c"}, "all\n": runs, "\n": nil, "4\nx\n1\n": {"a"}, "": nil} {
		got, err := which(strings.NewReader(answers), new(strings.Builder), runs)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%q: %v, %v", answers, got, err)
		}
	}
}
