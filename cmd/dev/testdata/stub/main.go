// Command stub stands in for boxoffice in cmd/dev's test: it is ready at once, notes what it was told in
// its data folder, and drains on SIGTERM.
package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

func main() {
	note := func(name, text string) {
		if err := os.WriteFile(filepath.Join(os.Getenv("BOXOFFICE_DATA_DIR"), name), []byte(text), 0o600); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	switch os.Args[1] {
	case "import":
		plan, _ := io.ReadAll(os.Stdin)
		note("imported", strings.Join(os.Args[2:], "\n")+"\n"+strconv.Itoa(len(plan)))
		os.Exit(3) // as if the event were there
	case "serve":
		ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
		defer stop()
		http.HandleFunc("/readyz", func(http.ResponseWriter, *http.Request) {})
		server := &http.Server{Addr: os.Getenv("BOXOFFICE_HTTP_ADDR")}
		go func() { fmt.Fprintln(os.Stderr, "stub:", server.ListenAndServe()) }()
		note("served", fmt.Sprint(os.Getpid(), "\n", os.Getenv("DATABASE_URL"), "\n", os.Getenv("REDIS_URL")))
		<-ctx.Done()
		note("drained", "")
	}
}
