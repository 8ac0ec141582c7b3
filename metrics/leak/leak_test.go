package leak

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/nodefv/nodefv/metrics"
)

const (
	kib = 1 << 10
	mib = 1 << 20
)

// wander makes n readings of a gauge without a leak: standard deviation sd, correlation phi from one cycle to the next.
func wander(r *rand.Rand, n int, sd, phi float64) []float64 {
	y := make([]float64, n)
	at := r.NormFloat64()
	for i := range y {
		at = phi*at + math.Sqrt(1-phi*phi)*r.NormFloat64()
		y[i] = 80*mib + sd*at
	}
	return y
}

func counting(n int) []float64 {
	x := make([]float64, n)
	for i := range x {
		x[i] = float64(i + 1)
	}
	return x
}

func leaking(y []float64, perCycle float64) []float64 {
	for i := range y {
		y[i] += perCycle * float64(i)
	}
	return y
}

// untilSure judges readings as a run does that ends when a look says enough.
func untilSure(q Question, y []float64, gauges int) (a Answer) {
	x := counting(len(y))
	for n := range len(y) + 1 {
		if k := Look(n); k > 0 {
			if a = Judge(q, x[:n], y[:n], Spend(gauges, k)); a.Verdict != metrics.Inconclusive {
				break
			}
		}
	}
	return a
}

// TestFalseAlarms wants runs without a leak that look again and again to keep Alpha, for heap that wanders by 5 MiB: of white noise, and of noise
// that needs several cycles to come back. What counts is every interval at every look, whatever the run would have made of it.
func TestFalseAlarms(t *testing.T) {
	const runs, most = 10000, 48
	x := counting(most)
	for _, phi := range []float64{0, 0.8} {
		r := rand.New(rand.NewPCG(1, 2))
		wrong := 0
		for range runs {
			y := wander(r, most, 5*mib, phi)
			for n := MinCycles; n <= most; n = NextLook(n) {
				if a := Judge(Question{}, x[:n], y[:n], Spend(1, Look(n))); a.Low > 0 || a.High < 0 {
					wrong++
					break
				}
			}
		}
		t.Logf("correlation %v: %d of %d runs had a wrong interval at some look", phi, wrong, runs)
		if limit := Alpha*runs + 3*math.Sqrt(Alpha*runs); float64(wrong) > limit {
			t.Errorf("correlation %v: %d of %d runs, want at most %.0f", phi, wrong, runs, limit)
		}
	}
}

// TestSeveralGauges wants a run that judges five gauges at once, of which each wanders with the others, to be wrong no more often than one that
// judges one.
func TestSeveralGauges(t *testing.T) {
	const runs, gauges, n = 2000, 5, 24
	r := rand.New(rand.NewPCG(3, 4))
	x, wrong := counting(n), 0
	for range runs {
		common, any := wander(r, n, mib, 0.8), false
		for range gauges {
			y := wander(r, n, mib, 0.8)
			for i := range y {
				y[i] += common[i]
			}
			a := Judge(Question{}, x, y, Level(gauges))
			any = any || a.Low > 0 || a.High < 0
		}
		if any {
			wrong++
		}
	}
	t.Logf("%d of %d runs had a wrong interval", wrong, runs)
	if limit := Alpha*runs + 3*math.Sqrt(Alpha*runs); float64(wrong) > limit {
		t.Errorf("%d of %d runs, want at most %.0f", wrong, runs, limit)
	}
}

// TestPower wants leaks to be found, the larger the sooner, and runs without one to say so once that is asked for.
func TestPower(t *testing.T) {
	const runs = 200
	for _, c := range []struct {
		name       string
		sd, phi    float64
		leak, see  float64 // per cycle
		most       int
		leaks, not int // of all runs, at least
	}{
		{"256 B per pod of 100, quiet heap", 64 * kib, 0.3, 25 * kib, 25 * kib, 48, 195, 0},
		{"none, quiet heap", 64 * kib, 0.3, 0, 25 * kib, 48, 0, 195},
		{"1 KiB per pod of 100, heap of 300 KiB noise", 300 * kib, 0.3, 100 * kib, 50 * kib, 64, 190, 0},
		{"none, wander of 5 MiB, 300 KiB wanted", 5 * mib, 0.8, 0, 300 * kib, 64, 0, 0},
		{"3 MiB, wander of 5 MiB", 5 * mib, 0.8, 3 * mib, mib, 64, 180, 0},
	} {
		r := rand.New(rand.NewPCG(5, 6))
		leaks, not, cycles := 0, 0, 0
		for range runs {
			a := untilSure(Question{Gauge: metrics.HeapBytes, See: c.see}, leaking(wander(r, c.most, c.sd, c.phi), c.leak), 5)
			cycles += a.N + a.WarmUp
			switch a.Verdict {
			case metrics.Fail:
				leaks++
			case metrics.Pass:
				not++
			}
		}
		t.Logf("%s: %d leaks, %d none, %d open; %d cycles on average", c.name, leaks, not, runs-leaks-not, cycles/runs)
		if leaks < c.leaks || not < c.not {
			t.Errorf("%s: want at least %d leaks and %d none", c.name, c.leaks, c.not)
		}
		if wrong := map[bool]int{true: leaks, false: not}[c.leak == 0]; wrong > 4 { // of 200, far above Alpha
			t.Errorf("%s: %d runs were wrong", c.name, wrong)
		}
	}
}

