package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"syscall"
	"time"

	"boxoffice/persistence/embedded"
)

const (
	// drainMax is how long the server may take to stop; it promises 10 s.
	drainMax = 10 * time.Second

	// readyEvery is how often we ask whether the server is ready, readyMax how long one answer may take.
	readyEvery = 25 * time.Millisecond
	readyMax   = time.Second
)

// checkAddresses says at once when someone else has an address of ours: the server would fail, and whether
// it is ready would be asked of the other one.
func checkAddresses(ctx context.Context, env *settings) error {
	for name, address := range map[string]string{"BOXOFFICE_HTTP_ADDR": env.httpAddr, "BOXOFFICE_ADMIN_ADDR": env.adminAddr} {
		l, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
		if err != nil {
			return fmt.Errorf("%w: stop what listens there, or set %s to another address", err, name)
		}
		if err := l.Close(); err != nil {
			return fmt.Errorf("try %s: %w", address, err)
		}
	}
	return nil
}

// startServer runs `boxoffice serve`. It is built to be killed at any moment, so that is what happens to
// it when we die.
func startServer(env *settings) (*embedded.Child, error) {
	path, err := sibling("boxoffice")
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(path, "serve")
	cmd.Env, cmd.Stdout, cmd.Stderr = env.environ(), os.Stdout, os.Stderr
	return embedded.StartChild(cmd, syscall.SIGKILL)
}

// untilReady waits until a purchase would succeed.
func untilReady(ctx context.Context, env *settings, server *embedded.Child) error {
	client := &http.Client{Timeout: readyMax, Transport: &http.Transport{DisableKeepAlives: true}}
	tick := time.NewTicker(readyEvery)
	defer tick.Stop()
	for {
		if ready(ctx, client, env.baseURL()+"/readyz") {
			return nil
		}
		select {
		case <-tick.C:
		case <-server.Done():
			return fmt.Errorf("the server ended at its start: %w", orExit0(server.Err()))
		case <-ctx.Done():
			return fmt.Errorf("wait for the server to be ready: %w", ctx.Err())
		}
	}
}

func ready(ctx context.Context, client *http.Client, url string) bool {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return false
	}
	response, err := client.Do(request)
	if err != nil {
		return false
	}
	defer func() { _ = response.Body.Close() }()
	return response.StatusCode == http.StatusOK
}

// stopServer lets the server drain. One that ended before has been reported.
func stopServer(server *embedded.Child, out io.Writer) error {
	if !server.Running() {
		return nil
	}
	fmt.Fprintln(out, "\nDraining.")
	if err := server.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	drained := time.NewTimer(drainMax)
	defer drained.Stop()
	select {
	case <-server.Done():
		if err := server.Err(); err != nil {
			return fmt.Errorf("the server drained badly: %w", err)
		}
		return nil
	case <-drained.C:
		err := server.Signal(syscall.SIGKILL)
		<-server.Done()
		return errors.Join(fmt.Errorf("the server had not drained after %v and was killed", drainMax), err)
	}
}
