package runtimes

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nodefv/nodefv/infra"
)

// strangerEnv makes the test's own program an ordinary user of the machine, who tries what it says.
const strangerEnv = "FV_TEST_STRANGER"

// nobody is the user who has no rights on any Linux.
const nobody = 65534

// attempt is what the stranger is to try.
type attempt struct {
	URLs   []string
	Folder string // what a later command of the owner's needs
}

// report is what came of it.
type report struct {
	UID     int
	Got     map[string]string // by URL: a status, or why there is none
	Secrets []string          // files with keys that could be read
	Files   int               // that were looked for keys in
	Entered []string          // processes of others whose network could be entered
}

func becomeStranger() {
	var a attempt
	if json.Unmarshal([]byte(os.Getenv(strangerEnv)), &a) != nil {
		return
	}
	r := report{UID: os.Getuid(), Got: map[string]string{}, Entered: entered()}
	client := strangersClient()
	for _, url := range a.URLs {
		r.Got[url] = status(client, url)
	}
	_ = filepath.WalkDir(a.Folder, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return nil // what can't be looked into holds nothing for a stranger
		}
		r.Files++
		data, _ := os.ReadFile(path)
		// Keys are PEM, in some files as base64.
		for _, secret := range []string{"PRIVATE KEY", "client-key-data", "LS0tLS1CRUdJTi"} {
			if bytes.Contains(data, []byte(secret)) {
				r.Secrets = append(r.Secrets, path)
			}
		}
		return nil
	})
	_ = json.NewEncoder(os.Stdout).Encode(r)
	os.Exit(0)
}

// strangersClient has no certificate, and sends nothing to a router: what is not on this machine is not to be asked.
func strangersClient() *http.Client {
	dialer := net.Dialer{Timeout: 10 * time.Second, Control: func(_, _ string, c syscall.RawConn) error {
		var failed error
		err := c.Control(func(fd uintptr) { failed = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_DONTROUTE, 1) })
		if err == nil {
			err = failed
		}
		return err
	}}
	return &http.Client{Transport: &http.Transport{
		DialContext: dialer.DialContext, DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true},
	}}
}

// status is what a client gets.
func status(client *http.Client, url string) string {
	response, err := client.Get(url)
	if err != nil {
		return err.Error()
	}
	_ = response.Body.Close() // only its status counts
	return response.Status
}

// entered tries to enter the network of every process that has another one.
func entered() (all []string) {
	own, _ := os.Readlink("/proc/self/ns/net")
	found, _ := filepath.Glob("/proc/[0-9]*/ns/net")
	for _, path := range found {
		f, err := os.Open(path)
		if err != nil {
			continue
		}
		if is, _ := os.Readlink(path); is != own && unix.Setns(int(f.Fd()), unix.CLONE_NEWNET) == nil {
			all = append(all, path)
		}
		f.Close()
	}
	return all
}

// closedToOthers wants an ordinary user of the machine to get what each URL is wanted to give; where the bridge is in a namespace of its own,
// that is no way there at all. Nor may he read a key of the run's.
func closedToOthers(t *testing.T, rt infra.Runtime, run string, want map[string]string) {
	if os.Geteuid() != 0 {
		t.Skip("only root can become another user")
	}
	folder, err := infra.StateFolder(run)
	if err != nil {
		t.Fatal(err)
	}
	a := attempt{Folder: folder}
	for url := range want {
		a.URLs = append(a.URLs, url)
	}
	order, err := json.Marshal(a)
	if err != nil {
		t.Fatal(err)
	}
	stranger := exec.Command("/proc/self/exe")
	stranger.Env, stranger.Dir = []string{strangerEnv + "=" + string(order)}, "/"
	stranger.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	out, err := stranger.Output()
	var r report
	if err == nil {
		err = json.Unmarshal(out, &r)
	}
	if err != nil || r.UID != nobody || r.Files == 0 {
		t.Fatalf("the stranger: %v, %s", err, out)
	}
	_, apart := rt.(infra.Dialer)
	for url, want := range want {
		if apart {
			want = "network is unreachable"
		}
		if got := r.Got[url]; !strings.Contains(got, want) || got == "" || got == "200 OK" {
			t.Errorf("%s: another user gets %q, want %q", url, got, want)
		}
	}
	if len(r.Secrets)+len(r.Entered) > 0 {
		t.Errorf("another user reads the keys in %v and enters %v", r.Secrets, r.Entered)
	}
}

// openHome gives a test a home that others can look into, as many machines have it, with what has been built.
func openHome(t *testing.T) {
	t.Helper()
	home := t.TempDir()
	for dir := home; dir != os.TempDir() && dir != "/"; dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("XDG_CACHE_HOME", home)
	if state, err := infra.StateFolder("any"); err != nil || !strings.HasPrefix(state, home) {
		t.Fatal(fmt.Errorf("the state is in %s: %w", state, err))
	}
}
