package fuzz

import (
	"bytes"
	"fmt"
	"go/format"
	"net/netip"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/util/intstr"
)

// sourceImports are the packages of what operations are made of, as the library's files name them.
var sourceImports = map[string]string{
	"net/netip":                                    "",
	"k8s.io/api/core/v1":                           "corev1",
	"k8s.io/api/networking/v1":                     "networkingv1",
	"k8s.io/apimachinery/pkg/apis/meta/v1":         "metav1",
	"k8s.io/apimachinery/pkg/util/intstr":          "",
	"sigs.k8s.io/network-policy-api/apis/v1alpha2": "policyv1alpha2",
	"github.com/nodefv/nodefv/scenarios/engine":    "",
	"github.com/nodefv/nodefv/scenarios/fuzz":      "",
	"github.com/nodefv/nodefv/workloads":           "",
}

// Source returns a file of the library's that does what the record says, formatted.
func Source(r Repro) ([]byte, error) {
	l := &literals{used: map[string]bool{"github.com/nodefv/nodefv/scenarios/engine": true, "github.com/nodefv/nodefv/scenarios/fuzz": true}}
	var body bytes.Buffer
	fmt.Fprintf(&body, "// %s\nvar _ = register(func(Params) engine.Scenario {\n", strings.Join(r.comment(), "\n// "))
	fmt.Fprintf(&body, "return fuzz.Scenario(%q, %q, %s)\n})\n", fmt.Sprintf("fuzz: seed %d", r.Seed),
		"Operations that once led to a wrong state; everything is compared after each batch.", l.value(reflect.ValueOf(r.Batches), false))
	var file bytes.Buffer
	file.WriteString("package scenarios\n\nimport (\n")
	for _, ours := range []int{0, 1, 2} {
		for _, path := range slices.Sorted(func(yield func(string) bool) {
			for p := range l.used {
				if group(p) == ours && !yield(p) {
					return
				}
			}
		}) {
			fmt.Fprintf(&file, "%s %q\n", sourceImports[path], path)
		}
		file.WriteString("\n")
	}
	file.WriteString(")\n\n")
	file.Write(body.Bytes())
	text, err := format.Source(file.Bytes())
	if err != nil {
		return nil, fmt.Errorf("write the scenario: %w", err)
	}
	return text, nil
}

// group orders imports: the standard library's, others', our own.
func group(path string) int {
	switch {
	case strings.HasPrefix(path, "github.com/nodefv/"):
		return 2
	case strings.Contains(path, "."):
		return 1
	}
	return 0
}

// comment says what was found, and what is to be done where the scenario is kept.
func (r Repro) comment() []string {
	lines := []string{fmt.Sprintf("Found by `fv fuzz --seed %d` on %s, %s; it failed %d times of %d.", r.Seed, r.Target.Name, r.Target.DataPlane, r.Shrunk.Failed, r.Shrunk.Tried)}
	if r.Plant != "" {
		lines = append(lines, "The fault was planted: "+r.Plant+".")
	}
	if r.Failure.Died {
		lines = append(lines, strings.Map(oneLine, r.Failure.Error))
	}
	what := r.Failure.Probe
	for i, d := range r.Failure.Differences {
		if i == 5 {
			break
		}
		lines = append(lines, strings.Map(oneLine, fmt.Sprintf("%s: %s: want %q, got %q", what, d.Fact, d.Want, d.Got)))
	}
	return append(lines, "Give it a name that says what it proves, and a row in docs/scenarios.md.")
}

func oneLine(c rune) rune {
	if c == '\n' || c == '\r' {
		return ' '
	}
	return c
}

// literals writes values as Go, and remembers the packages that it named.
type literals struct{ used map[string]bool }

func (l *literals) name(t reflect.Type) string {
	if t.PkgPath() == "" {
		switch t.Kind() {
		case reflect.Slice:
			return "[]" + l.name(t.Elem())
		case reflect.Map:
			return "map[" + l.name(t.Key()) + "]" + l.name(t.Elem())
		}
		return t.String()
	}
	l.used[t.PkgPath()] = true
	short := sourceImports[t.PkgPath()]
	if short == "" {
		short = t.PkgPath()[strings.LastIndexByte(t.PkgPath(), '/')+1:]
	}
	return short + "." + t.Name()
}

// value writes v; elided: its type follows from what it is in.
func (l *literals) value(v reflect.Value, elided bool) string {
	switch x := v.Interface().(type) {
	case netip.Addr:
		l.used["net/netip"] = true
		return fmt.Sprintf("netip.MustParseAddr(%q)", x)
	case intstr.IntOrString:
		l.used["k8s.io/apimachinery/pkg/util/intstr"] = true
		if x.Type == intstr.String {
			return fmt.Sprintf("intstr.FromString(%q)", x.StrVal)
		}
		return fmt.Sprintf("intstr.FromInt32(%d)", x.IntVal)
	case Verb:
		return "fuzz." + strings.ReplaceAll(titled(string(x)), " ", "")
	}
	switch v.Kind() {
	case reflect.Pointer:
		if v.Elem().Kind() == reflect.Struct && v.Elem().Type() != reflect.TypeFor[intstr.IntOrString]() {
			return "&" + l.value(v.Elem(), false)
		}
		if v.Elem().Kind() == reflect.Struct {
			return "new(" + l.value(v.Elem(), false) + ")"
		}
		return "new(" + l.name(v.Elem().Type()) + "(" + l.value(v.Elem(), true) + "))"
	case reflect.String:
		return strconv.Quote(v.String())
	case reflect.Bool:
		return strconv.FormatBool(v.Bool())
	case reflect.Int, reflect.Int32, reflect.Int64:
		return strconv.FormatInt(v.Int(), 10)
	case reflect.Uint16:
		return strconv.FormatUint(v.Uint(), 10)
	}
	return l.composite(v, elided)
}

func titled(words string) string {
	all := strings.Fields(words)
	for i, w := range all {
		all[i] = strings.ToUpper(w[:1]) + w[1:]
	}
	return strings.Join(all, " ")
}

func (l *literals) composite(v reflect.Value, elided bool) string {
	var parts []string
	separator := ", "
	switch v.Kind() {
	case reflect.Slice:
		for i := range v.Len() {
			parts = append(parts, l.value(v.Index(i), true))
		}
		if v.Len() > 0 && (v.Type() == reflect.TypeFor[[]Op]() || v.Type() == reflect.TypeFor[[][]Op]()) {
			return l.named(v.Type(), elided) + "{\n" + strings.Join(parts, ",\n") + ",\n}"
		}
	case reflect.Map:
		for _, k := range slices.SortedFunc(slices.Values(v.MapKeys()), func(a, b reflect.Value) int { return strings.Compare(a.String(), b.String()) }) {
			parts = append(parts, strconv.Quote(k.String())+": "+l.value(v.MapIndex(k), true))
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if !v.Field(i).IsZero() {
				parts = append(parts, v.Type().Field(i).Name+": "+l.value(v.Field(i), false))
			}
		}
	}
	return l.named(v.Type(), elided) + "{" + strings.Join(parts, separator) + "}"
}

func (l *literals) named(t reflect.Type, elided bool) string {
	if elided {
		return ""
	}
	return l.name(t)
}
