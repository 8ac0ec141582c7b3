package local

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/nodefv/nodefv/infra"
)

// Places in a container's root that are ours.
const (
	placeOurs = "/fv"
	placeBin  = "/fv/bin"  // the component's programs
	placeHost = "/fv/host" // what private folders lie over
	placeOld  = "/fv/old"  // the host's root, until all is in place
)

// hostFolders are shown to containers as they are on the host, to be read only; lib and its like are links to usr where /usr is merged.
var hostFolders = []string{"bin", "sbin", "lib", "lib32", "lib64", "libx32", "usr", "etc", "opt", "nix", "gnu"}

// ownFolders are a container's own, in memory.
var ownFolders = map[string]os.FileMode{
	"/tmp": 0o777 | os.ModeSticky, "/run": 0o755, "/run/lock": 0o755, "/root": 0o700, "/home": 0o755, "/mnt": 0o755, "/srv": 0o755,
	"/var": 0o755, "/var/lib": 0o755, "/var/log": 0o755, "/var/cache": 0o755, "/var/tmp": 0o777 | os.ModeSticky,
	"/proc": 0o555, "/sys": 0o555, "/dev": 0o755, placeOurs: 0o755, placeBin: 0o755, placeHost: 0o755,
}

// devices are the host's that every container has.
var devices = []string{"null", "zero", "full", "random", "urandom", "tty"}

// enterRoot gives the caller's mount namespace, which must be its own, a root in memory at dir and goes there. The host's stays at placeOld
// until leaveHost.
func enterRoot(dir, label string) error {
	// Nothing that is mounted from here on may be seen outside, and nothing outside may change what is here.
	if err := mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return err
	}
	if err := mount(label, dir, "tmpfs", unix.MS_NOSUID, "mode=755"); err != nil {
		return err
	}
	old := filepath.Join(dir, placeOld)
	if err := os.MkdirAll(old, 0o700); err != nil {
		return err
	}
	if err := unix.PivotRoot(dir, old); err != nil {
		return fmt.Errorf("change root: %w", err)
	}
	return os.Chdir("/")
}

// leaveHost lets go of the host's root.
func leaveHost() error {
	if err := unix.Unmount(placeOld, unix.MNT_DETACH); err != nil {
		return fmt.Errorf("let go of the host's root: %w", err)
	}
	return os.Remove(placeOld)
}

// host returns where a path of the host is before leaveHost. It must hold no links: absolute ones would lead into the container.
func host(path string) string { return placeOld + path }

func mount(source, target, kind string, flags uintptr, data string) error {
	if err := unix.Mount(source, target, kind, flags, data); err != nil {
		return fmt.Errorf("mount %s at %s: %w", cmp.Or(kind, source), target, err)
	}
	return nil
}

// bind shows a folder or file of the host in the container.
func bind(source, target string, readonly bool) error {
	if err := mount(source, target, "", unix.MS_BIND|unix.MS_REC, ""); err != nil || !readonly {
		return err
	}
	return seal(target)
}

// seal makes what is mounted at a place, and below it where the kernel can (since 5.12), read-only.
func seal(target string) error {
	err := unix.MountSetattr(unix.AT_FDCWD, target, unix.AT_RECURSIVE, &unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY})
	if errors.Is(err, unix.ENOSYS) {
		err = unix.Mount("", target, "", unix.MS_REMOUNT|unix.MS_BIND|unix.MS_RDONLY, "")
	}
	if err != nil {
		return fmt.Errorf("make %s read-only: %w", target, err)
	}
	return nil
}

// fillRoot puts into the root what every container has: the host's programs to be read, and folders of its own.
func fillRoot(bin string) error {
	for _, dir := range slices.Sorted(maps.Keys(ownFolders)) {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
		if err := os.Chmod(dir, ownFolders[dir]); err != nil { // the mask of the harness holds for MkdirAll
			return err
		}
	}
	if err := os.Symlink("/run", "/var/run"); err != nil {
		return err
	}
	for _, name := range hostFolders {
		if err := showHost(name); err != nil {
			return err
		}
	}
	if err := bind(host(bin), placeBin, true); err != nil {
		return err
	}
	return makeDev()
}

func showHost(name string) error {
	source, target := host("/"+name), "/"+name
	info, err := os.Lstat(source)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil
	case err != nil:
		return err
	case info.Mode()&os.ModeSymlink != 0:
		link, err := os.Readlink(source)
		if err != nil {
			return err
		}
		return os.Symlink(link, target)
	}
	if err := os.Mkdir(target, 0o755); err != nil {
		return err
	}
	return bind(source, target, true)
}

// makeDev binds devices: to make them takes a right that not everybody has.
func makeDev() error {
	for _, name := range devices {
		if err := os.WriteFile("/dev/"+name, nil, 0o666); err != nil {
			return err
		}
		if err := bind(host("/dev/"+name), "/dev/"+name, false); err != nil {
			return err
		}
	}
	if err := os.Mkdir("/dev/shm", 0o777|os.ModeSticky); err != nil {
		return err
	}
	for name, to := range map[string]string{"fd": "/proc/self/fd", "stdin": "/proc/self/fd/0", "stdout": "/proc/self/fd/1", "stderr": "/proc/self/fd/2"} {
		if err := os.Symlink(to, "/dev/"+name); err != nil {
			return err
		}
	}
	return nil
}

