package harness

import "strings"

// Nearest is the word of those that are known that was probably meant, or empty if none is like it.
func Nearest(word string, known []string) string {
	best, least := "", len([]rune(word))/3+2 // more differences than this are another word
	for _, k := range known {
		d := distance(strings.ToLower(word), strings.ToLower(k))
		if d < least {
			best, least = k, d
		}
	}
	return best
}

// distance counts the letters that must be added, left out, changed or swapped with their neighbour to make one word of another.
func distance(from, to string) int {
	a, b := []rune(from), []rune(to)
	var rows [3][]int // the last three
	for i := range len(a) + 1 {
		row := make([]int, len(b)+1)
		row[0] = i
		for j := 1; j <= len(b); j++ {
			if i == 0 {
				row[j] = j
				continue
			}
			same := 1
			if a[i-1] == b[j-1] {
				same = 0
			}
			row[j] = min(rows[2][j]+1, row[j-1]+1, rows[2][j-1]+same)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], rows[1][j-2]+1)
			}
		}
		rows[0], rows[1], rows[2] = rows[1], rows[2], row
	}
	return rows[2][len(b)]
}
