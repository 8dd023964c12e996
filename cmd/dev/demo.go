package main

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"boxoffice/persistence/embedded"
)

// exitEventExists is what `boxoffice import` exits with for an event that is there already.
const exitEventExists = 3

// seatingPlan is the real plan of the Riethsporthalle in Erfurt.
//
//go:embed riethsporthalle.seatingplan.json
var seatingPlan []byte

// demoArguments import the demonstration event; the prices cover all categories of the plan.
func demoArguments(now time.Time) []string {
	day := now.UTC().AddDate(0, 4, 0)
	startsAt := time.Date(day.Year(), day.Month(), day.Day(), 18, 0, 0, 0, time.UTC)
	return []string{
		"import", "-",
		"--event", "E1",
		"--name", "Riethsporthalle Erfurt — Demo",
		"--venue", "Riethsporthalle",
		"--city", "Erfurt",
		"--starts-at", startsAt.Format(time.RFC3339),
		"--currency", "EUR",
		"--price", "Kategorie I=49.50",
		"--price", "Kategorie II=39.50",
		"--price", "Kategorie III=29.50",
		"--price", "Fanblock=24.00",
		"--price", "C unten=34.50",
		"--price", "VIP=119.00",
	}
}

// importDemo puts the demonstration event on sale, unless it is there.
func importDemo(ctx context.Context, env *settings) error {
	path, err := sibling("boxoffice")
	if err != nil {
		return err
	}
	var output bytes.Buffer
	cmd := exec.Command(path, demoArguments(time.Now())...)
	cmd.Env, cmd.Stdin, cmd.Stdout, cmd.Stderr = env.environ(), bytes.NewReader(seatingPlan), &output, &output
	child, err := embedded.StartChild(cmd, syscall.SIGKILL)
	if err != nil {
		return err
	}
	select {
	case <-child.Done():
	case <-ctx.Done():
		err := child.Signal(syscall.SIGKILL)
		<-child.Done()
		return errors.Join(fmt.Errorf("import the event E1: %w", ctx.Err()), err)
	}
	err = child.Err()
	if exit := new(exec.ExitError); errors.As(err, &exit) && exit.ExitCode() == exitEventExists {
		return nil
	}
	if err != nil {
		return fmt.Errorf("import the event E1: %w: %s", err, bytes.TrimSpace(output.Bytes()))
	}
	return nil
}

// walkthrough buys two seats. It needs a POSIX shell, curl and sed: the values that the next step wants
// are cut out of the JSON. The curl that listens would notice only at the next event that nobody reads any more: it is
// ended. The keys can be constants, since a key's scope is the session.
const walkthrough = `
boxoffice is ready: open BASE_URL in a browser to buy, http://ADMIN_ADDR to organise (token: ADMIN_TOKEN)
On sale: E1, Riethsporthalle Erfurt — Demo. To buy two seats, paste into another shell:

# --- buy two seats
BASE=BASE_URL
JSON='Content-Type: application/json'

# 1. join the waiting room
SESSION=$(curl -sS -X POST "$BASE/api/waiting-room/sessions" -H "$JSON" -d '{"eventId":"E1"}')
printf '%s\n' "$SESSION"
SESSION_ID=$(printf '%s' "$SESSION" | sed -n 's/.*"sessionId": *"\([^"]*\)".*/\1/p')

# 2. listen until the event waiting-room-active brings the token that lets its holder order (to watch: curl -N that address)
TOKEN=$(sh -c 'echo $$; exec curl -sSN "$0"' "$BASE/api/sse/waiting-room/sessions/$SESSION_ID" | {
  read -r CURL; sed -n '/"accessToken"/{s/.*"accessToken": *"\([^"]*\)".*/\1/p;q;}'; kill "$CURL"; })
printf 'token %s\n' "$TOKEN"

# 3. order
ORDER=$(curl -sS -X POST "$BASE/api/orders" -H "Authorization: Bearer $TOKEN" -H 'Idempotency-Key: order-1' -H "$JSON" -d '{"eventId":"E1"}')
printf '%s\n' "$ORDER"
ORDER_ID=$(printf '%s' "$ORDER" | sed -n 's/.*"orderId": *"\([^"]*\)".*/\1/p')

# 4. confirm: holds the best two seats and authorizes the payment
curl -sS -X POST "$BASE/api/orders/${ORDER_ID}:confirm" -H "Authorization: Bearer $TOKEN" -H 'Idempotency-Key: confirm-1' -H "$JSON" -d '{"bestAvailable":{"quantity":2,"category":"Kategorie I"},"paymentToken":"tok_visa"}'; echo

# 5. finalize: captures the payment and issues the tickets
curl -sS -X POST "$BASE/api/orders/${ORDER_ID}:finalize" -H "Authorization: Bearer $TOKEN" -H 'Idempotency-Key: finalize-1'; echo

# 6. the order and its tickets, and what is left in the house
curl -sS "$BASE/api/orders/${ORDER_ID}" -H "Authorization: Bearer $TOKEN"; echo
curl -sS "$BASE/api/waiting-room/sessions/${SESSION_ID}"; echo
curl -sS "$BASE/api/events/E1/availability" | sed 's/,"sections".*//'; echo
# ---

Ctrl-C stops everything; the data stays in DATA_DIR.
`

func printDemo(out io.Writer, env *settings) {
	fmt.Fprint(out, strings.NewReplacer(
		"BASE_URL", env.baseURL(), "ADMIN_ADDR", env.adminAddr, "ADMIN_TOKEN", shownToken(env.adminToken), "DATA_DIR", env.dataDir,
	).Replace(walkthrough))
}

// shownToken is the token where it is the well-known default, and never a secret one: terminals are
// logged and shared.
func shownToken(token string) string {
	if token == "dev" {
		return token
	}
	return "as in BOXOFFICE_ADMIN_TOKEN"
}