func TestShapes(t *testing.T) {
	shape := func(n int, f func(i float64) float64) []float64 {
		y := make([]float64, n)
		for i := range y {
			y[i] = f(float64(i))
		}
		return y
	}
	r := rand.New(rand.NewPCG(7, 8))
	count := Question{Gauge: metrics.Goroutines, Quantum: 1, See: 1}
	heap := Question{Gauge: metrics.HeapBytes, Quantum: 8, See: 256 * kib}
	for name, c := range map[string]struct {
		q    Question
		y    []float64
		want metrics.Verdict
	}{
		"constant count":              {count, shape(12, func(float64) float64 { return 40 }), metrics.Pass},
		"one more each cycle":         {count, shape(8, func(i float64) float64 { return 40 + i }), metrics.Fail},
		"one more each fifth cycle":   {Question{Gauge: metrics.FDs, Quantum: 1, See: 0.1}, shape(40, func(i float64) float64 { return math.Floor(i / 5) }), metrics.Fail},
		"one more, once":              {count, shape(20, func(i float64) float64 { return 40 + math.Floor(i/10) }), metrics.Pass},
		"one more, once, late":        {count, shape(20, func(i float64) float64 { return 40 + math.Floor(i/17) }), metrics.Pass},
		"a jump, once":                {heap, shape(24, func(i float64) float64 { return 8 * mib * math.Floor(i/12) }), metrics.Inconclusive},
		"sawtooth":                    {heap, shape(48, func(i float64) float64 { return mib * math.Mod(i, 5) }), metrics.Pass},
		"fewer each cycle":            {count, shape(12, func(i float64) float64 { return 40 - i }), metrics.Pass},
		"fills, and is full":          {heap, shape(24, func(i float64) float64 { return 40 * mib * (1 - math.Exp(-i/2)) }), metrics.Pass},
		"fills, and is not full":      {heap, shape(24, func(i float64) float64 { return 40 * mib * (1 - math.Exp(-i/8)) }), metrics.Inconclusive},
		"fills and leaks":             {heap, shape(32, func(i float64) float64 { return 20*mib*(1-math.Exp(-i/1.5)) + i*mib }), metrics.Fail},
		"too few":                     {count, shape(7, func(i float64) float64 { return i }), metrics.Inconclusive},
		"one reading taken amid work": {heap, shape(24, func(i float64) float64 { return r.NormFloat64()*100*kib + map[bool]float64{true: 500 * mib}[i == 20] }), metrics.Pass},
	} {
		t.Run(name, func(t *testing.T) {
			a := Judge(c.q, counting(len(c.y)), c.y, Level(5))
			if a.Verdict != c.want {
				t.Errorf("got %v, want %v: %+v", a.Verdict, c.want, a)
			}
			t.Log(a.Says(100, "pod"))
		})
	}
}

// TestGaps wants readings that are missing to change nothing but the interval.
func TestGaps(t *testing.T) {
	var x, y []float64
	for i := range 40 {
		if i%7 != 3 {
			x, y = append(x, float64(i)), append(y, float64(3*i))
		}
	}
	if a := Judge(Question{Quantum: 1}, x, y, Level(1)); a.Verdict != metrics.Fail || math.Abs(a.Slope-3) > 1e-6 || a.High-a.Low > 0.1 {
		t.Errorf("%+v", a)
	}
}

// TestMore wants the number of cycles that is told to be about that which is needed, in the middle of many runs; of independent readings, whose noise
// is taken for more than it is, up to three times that.
func TestMore(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 10))
	q := Question{Gauge: metrics.HeapBytes, See: 25 * kib}
	var told, needed []float64
	for range 60 {
		y := wander(r, 400, 300*kib, 0)
		a := Judge(q, counting(20), y[:20], Level(5))
		if a.Verdict != metrics.Inconclusive {
			continue
		}
		n := 24
		for ; Judge(q, counting(n), y[:n], Level(5)).Verdict != metrics.Pass; n += 4 {
		}
		told, needed = append(told, float64(a.More)), append(needed, float64(n-20))
	}
	got, want := median(told), median(needed)
	t.Logf("%v more were told, %v were needed", got, want)
	if len(told) < 40 || got < want/2 || got > 3*want {
		t.Errorf("%v more were told, %v were needed (%d runs)", got, want, len(told))
	}
}

func TestLooks(t *testing.T) {
	var due []int
	for n, k, spent := 0, 0, 0.0; k < 8; n++ {
		if got := Look(n); got > 0 {
			k++
			spent += Spend(5, k)
			due = append(due, n)
			if got != k || spent > Level(5) {
				t.Errorf("after %d cycles: look %d, want %d; %g spent", n, got, k, spent)
			}
		}
	}
	if want := [...]int{8, 12, 16, 24, 32, 48, 64, 96}; [8]int(due) != want {
		t.Errorf("looks at %v, want %v", due, want)
	}
}
