package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"boxoffice/http"
)

// config is what the environment says. README.md lists the names with their meaning.
type config struct {
	databaseURL  string
	redisURL     string // "": none
	httpAddr     string
	adminAddr    string
	adminToken   string
	tokenKeys    http.Keys
	ticketKeys   http.Keys
	paymentDelay time.Duration
	limits       limits
	cluster      clusterConfig
}

// paymentDelayMax is how long the engine waits for the payment provider: one that always takes longer would never be
// heard, and no order would ever be paid.
const paymentDelayMax = 5 * time.Second

// loadConfig tells everything that is wrong at once.
func loadConfig(getenv func(string) string) (config, error) {
	c := config{
		databaseURL: getenv("DATABASE_URL"),
		redisURL:    getenv("REDIS_URL"),
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
	if c.paymentDelay >= paymentDelayMax {
		faults = append(faults, fmt.Errorf("BOXOFFICE_MOCK_PAYMENT_DELAY is %v, but no payment would ever succeed: after %v "+
			"the provider counts as silent", c.paymentDelay, paymentDelayMax))
	}
	var fault error
	if c.limits, fault = loadLimits(getenv); fault != nil {
		faults = append(faults, fault)
	}
	if c.cluster, fault = loadCluster(getenv); fault != nil {
		faults = append(faults, fault)
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
