package harness

import "testing"

func TestNearest(t *testing.T) {
	known := []string{"run", "replay", "pod churn", "policy churn", "focus"}
	for word, want := range map[string]string{
		"rnu": "run", "Run": "run", "pod chrun": "pod churn", "policychurn": "policy churn", "fokus": "focus", "relay": "replay", "feathers": "", "x": "", "": "",
	} {
		if got := Nearest(word, known); got != want {
			t.Errorf("%q: got %q, want %q", word, got, want)
		}
	}
	for _, c := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"", "abc", 3}, {"abc", "acb", 1}, {"kitten", "sitting", 3}} {
		if got := distance(c.a, c.b); got != c.want || distance(c.b, c.a) != got {
			t.Errorf("%q to %q: %d", c.a, c.b, got)
		}
	}
}
