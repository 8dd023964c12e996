package packaging

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

const (
	// imageUser is nobody on any machine.
	imageUser = "65532:65532"
	// imageBytesMax is well above what the binary has, and well below what a distribution would bring.
	imageBytesMax = 120 << 20
)

// imageFiles are all that the image holds, and what may be done with them.
var imageFiles = map[string]string{
	".": "dr-xr-xr-x", "boxoffice": "-rwxr-xr-x", "etc": "drwxr-xr-x", "etc/ssl": "drwxr-xr-x", "etc/ssl/certs": "drwxr-xr-x",
	"etc/ssl/certs/ca-certificates.crt": "-rw-r--r--", "var": "drwxr-xr-x", "var/lib": "drwxr-xr-x", "var/lib/boxoffice": "drwxr-xr-x",
}

// Goal: the image runs as nobody, from a file system that it cannot write, with nothing in it but what is meant to be.
// Method: scripts/image builds it by buildah without any registry; it is mounted, looked at, and the binary is run in it as
// its user. It needs root, or `buildah unshare`.
func TestImage(t *testing.T) {
	b := newBuilder(t)
	cmd := exec.Command(filepath.Join(repository, "scripts/image"), "boxoffice")
	cmd.Env = append(os.Environ(), "IMAGE_ENGINE="+strings.Join(b.command, " "))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("scripts/image: %v\n%s", err, out)
	}
	for _, fault := range b.faults("boxoffice") {
		t.Error(fault)
	}
	for _, c := range []breakage{
		{name: "root", old: "USER 65532:65532\n", want: "user"},
		{name: "a name", old: "USER 65532:65532", new: "USER nobody", want: "user"},
		{name: "by a shell", old: `ENTRYPOINT ["/boxoffice"]`, new: "ENTRYPOINT /boxoffice", want: "entrypoint"},
		{name: "no command", old: `CMD ["serve"]`, want: "command"},
		{name: "no ports", old: "EXPOSE 8080 8081 8082", want: "ports"},
		{name: "a file more", old: "COPY boxoffice /boxoffice", new: "COPY boxoffice /boxoffice\nCOPY boxoffice /bin/sh", want: "bin/sh"},
		{name: "no authorities", old: "COPY ca-certificates.crt /etc/ssl/certs/ca-certificates.crt\n", want: "ca-certificates.crt is missing"},
		{name: "root's folder", old: "COPY --chown=65532:65532 empty/", new: "COPY empty/", want: "var/lib/boxoffice is"},
		{name: "another folder", old: "BOXOFFICE_DATA_DIR=/var/lib/boxoffice", new: "BOXOFFICE_DATA_DIR=/data", want: "BOXOFFICE_DATA_DIR"},
		{name: "another signal", old: "STOPSIGNAL SIGTERM", new: "STOPSIGNAL SIGKILL", want: "signal"},
		{name: "another binary", old: "COPY boxoffice /boxoffice", new: "COPY ca-certificates.crt /boxoffice", want: "boxoffice help"},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.file = "Dockerfile"
			dockerfile := filepath.Join(broken(t, c), "Dockerfile")
			if _, err := b.run("bud", "--isolation", "chroot", "-f", dockerfile, "-t", "broken", filepath.Join(repository, "bin/image")); err != nil {
				t.Fatal(err)
			}
			faults := strings.Join(b.faults("broken"), "\n")
			if !strings.Contains(faults, c.want) {
				t.Errorf("nothing is said of %q, but:\n%s", c.want, faults)
			}
		})
	}
}

// builder is buildah with a store of its own, which goes with the test.
type builder struct{ command []string }

func newBuilder(t *testing.T) *builder {
	t.Helper()
	dir := t.TempDir()
	return &builder{[]string{"buildah", "--storage-driver", "vfs", "--root", dir + "/store", "--runroot", dir + "/run"}}
}

