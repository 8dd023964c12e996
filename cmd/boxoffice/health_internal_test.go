package main

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
)

// Goal: health asks /readyz of the server that its own environment describes, and fails unless that says yes, whatever proxy
// the environment names. Method: servers of its own that say yes, no and nothing.
func TestHealth(t *testing.T) {
	status := http.StatusOK
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/readyz" {
			t.Errorf("asks for %s", r.URL.Path)
		}
		w.WriteHeader(status)
	}))
	_, port, err := net.SplitHostPort(s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("HTTP_PROXY", "http://127.0.0.1:9")
	for _, address := range []string{":" + port, "0.0.0.0:" + port, "127.0.0.1:" + port, "localhost:" + port} {
		t.Setenv("BOXOFFICE_HTTP_ADDR", address)
		if err := health(t.Context(), io.Discard); err != nil {
			t.Errorf("%s: %v", address, err)
		}
	}
	status = http.StatusServiceUnavailable
	if health(t.Context(), io.Discard) == nil {
		t.Error("a server that is not ready is healthy")
	}
	status = http.StatusOK
	s.Close()
	if health(t.Context(), io.Discard) == nil {
		t.Error("no server at all is healthy")
	}
}

// Goal: wherever the server listens, health reaches it from beside it; and without a setting both mean the same place.
func TestOwnAddress(t *testing.T) {
	for listening, want := range map[string]string{
		":8080": "127.0.0.1:8080", "0.0.0.0:80": "127.0.0.1:80", "[::]:8080": "[::1]:8080", "10.1.2.3:8080": "10.1.2.3:8080",
		"[fd00::1]:8080": "[fd00::1]:8080", "box:8080": "box:8080", "8080": "",
	} {
		if got, err := ownAddress(listening); got != want || (err != nil) != (want == "") {
			t.Errorf("%s: %q, %v; want %q", listening, got, err, want)
		}
	}
	set := map[string]string{"DATABASE_URL": "postgres://", "BOXOFFICE_ADMIN_TOKEN": "t", "BOXOFFICE_DATA_DIR": t.TempDir()}
	c, err := loadConfig(func(name string) string { return set[name] })
	if err != nil || c.httpAddr != httpAddrDefault {
		t.Errorf("the server listens at %q by default, health asks %q: %v", c.httpAddr, httpAddrDefault, err)
	}
}
