package local

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"

	"github.com/nodefv/nodefv/infra"
)

// endsFD is a socket on which a container's first process sends the harness's ends of what the program reads and writes: of a terminal,
// or of three pipes. It makes both itself, because a terminal's name means something in the container's own file system alone.
const endsFD = 4

// ends say what a program gets instead of a log.
type ends struct {
	Asked    bool
	Input    bool        // it has something to read
	Terminal *infra.Size // that it has; nil: none
}

func askForEnds(s *infra.Streams) ends {
	if s == nil {
		return ends{}
	}
	e := ends{Asked: true, Input: s.In != nil}
	if s.Terminal != nil {
		e.Terminal = &s.Terminal.Size
	}
	return e
}

// mount makes the container's own folder of terminals.
func (e ends) mount() error {
	if e.Terminal == nil {
		return nil
	}
	if err := os.Mkdir("/dev/pts", 0o755); err != nil {
		return err
	}
	if err := mount("devpts", "/dev/pts", "devpts", unix.MS_NOSUID|unix.MS_NOEXEC, "newinstance,ptmxmode=0666,mode=0620"); err != nil {
		return err
	}
	return os.Symlink("pts/ptmx", "/dev/ptmx")
}

// take makes the program's ends the input and output of this process, and sends the others away.
func (e ends) take() error {
	if !e.Asked {
		return nil
	}
	own, others, err := e.make()
	if err != nil {
		return fmt.Errorf("connect the program: %w", err)
	}
	for fd, end := range own {
		if err := unix.Dup3(int(end.Fd()), fd, 0); err != nil {
			return fmt.Errorf("connect the program: %w", err)
		}
	}
	if e.Terminal != nil {
		if _, err := unix.Setsid(); err != nil {
			return fmt.Errorf("begin a session: %w", err)
		}
		if err := unix.IoctlSetInt(0, unix.TIOCSCTTY, 0); err != nil {
			return fmt.Errorf("give the program a terminal: %w", err)
		}
	}
	var rights []int
	for _, end := range others {
		rights = append(rights, int(end.Fd()))
	}
	if err := unix.Sendmsg(endsFD, []byte{0}, unix.UnixRights(rights...), nil, 0); err != nil {
		return fmt.Errorf("pass on the program's output: %w", err)
	}
	return nil
}

// make makes the program's own ends, by descriptor, and the others: of the terminal, or of input, output and diagnostics in this order.
func (e ends) make() (own [3]*os.File, others []*os.File, err error) {
	if e.Terminal != nil {
		master, slave, err := pty.Open()
		if err != nil {
			return own, nil, err
		}
		return [3]*os.File{slave, slave, slave}, []*os.File{master}, pty.Setsize(master, windowOf(*e.Terminal))
	}
	var pipes [3][2]*os.File // to read, to write
	for i := range pipes {
		r, w, err := os.Pipe()
		if err != nil {
			return own, nil, err
		}
		pipes[i] = [2]*os.File{r, w}
	}
	own = [3]*os.File{pipes[0][0], pipes[1][1], pipes[2][1]}
	if !e.Input {
		pipes[0][1].Close()
		return own, []*os.File{pipes[1][0], pipes[2][0]}, nil
	}
	return own, []*os.File{pipes[0][1], pipes[1][0], pipes[2][0]}, nil
}

func windowOf(s infra.Size) *pty.Winsize { return &pty.Winsize{Rows: s.Rows, Cols: s.Columns} }

// streaming passes on what a container's program reads and writes; nil: the program has a log.
type streaming struct {
	socket *os.File      // on which the ends come
	copied chan struct{} // closed when all output has been passed on
}

// awaitEnds makes the socket on which the ends will come and returns what the supervisor must have of it.
func (c *container) awaitEnds() (theirs *os.File, err error) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	c.streaming = &streaming{socket: os.NewFile(uintptr(pair[0]), "ends"), copied: make(chan struct{})}
	return os.NewFile(uintptr(pair[1]), "ends"), nil
}

// stream passes on what there is, until the container ends. Its program runs.
func (c *container) stream(s *infra.Streams) error {
	if s == nil {
		return nil
	}
	defer c.streaming.socket.Close()
	files, err := receive(c.streaming.socket)
	if err != nil {
		return fmt.Errorf("connect the program: %w", err)
	}
	out, diag := cmp.Or[io.Writer](s.Out, io.Discard), cmp.Or[io.Writer](s.Err, io.Discard)
	if s.Terminal != nil {
		go c.streaming.pass(map[*os.File]io.Writer{files[0]: out})
		go c.streaming.resize(files[0], s.Terminal.Resized)
	} else {
		n := len(files)
		go c.streaming.pass(map[*os.File]io.Writer{files[n-2]: out, files[n-1]: diag})
	}
	if s.In != nil {
		go func() {
			_, _ = io.Copy(files[0], s.In) // a program need not read to the end
			if s.Terminal == nil {
				files[0].Close()
			}
		}()
	}
	return nil
}

// receive takes the ends from the socket.
func receive(socket *os.File) ([]*os.File, error) {
	rights := make([]byte, unix.CmsgSpace(3*4))
	_, n, _, _, err := unix.Recvmsg(int(socket.Fd()), make([]byte, 1), rights, unix.MSG_CMSG_CLOEXEC)
	if err != nil {
		return nil, err
	}
	messages, err := unix.ParseSocketControlMessage(rights[:n])
	if err != nil {
		return nil, err
	}
	if len(messages) == 0 {
		return nil, errors.New("it sent nothing")
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	var files []*os.File
	for _, fd := range fds {
		files = append(files, os.NewFile(uintptr(fd), "end"))
	}
	return files, err
}

// pass copies until nobody can write any more. A terminal's end is an error when its last program has ended.
func (s *streaming) pass(all map[*os.File]io.Writer) {
	defer close(s.copied)
	ended := make(chan struct{})
	for from, to := range all {
		go func() {
			_, _ = io.Copy(to, from)
			ended <- struct{}{}
		}()
	}
	for range all {
		<-ended
	}
	for from := range all {
		from.Close()
	}
}

func (s *streaming) resize(terminal *os.File, sizes <-chan infra.Size) {
	for {
		select {
		case size := <-sizes:
			_ = pty.Setsize(terminal, windowOf(size)) // one that has ended has no size
		case <-s.copied:
			return
		}
	}
}

// wait returns when all output has been passed on; the container has ended.
func (s *streaming) wait() {
	if s != nil {
		<-s.copied
	}
}
