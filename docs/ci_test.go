package docs

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// ciJob is what we use of a job of GitLab's; a key that is none of these is taken for a slip of the pen.
type ciJob struct {
	Stage     string            `json:"stage"`
	Tags      []string          `json:"tags"`
	Timeout   string            `json:"timeout"`
	Variables map[string]string `json:"variables"`
	Script    []string          `json:"script"`
	Cache     struct {
		Key   string   `json:"key"`
		Paths []string `json:"paths"`
	} `json:"cache"`
	Retry struct {
		Max       int   `json:"max"`
		ExitCodes []int `json:"exit_codes"`
	} `json:"retry"`
	Artifacts struct {
		When    string            `json:"when"`
		Paths   []string          `json:"paths"`
		Reports map[string]string `json:"reports"`
	} `json:"artifacts"`
}

func TestSampleForGitLab(t *testing.T) {
	text, err := os.ReadFile("ci-gitlab.yml")
	if err != nil {
		t.Fatal(err)
	}
	jobs := map[string]ciJob{}
	if err := yaml.UnmarshalStrict(text, &jobs); err != nil {
		t.Fatal(err)
	}
	if len(jobs) == 0 {
		t.Fatal("it has no job")
	}
	for name, job := range jobs {
		runs := slices.DeleteFunc(slices.Clone(job.Script), func(line string) bool { return !strings.HasPrefix(line, "scripts/") })
		if len(runs) == 0 || !slices.Equal(job.Retry.ExitCodes, []int{3}) || job.Artifacts.When != "always" || strings.ContainsAny(job.Cache.Key, "/%") {
			t.Errorf("%s: %+v", name, job)
		}
		for _, line := range runs {
			callsOurs(t, line)
		}
		ourVariables(t, slices.Collect(maps.Keys(job.Variables)))
		record, err := os.ReadFile("reference/record.md")
		if file := filepath.Base(job.Artifacts.Reports["junit"]); err != nil || !strings.Contains(string(record), "`"+file+"`") {
			t.Errorf("%s: the record has no file %s (%v)", name, file, err)
		}
	}
}

func TestSampleForGitHub(t *testing.T) {
	text, err := os.ReadFile("ci-github-actions.yml")
	if err != nil {
		t.Fatal(err)
	}
	var flow struct {
		Jobs map[string]struct {
			Steps []struct {
				Run string            `json:"run"`
				Env map[string]string `json:"env"`
			} `json:"steps"`
		} `json:"jobs"`
	}
	if err := yaml.Unmarshal(text, &flow); err != nil { // actionlint knows its keys (make lint)
		t.Fatal(err)
	}
	runs := 0
	for _, job := range flow.Jobs {
		for _, step := range job.Steps {
			if step.Run != "" {
				runs++
				callsOurs(t, step.Run)
			}
			ourVariables(t, slices.Collect(maps.Keys(step.Env)))
		}
	}
	if runs == 0 {
		t.Error("it runs nothing")
	}
}

// callsOurs wants a line of a sample to call a script that is there, and a command with flags that it has.
func callsOurs(t *testing.T, line string) {
	t.Helper()
	words := strings.Fields(line)
	info, err := os.Stat(filepath.Join(root, words[0]))
	if err != nil || info.Mode()&0o111 == 0 {
		t.Errorf("%q: %s can't be called (%v)", line, words[0], err)
	}
	commands, err := os.ReadFile("reference/commands.md")
	if err != nil || len(words) < 2 {
		t.Fatal(line, err)
	}
	_, section, ok := strings.Cut(string(commands), "\n## fv "+words[1]+"\n")
	section, _, _ = strings.Cut(section, "\n## ")
	if !ok {
		t.Errorf("%q: there is no command fv %s", line, words[1])
	}
	for _, word := range words[2:] {
		flag, _, _ := strings.Cut(word, "=")
		if strings.HasPrefix(flag, "--") && !regexp.MustCompile(`(^|[^\w-])`+flag+`($|[^\w-])`).MatchString(section) {
			t.Errorf("%q: fv %s has no flag %s", line, words[1], flag)
		}
	}
}

// ourVariables wants the variables of a sample that are ours to be told of where they are read.
func ourVariables(t *testing.T, names []string) {
	t.Helper()
	makefile, err := os.ReadFile(filepath.Join(root, "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if strings.HasPrefix(name, "FV_") && !strings.Contains(string(makefile), name) {
			t.Errorf("nobody reads %s", name)
		}
	}
}
