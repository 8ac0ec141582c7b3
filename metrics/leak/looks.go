package leak

// Level is the share of runs in which one gauge's interval may be wrong if all gauges of a run together may be in Alpha of them (Bonferroni), and the
// readings are looked at once, at an end that does not depend on them.
func Level(gauges int) float64 { return Alpha / float64(max(gauges, 1)) }

// Spend is Level for the k-th look, from 1, of a run that ends when a look says enough. The shares of all looks, 1/2 + 1/6 + 1/12 + …, add up to one, however
// many there are.
func Spend(gauges, k int) float64 { return Level(gauges) / float64(k*(k+1)) }

// Look returns the number of the look that is due after so many cycles, from 1; 0: none. They are due after 8, 12, 16, 24, 32, 48, 64, … cycles.
func Look(cycles int) int {
	k := 1
	for due := MinCycles; due <= cycles; due *= 2 {
		if cycles == due {
			return k
		}
		if cycles == due+due/2 {
			return k + 1
		}
		k += 2
	}
	return 0
}

// NextLook returns after how many cycles the next look is due that comes after so many.
func NextLook(cycles int) int {
	for next := cycles + 1; ; next++ {
		if Look(next) > 0 {
			return next
		}
	}
}
