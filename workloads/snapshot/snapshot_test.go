package snapshot

import (
	"cmp"
	"maps"
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

type number int

func (n number) Compare(o number) int { return cmp.Compare(n, o) }

// TestMap wants a map to be as one of Go's after random changes, each version to stay as it was when the next is made, and the
// difference of any two of them to be that of their contents.
func TestMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var m Map[number, int]
		plain := map[number]int{}
		versions, contents := []Map[number, int]{m}, []map[number]int{{}}
		for range rapid.IntRange(0, 60).Draw(t, "changes") {
			k := number(rapid.IntRange(0, 30).Draw(t, "key"))
			if rapid.Bool().Draw(t, "delete") {
				m.Delete(k)
				delete(plain, k)
			} else {
				v := rapid.IntRange(1, 3).Draw(t, "value")
				m.Put(k, v)
				plain[k] = v
			}
			versions, contents = append(versions, m), append(contents, maps.Clone(plain))
		}
		for i, version := range versions {
			checkAgainst(t, version, contents[i], number(rapid.IntRange(-1, 31).Draw(t, "from")))
		}
		i, j := rapid.IntRange(0, len(versions)-1).Draw(t, "was"), rapid.IntRange(0, len(versions)-1).Draw(t, "is")
		got, order := map[number]Difference[int]{}, []number(nil)
		for k, d := range Diff(versions[i], versions[j]) {
			got[k], order = d, append(order, k)
		}
		if want := difference(contents[i], contents[j]); !reflect.DeepEqual(got, want) || !slices.Equal(order, slices.Sorted(maps.Keys(want))) {
			t.Fatalf("the difference is %v, in the order %v, want %v", got, order, want)
		}
		var again Map[number, int]
		for k, v := range plain { // in any order
			again.Put(k, v)
		}
		if !reflect.DeepEqual(m, again) {
			t.Fatal("the same contents make another tree")
		}
	})
}

func checkAgainst(t *rapid.T, m Map[number, int], want map[number]int, from number) {
	if got := maps.Collect(m.All()); !maps.Equal(got, want) || m.Len() != len(want) {
		t.Fatalf("it holds %v, %d in all, want %v", got, m.Len(), want)
	}
	var keys []number
	for k := range m.All() {
		keys = append(keys, k)
	}
	if !slices.IsSorted(keys) {
		t.Fatalf("keys come as %v", keys)
	}
	at, _ := slices.BinarySearch(keys, from)
	var rest []number
	for k := range m.From(from) {
		rest = append(rest, k)
	}
	if !slices.Equal(rest, keys[at:]) || m.Before(from) != at {
		t.Fatalf("from %d on there are %v, %d before; want %v, %d", from, rest, m.Before(from), keys[at:], at)
	}
	for i, k := range keys {
		if got := m.At(i); got != want[k] {
			t.Fatalf("value %d is %d, want %d", i, got, want[k])
		}
	}
	for k := range number(31) {
		got, ok := m.Get(k)
		if v, there := want[k]; got != v || ok != there {
			t.Fatalf("%d is %d, %v; want %d, %v", k, got, ok, v, there)
		}
	}
}

func difference(was, is map[number]int) map[number]Difference[int] {
	all := map[number]Difference[int]{}
	for k := range number(31) {
		if was[k] != is[k] { // none is zero
			all[k] = Difference[int]{was[k], is[k]}
		}
	}
	return all
}

// TestEnds wants loops over a map to end where their bodies say so.
func TestEnds(t *testing.T) {
	var m Map[number, int]
	for k := range number(9) {
		m.Put(k, 1)
	}
	for name, all := range map[string]func(func(number) bool){
		"all":  func(yield func(number) bool) { m.All()(func(k number, _ int) bool { return yield(k) }) },
		"from": func(yield func(number) bool) { m.From(0)(func(k number, _ int) bool { return yield(k) }) },
		"diff": func(yield func(number) bool) {
			Diff(Map[number, int]{}, m)(func(k number, _ Difference[int]) bool { return yield(k) })
		},
	} {
		n := 0
		for range all {
			if n++; n == 3 {
				break
			}
		}
		if n != 3 {
			t.Errorf("%s: %d steps", name, n)
		}
	}
}

// BenchmarkPut shows that a change costs the same in a map of any size, and so does the difference that it makes.
func BenchmarkPut(b *testing.B) {
	var m Map[number, int]
	for k := range number(200_000) {
		m.Put(k, 1)
	}
	for i := 0; b.Loop(); i++ {
		next := m
		next.Put(number(i*7919%200_000), i+2)
		for range Diff(m, next) {
		}
		m = next
	}
}
