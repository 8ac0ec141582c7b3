package steer

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"go/format"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"text/template"
	"time"

	"github.com/nodefv/nodefv/workloads/load"
)

var words = regexp.MustCompile(`^[a-z][a-z0-9]*([ -][a-z0-9]+)*$`)

// FileName is the name of the file for a scenario of that name.
func FileName(name string) string {
	return strings.NewReplacer(" ", "_", "-", "_").Replace(name) + ".go"
}

// tail is how long a replay goes on after its last order.
const tail = 3 * time.Second

var source = template.Must(template.New("scenario").Parse(`package scenarios

import (
	"time"

	{{if .Budgets}}"github.com/nodefv/nodefv/workloads/load"
	{{end}}{{if .Impairs}}"github.com/nodefv/nodefv/scenarios/effects"
	{{end}}"github.com/nodefv/nodefv/scenarios/engine"
	"github.com/nodefv/nodefv/scenarios/steer"
)

var _ = register(func(Params) engine.Scenario {
	return steer.Replay({{.Name}}, {{.Stage}}, {{.Lasts}}, []steer.Order{
{{range .Orders}}		{{.}},
{{end}}	})
})
`))

// Source is the Go source of a scenario that does again what was done, each order after the same time, for the folder scenarios of a checkout. What
// could not be done is left out. The name is lower-case words.
func Source(name string, stage Stage, entries []Entry) ([]byte, error) {
	if !words.MatchString(name) {
		return nil, fmt.Errorf("%q is no name: write lower-case words, such as \"slow shop\"", name)
	}
	data := struct {
		Name, Stage, Lasts string
		Orders             []string
		Budgets, Impairs   bool
	}{Name: strconv.Quote(name), Stage: literal(reflect.ValueOf(stage))}
	var last time.Duration
	ours := map[string]bool{Everything: true}                                                                           // what `fv impair` has set nobody sets again
	inOrder := slices.SortedStableFunc(slices.Values(entries), func(a, b Entry) int { return cmp.Compare(a.At, b.At) }) // some are told at their end
	for _, e := range inOrder {
		o := e.Order
		if e.Error != "" || o.Mend != "" && !ours[o.Mend] {
			continue
		}
		if o.Impair != nil {
			ours[o.Impair.Name] = true
		}
		o.After = max(e.At.Round(100*time.Millisecond), 100*time.Millisecond)
		last = max(last, o.After)
		data.Orders = append(data.Orders, strings.TrimPrefix(literal(reflect.ValueOf(o)), "steer.Order"))
		data.Budgets = data.Budgets || o.Traffic != nil && o.Traffic.Budget != (load.Budget{})
		data.Impairs = data.Impairs || o.Impair != nil
	}
	if len(data.Orders) == 0 {
		return nil, errors.New("nothing was done yet that could be done again")
	}
	data.Lasts = duration(last + tail)
	var text bytes.Buffer
	if err := source.Execute(&text, data); err != nil {
		return nil, err
	}
	return format.Source(text.Bytes())
}

// literal is a value as Go writes it, without the fields that are zero.
func literal(v reflect.Value) string {
	switch {
	case v.Kind() == reflect.Pointer && v.Elem().Kind() == reflect.Struct:
		return "&" + literal(v.Elem())
	case v.Kind() == reflect.Pointer:
		return fmt.Sprintf("new(%s(%s))", v.Type().Elem(), literal(v.Elem()))
	case v.Kind() == reflect.Struct:
		var fields []string
		for i := range v.NumField() {
			if f := v.Field(i); !f.IsZero() {
				fields = append(fields, v.Type().Field(i).Name+": "+literal(f))
			}
		}
		return v.Type().String() + "{" + strings.Join(fields, ", ") + "}"
	case v.Type() == reflect.TypeFor[time.Duration]():
		return duration(time.Duration(v.Int()))
	case v.Kind() == reflect.String:
		return strconv.Quote(v.String())
	}
	return fmt.Sprint(v)
}

// duration is a duration as Go writes it.
func duration(d time.Duration) string {
	for _, u := range []struct {
		unit time.Duration
		name string
	}{{time.Minute, "time.Minute"}, {time.Second, "time.Second"}, {time.Millisecond, "time.Millisecond"}, {time.Microsecond, "time.Microsecond"}} {
		if d != 0 && d%u.unit == 0 {
			return fmt.Sprintf("%d*%s", d/u.unit, u.name)
		}
	}
	return fmt.Sprintf("%d*time.Nanosecond", d)
}
