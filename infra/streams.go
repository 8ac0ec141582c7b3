package infra

import "io"

// Streams connect a container's program with who starts it, in place of a log. What is given to In and not read yet when the program ends
// is lost; a Read of it may outlast the container.
type Streams struct {
	In       io.Reader // its end is the program's; nil: there is nothing to read
	Out, Err io.Writer // nil: dropped; with a terminal all goes to Out
	Terminal *Terminal // that the program has; nil: none
}

// Terminal is one as its user has it. What the program gets is one of its own, whose bytes Streams pass on as they are.
type Terminal struct {
	Name    string      // as in the variable TERM; empty: a dumb one
	Size    Size        // when the program starts
	Resized <-chan Size // later ones
}

// Size is that of a terminal, in characters.
type Size struct{ Rows, Columns uint16 }
