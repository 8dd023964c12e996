package main

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// settings are what of the server's environment has other defaults under `make run`. Signing keys are not
// among it: the server makes and keeps its own in the data folder.
type settings struct {
	dataDir     string
	databaseURL string // empty: a private Postgres
	redisURL    string // empty: a private Redis
	httpAddr    string
	adminAddr   string
	adminToken  string
}

func loadSettings() (*settings, error) {
	s := &settings{
		databaseURL: os.Getenv("DATABASE_URL"),
		redisURL:    os.Getenv("REDIS_URL"),
		httpAddr:    getenv("BOXOFFICE_HTTP_ADDR", "127.0.0.1:8080"),
		adminAddr:   getenv("BOXOFFICE_ADMIN_ADDR", "127.0.0.1:8081"),
		adminToken:  getenv("BOXOFFICE_ADMIN_TOKEN", "dev"),
	}
	var err error
	if s.dataDir, err = filepath.Abs(getenv("BOXOFFICE_DATA_DIR", ".boxoffice")); err != nil {
		return nil, fmt.Errorf("data folder: %w", err)
	}
	if err := os.MkdirAll(s.dataDir, 0o711); err != nil {
		return nil, fmt.Errorf("data folder: %w", err)
	}
	return s, nil
}

func getenv(name, otherwise string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return otherwise
}

// environ is the environment of the server and its tools.
func (s *settings) environ() []string {
	set := []string{
		"DATABASE_URL=" + s.databaseURL,
		"REDIS_URL=" + s.redisURL,
		"BOXOFFICE_HTTP_ADDR=" + s.httpAddr,
		"BOXOFFICE_ADMIN_ADDR=" + s.adminAddr,
		"BOXOFFICE_ADMIN_TOKEN=" + s.adminToken,
		"BOXOFFICE_DATA_DIR=" + s.dataDir,
	}
	outside := slices.DeleteFunc(os.Environ(), func(have string) bool {
		name, _, _ := strings.Cut(have, "=")
		return slices.ContainsFunc(set, func(ours string) bool { return strings.HasPrefix(ours, name+"=") })
	})
	return append(outside, set...)
}

// baseURL is where a client on this machine finds the server.
func (s *settings) baseURL() string {
	host, port, err := net.SplitHostPort(s.httpAddr)
	if err != nil {
		return "http://" + s.httpAddr
	}
	if ip := net.ParseIP(host); host == "" || ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return "http://" + net.JoinHostPort(host, port)
}
