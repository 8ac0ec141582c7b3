package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/invopop/jsonschema"
	validator "github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/nodefv/nodefv/metrics"
)

// schemaFile is where the schema of run.json stands, as seen from this folder.
const schemaFile = "../../docs/run.schema.json"

// enums are the types of which a record knows a few words alone.
var enums = map[reflect.Type][]any{
	reflect.TypeFor[metrics.Verdict](): {metrics.Inconclusive.String(), metrics.Pass.String(), metrics.Fail.String(), metrics.Skip.String()},
	reflect.TypeFor[FindingKind]():     {Expectation, Life, Harness, Overflow, Impairment},
}

// schema makes the schema of the record from its types and their comments.
func schema(t *testing.T) []byte {
	t.Helper()
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir("../..") // the reflector takes paths for packages
	r := jsonschema.Reflector{Mapper: func(of reflect.Type) *jsonschema.Schema {
		if words := enums[of]; words != nil {
			return &jsonschema.Schema{Type: "string", Enum: words}
		}
		if of == reflect.TypeFor[metrics.HDR]() {
			return &jsonschema.Schema{Type: "string"}
		}
		return nil
	}}
	if err := r.AddGoComments("github.com/nodefv/nodefv", "./metrics", jsonschema.WithFullComment()); err != nil {
		t.Fatal(err)
	}
	t.Chdir(here)
	for of, comment := range r.CommentMap {
		r.CommentMap[of] = strings.Join(strings.Fields(comment), " ")
	}
	s := r.Reflect(Record{})
	s.ID = "https://github.com/nodefv/nodefv/docs/run.schema.json"
	s.Title = fmt.Sprintf("The record of a run, schema %d", Schema)
	for name, def := range s.Definitions {
		for p := def.Properties.Oldest(); p != nil; p = p.Next() {
			if p.Value.Description == "" && p.Value.Ref == "" && (p.Value.Items == nil || p.Value.Items.Ref == "") {
				t.Errorf("%s.%s is not described: write a comment on the field", name, p.Key)
			}
		}
	}
	text, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return append(text, '\n')
}

func TestSchemaIsCurrent(t *testing.T) {
	got := schema(t)
	if *update {
		if err := os.WriteFile(schemaFile, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(schemaFile)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is not that of the types; go test ./metrics/report -update writes it anew", schemaFile)
	}
}

// TestRecordsFitTheSchema holds the schema against records that were written, and one in which every field is set.
func TestRecordsFitTheSchema(t *testing.T) {
	compiled, err := validator.NewCompiler().Compile(schemaFile)
	if err != nil {
		t.Fatal(err)
	}
	records := map[string][]byte{"every field": written(t, full()), "no field": written(t, Record{Scenarios: []Scenario{}})}
	files, err := filepath.Glob("../../scenarios/*/testdata/*/run.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range append(files, "testdata/run.json") {
		if records[file], err = os.ReadFile(file); err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range records {
		record, err := validator.UnmarshalJSON(bytes.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		if err := compiled.Validate(record); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, spoilt := range map[string]map[string]any{
		"an unknown field": {"more": 1}, "another verdict": {"verdict": "good"}, "scenarios of another shape": {"scenarios": "none"},
	} {
		var record map[string]any
		if err := json.Unmarshal(records["every field"], &record); err != nil {
			t.Fatal(err)
		}
		maps.Copy(record, spoilt)
		if compiled.Validate(record) == nil {
			t.Errorf("the schema admits %s", name)
		}
	}
}

// TestEveryFieldIsSet makes sure that the record of TestRecordsFitTheSchema tests all that the schema says.
func TestEveryFieldIsSet(t *testing.T) {
	var names struct {
		Defs map[string]struct {
			Properties map[string]any `json:"properties"`
		} `json:"$defs"`
	}
	if err := json.Unmarshal(schema(t), &names); err != nil {
		t.Fatal(err)
	}
	text := written(t, full())
	for def, of := range names.Defs {
		for property := range of.Properties {
			if !bytes.Contains(text, []byte(`"`+property+`":`)) {
				t.Errorf("%s.%s is not in the full record", def, property)
			}
		}
	}
}

func written(t *testing.T, rec Record) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := (JSON{}).Write(&b, rec); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// full is a record with every field set.
func full() Record {
	var rec Record
	fill(reflect.ValueOf(&rec).Elem())
	rec.Schema = Schema
	return rec
}

// fill sets a value, and all within it.
func fill(v reflect.Value) {
	switch v.Interface().(type) {
	case time.Time:
		v.Set(reflect.ValueOf(at(1)))
		return
	case metrics.HDR:
		v.Set(reflect.ValueOf(metrics.NewHistogram(1, 100).HDR))
		return
	}
	if words := enums[v.Type()]; words != nil {
		word := reflect.ValueOf(words[1])
		if v.Kind() == reflect.Int {
			word = reflect.ValueOf(slices.Index(words, words[1]))
		}
		v.Set(word.Convert(v.Type()))
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i))
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem())
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0))
	case reflect.Map:
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		fill(key)
		fill(value)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(key, value)
	case reflect.String:
		v.SetString("word")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(1)
	case reflect.Uint64:
		v.SetUint(1)
	case reflect.Float64:
		v.SetFloat(1)
	default:
		panic(fmt.Sprintf("the record has a field of type %v", v.Type()))
	}
}
