package load

import "time"

// Look is a connection as it stands, amid its traffic.
type Look struct {
	Connection
	Stands bool `json:"stands"`
	// Answers are how long after their messages were due the answers came since the look before, the newest MostAnswers of them. The
	// first look has none.
	Answers []time.Duration `json:"-"`
}

// MostAnswers is how many answers of a connection a look tells of at most.
const MostAnswers = 256