func (b *builder) run(args ...string) ([]byte, error) {
	args = slices.Concat(b.command, args)
	cmd := exec.Command(args[0], args[1:]...)
	var problems bytes.Buffer
	cmd.Stderr = &problems
	out, err := cmd.Output()
	if err != nil {
		err = fmt.Errorf("%s: %w\n%s", strings.Join(args, " "), err, problems.String())
	}
	return out, err
}

// faults of an image.
func (b *builder) faults(image string) []string {
	var l list
	container, err := b.run("from", "--pull-never", image)
	if err != nil {
		return []string{err.Error()}
	}
	id := strings.TrimSpace(string(container))
	defer func() { _, _ = b.run("rm", id) }()
	described, err := b.run("inspect", "--type", "image", image)
	if err != nil {
		return []string{err.Error()}
	}
	l.config(described)
	mounted, err := b.run("mount", id)
	if err != nil {
		return append(l, err.Error())
	}
	root := strings.TrimSpace(string(mounted))
	l.files(root)
	for _, c := range []struct{ command, want string }{
		{"help", "usage: boxoffice COMMAND"}, {"serve", "DATABASE_URL is not set"}, {"health", "the server does not answer"},
	} {
		cmd := exec.Command("chroot", "--userspec="+imageUser, root, "/boxoffice", c.command)
		cmd.Env = []string{"BOXOFFICE_HTTP_ADDR=127.0.0.1:1"} // where nobody listens
		out, err := cmd.CombinedOutput()
		l.need((c.command == "help") == (err == nil) && strings.Contains(string(out), c.want), "boxoffice %s, in the image: %v\n%s", c.command, err, out)
	}
	return l
}

// config notes what is wrong with what the image says of itself.
func (l *list) config(described []byte) {
	var image struct {
		OCIv1 struct {
			Config struct {
				User, StopSignal     string
				ExposedPorts         map[string]struct{}
				Env, Entrypoint, Cmd []string
				WorkingDir           string
			}
		}
	}
	if err := json.Unmarshal(described, &image); err != nil {
		l.add("%v", err)
	}
	c := image.OCIv1.Config
	l.need(c.User == imageUser, "user: %q", c.User)
	l.need(slices.Equal(c.Entrypoint, []string{"/boxoffice"}), "entrypoint: %q", c.Entrypoint)
	l.need(slices.Equal(c.Cmd, []string{"serve"}), "command: %q", c.Cmd)
	l.need(c.StopSignal == "SIGTERM", "signal: %s", c.StopSignal)
	l.need(slices.Contains(c.Env, "BOXOFFICE_DATA_DIR=/var/lib/boxoffice"), "BOXOFFICE_DATA_DIR is elsewhere: %v", c.Env)
	ports := slices.Sorted(maps.Keys(c.ExposedPorts))
	l.need(slices.Equal(ports, []string{"8080/tcp", "8081/tcp", "8082/tcp"}), "ports: %v", ports)
}

// files notes what is missing, too much or somebody else's.
func (l *list) files(root string) {
	missing, size := maps.Clone(imageFiles), int64(0)
	err := filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		name, _ := filepath.Rel(root, path)
		l.need(imageFiles[name] != "", "%s does not belong here", name)
		delete(missing, name)
		l.need(imageFiles[name] == "" || info.Mode().String() == imageFiles[name], "%s is %v", name, info.Mode())
		owner := uint32(0)
		if name == "var/lib/boxoffice" {
			owner = 65532
		}
		stat, _ := info.Sys().(*syscall.Stat_t)
		// The folders above the user's own come to be with it.
		l.need(strings.HasPrefix("var/lib/", name+"/") || stat.Uid == owner, "%s is user %d's", name, stat.Uid)
		if info.Mode().IsRegular() {
			size += info.Size()
		}
		return nil
	})
	l.need(err == nil, "%v", err)
	for name := range missing {
		l.add("%s is missing", name)
	}
	l.need(size < imageBytesMax, "the image has %d bytes", size)
}
