package sse

import (
	"os"
	"testing"

	"go.uber.org/goleak"
)

// No goroutine of a server outlives its Drain. The binary runs itself as the benchmarks' clients.
func TestMain(m *testing.M) {
	if to := os.Getenv(clientsEnv); to != "" {
		runClients(to)
		return
	}
	goleak.VerifyTestMain(m,
		// fasthttp keeps its clock for the process and its pools' cleaners for seconds.
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"),
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*workerPool).Start.func2"),
	)
}
