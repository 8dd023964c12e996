package main

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"boxoffice/http"
)

// config is what the environment says. README.md lists the names with their meaning.
type config struct {
	databaseURL  string
	httpAddr     string
	adminAddr    string
	adminToken   string
	tokenKeys    http.Keys
	ticketKeys   http.Keys
	paymentDelay time.Duration
}

// loadConfig tells everything that is wrong at once.
func loadConfig(getenv func(string) string) (config, error) {
	c := config{
		databaseURL: getenv("DATABASE_URL"),
		httpAddr:    or(getenv("BOXOFFICE_HTTP_ADDR"), ":8080"),
		adminAddr:   or(getenv("BOXOFFICE_ADMIN_ADDR"), "127.0.0.1:8081"),
		adminToken:  getenv("BOXOFFICE_ADMIN_TOKEN"),
	}
	var faults []error
	if c.databaseURL == "" {
		faults = append(faults, errors.New("DATABASE_URL is not set: a Postgres 15 or newer, postgres://user@host/database"))
	}
	if c.adminToken == "" {
		faults = append(faults, errors.New("BOXOFFICE_ADMIN_TOKEN is not set: the organiser's password, any long random text"))
	}
	var err error
	if c.paymentDelay, err = time.ParseDuration(or(getenv("BOXOFFICE_MOCK_PAYMENT_DELAY"), "0s")); err != nil || c.paymentDelay < 0 {
		faults = append(faults, errors.New("BOXOFFICE_MOCK_PAYMENT_DELAY is not a duration such as 150ms"))
	}
	keys := getenv("BOXOFFICE_TOKEN_KEYS")
	if keys == "" && len(faults) == 0 {
		if keys, err = keptKeys(filepath.Join(or(getenv("BOXOFFICE_DATA_DIR"), ".boxoffice"), "token-keys")); err != nil {
			faults = append(faults, fmt.Errorf("BOXOFFICE_TOKEN_KEYS is not set, and none could be kept in BOXOFFICE_DATA_DIR: %w", err))
		}
	}
	if keys != "" {
		if c.tokenKeys, err = http.ParseKeys(keys); err != nil {
			faults = append(faults, fmt.Errorf("BOXOFFICE_TOKEN_KEYS: %w", err))
		}
		if c.ticketKeys, err = http.ParseKeys(or(getenv("BOXOFFICE_TICKET_KEYS"), keys)); err != nil {
			faults = append(faults, fmt.Errorf("BOXOFFICE_TICKET_KEYS: %w", err))
		}
	}
	return c, errors.Join(faults...)
}

func or(value, otherwise string) string {
	if value == "" {
		return otherwise
	}
	return value
}

// keptKeys reads the signing key, made at the first start: tokens and tickets stay good over restarts, and no two
// installations share a key.
func keptKeys(path string) (string, error) {
	b, err := os.ReadFile(path)
	if err == nil && len(b) > 0 {
		return strings.TrimSpace(string(b)), nil
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o711); err != nil {
		return "", err
	}
	secret := make([]byte, 32)
	_, _ = rand.Read(secret) // never fails
	keys := "k1:" + base64.RawURLEncoding.EncodeToString(secret)
	// Written aside and linked into place: a crash leaves no cut-off key, and of two that start at once one wins.
	aside, err := os.CreateTemp(filepath.Dir(path), "token-keys-*")
	if err != nil {
		return "", err
	}
	defer os.Remove(aside.Name())
	_, err = aside.WriteString(keys + "\n")
	if err := errors.Join(err, aside.Sync(), aside.Close()); err != nil {
		return "", err
	}
	if err := os.Link(aside.Name(), path); errors.Is(err, os.ErrExist) {
		return keptKeys(path)
	} else if err != nil {
		return "", err
	}
	return keys, nil
}
