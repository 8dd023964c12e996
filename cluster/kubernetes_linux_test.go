package cluster

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"k8s.io/client-go/rest"
)

// insideEnv is set where the test below runs with a root of its own.
const insideEnv = "BOXOFFICE_TEST_INSIDE_POD"

// A member labels its pod, and takes the labels off again. The provider reads its namespace from a file that only pods have:
// the test runs itself again where /run is its own.
func TestKubernetesLabelsThePod(t *testing.T) {
	if os.Getenv(insideEnv) == "" {
		runInside(t)
		return
	}
	const account = "/run/secrets/kubernetes.io/serviceaccount"
	if err := syscall.Mount("tmpfs", "/run", "tmpfs", 0, ""); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(account, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(account+"/namespace", []byte("box"), 0o600); err != nil {
		t.Fatal(err)
	}
	api := newPodAPI(t)
	k, e, _ := begins(t, &rest.Config{Host: api.URL})
	e.becomes("m1 m2 m3")
	if err := k.Shutdown(true); err != nil {
		t.Error(err)
	}
	api.mu.Lock()
	defer api.mu.Unlock()
	if len(api.patched) != 2 {
		t.Fatalf("labels were set %d times: %q", len(api.patched), api.patched)
	}
	for _, want := range []string{`"cluster.proto.actor/cluster":"boxoffice"`, `"cluster.proto.actor/port":"7000"`, `"app":"boxoffice"`} {
		if !strings.Contains(api.patched[0], want) {
			t.Errorf("the pod has no label %s: %s", want, api.patched[0])
		}
	}
	if strings.Contains(api.patched[1], "cluster.proto.actor") || !strings.Contains(api.patched[1], `"app":"boxoffice"`) {
		t.Errorf("the labels stay: %s", api.patched[1])
	}
}

func runInside(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, self, "-test.run=^"+t.Name()+"$")
	cmd.Env = append(os.Environ(), insideEnv+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWNS | syscall.CLONE_NEWUSER,
		UidMappings: []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}},
	}
	out, err := cmd.CombinedOutput()
	if errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.ENOSPC) {
		t.Skip("no user namespaces here:", err)
	}
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}
