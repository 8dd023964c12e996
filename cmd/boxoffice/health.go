package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"time"
)

const (
	// healthMax is longer than the server takes to say that it is not ready.
	healthMax = 3 * time.Second
	// httpAddrDefault is loadConfig's.
	httpAddrDefault = ":8080"
)

// health asks the server of the same environment whether a purchase would succeed: a container of an image without a shell
// has nobody else to ask it. Its error leads to exit code 1, as container engines want it.
func health(ctx context.Context, out io.Writer) error {
	address, err := ownAddress(or(os.Getenv("BOXOFFICE_HTTP_ADDR"), httpAddrDefault))
	if err != nil {
		return fmt.Errorf("BOXOFFICE_HTTP_ADDR: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, healthMax)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/readyz", nil)
	if err != nil {
		return err
	}
	// Whatever proxy the environment names, the way to oneself leads through none.
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(request)
	if err != nil {
		return fmt.Errorf("the server does not answer: %w", err)
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("not ready, its log says why: %s answers %s", request.URL, response.Status)
	}
	fmt.Fprintln(out, "ready")
	return nil
}

// ownAddress is where a server that listens at the address can be reached from its own machine.
func ownAddress(listening string) (string, error) {
	host, port, err := net.SplitHostPort(listening)
	if err != nil {
		return "", err
	}
	if ip := net.ParseIP(host); host == "" || ip.Equal(net.IPv4zero) {
		host = "127.0.0.1"
	} else if ip.Equal(net.IPv6zero) {
		host = "::1"
	}
	return net.JoinHostPort(host, port), nil
}