// mountKernel mounts proc and sysfs, which show the process and network namespaces of who mounts them, and the container's own cgroups.
func mountKernel(cgroup cgroups) error {
	const flags = unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC
	if err := mount("proc", "/proc", "proc", flags, ""); err != nil {
		return err
	}
	if err := mount("sysfs", "/sys", "sysfs", flags, ""); err != nil {
		return err
	}
	const top = "/sys/fs/cgroup"
	for _, h := range cgroup.hierarchies {
		if h.v2() {
			if err := bind(host(cgroup.dir(h)), top, true); err != nil {
				return err
			}
			break
		}
		if h.path == cgroup.hierarchies[0].path {
			if err := mount("tmpfs", top, "tmpfs", flags, "mode=755"); err != nil {
				return err
			}
		}
		for _, c := range h.controllers {
			place := path.Join(top, c)
			if err := os.Mkdir(place, 0o755); err != nil {
				return err
			}
			if err := bind(host(cgroup.dir(h)), place, true); err != nil {
				return err
			}
		}
	}
	return seal("/sys")
}

// guardKernel keeps the host's settings from the container: of /proc/sys no more can be written than what its network namespace has of
// its own, and that only with raw.
func guardKernel(raw bool) error {
	for _, place := range []string{"/proc/sys", "/proc/sysrq-trigger", "/proc/irq", "/proc/bus"} {
		if _, err := os.Stat(place); err != nil {
			continue
		}
		if err := bind(place, place, true); err != nil {
			return err
		}
	}
	if !raw {
		return nil
	}
	const net = "/proc/sys/net"
	if err := mount(net, net, "", unix.MS_BIND, ""); err != nil {
		return err
	}
	if err := unix.Mount("", net, "", unix.MS_REMOUNT|unix.MS_BIND|unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
		return fmt.Errorf("make %s writable: %w", net, err)
	}
	return nil
}

// place puts the spec's own folders and files into the root.
func place(spec infra.Spec) error {
	for _, dir := range slices.Sorted(slices.Values(spec.Tmpfs)) {
		if err := makeWritable(dir); err != nil {
			return err
		}
		if err := mount("tmpfs", dir, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=755"); err != nil {
			return err
		}
	}
	for from, to := range spec.Binds {
		if err := makeWritable(to); err != nil {
			return err
		}
		if err := bind(host(from), to, false); err != nil {
			return err
		}
	}
	for _, f := range spec.Files {
		if err := placeFile(f); err != nil {
			return fmt.Errorf("put %s into the container: %w", f.Path, err)
		}
	}
	return nil
}

func placeFile(f infra.File) error {
	if err := makeWritable(path.Dir(f.Path)); err != nil {
		return err
	}
	mode := f.Mode.Perm()
	if mode == 0 {
		mode = 0o644
	}
	if err := os.Remove(f.Path); err != nil && !errors.Is(err, os.ErrNotExist) { // a link to the host's
		return err
	}
	to, err := os.OpenFile(f.Path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if err != nil {
		return err
	}
	if f.Source == "" {
		_, err = to.Write(f.Data)
	} else {
		err = copyInto(to, host(f.Source))
	}
	return errors.Join(err, to.Chmod(mode), to.Close())
}

func copyInto(to io.Writer, path string) error {
	from, err := os.Open(path)
	if err != nil {
		return err
	}
	defer from.Close()
	_, err = io.Copy(to, from)
	return err
}

// makeWritable makes a folder in which files can be made; where the host's is in the way, a private one is laid over it that shows the same.
func makeWritable(dir string) error {
	at := path.Clean(dir)
	for {
		if _, err := os.Stat(at); err == nil {
			break
		}
		at = path.Dir(at)
	}
	real, err := filepath.EvalSymlinks(at)
	if err != nil {
		return err
	}
	var fs unix.Statfs_t
	if err := unix.Statfs(real, &fs); err != nil {
		return err
	}
	if fs.Flags&unix.ST_RDONLY != 0 {
		if err := layOver(real); err != nil {
			return fmt.Errorf("make %s private: %w", real, err)
		}
	}
	return os.MkdirAll(dir, 0o755)
}

// layOver mounts a folder in memory over one of the host's and shows in it what that holds.
func layOver(dir string) error {
	keep := filepath.Join(placeHost, url.PathEscape(dir)) // the same after a restart: mounts are compared
	if err := os.Mkdir(keep, 0o700); err != nil {
		return err
	}
	if err := bind(dir, keep, false); err != nil { // read-only as its source is
		return err
	}
	if err := mount("tmpfs", dir, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=755"); err != nil {
		return err
	}
	entries, err := os.ReadDir(keep)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := showAgain(path.Join(keep, e.Name()), path.Join(dir, e.Name()), e.Type()); err != nil {
			return err
		}
	}
	return nil
}

// showAgain shows one entry of a folder elsewhere. Folders are bound, because relative links in them must lead where they led.
func showAgain(from, to string, kind os.FileMode) error {
	switch {
	case kind.IsDir():
		if err := os.Mkdir(to, 0o755); err != nil {
			return err
		}
		return bind(from, to, false)
	case kind&os.ModeSymlink != 0:
		link, err := os.Readlink(from)
		if err != nil {
			return err
		}
		return os.Symlink(link, to)
	}
	return os.Symlink(from, to)
}
