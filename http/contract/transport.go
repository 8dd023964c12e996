package contract

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// Beyond is a header that tells a Transport why a request is refused for its form although the document allows it: for
// what a schema cannot tell, as a cursor that is not ours. It is not sent.
const Beyond = "Contract-Beyond"

// Transport judges every exchange that goes through it. Fields must not change while it is used.
type Transport struct {
	Document *Document
	// Base sends the requests; default http.DefaultTransport.
	Base http.RoundTripper
	// Listener says which one answers at a host with its port. Default: the public one.
	Listener func(host string) Listener
	// Report takes what does not fit. It may be called by several goroutines at once, as testing.TB.Error may.
	Report func(error)
}

// RoundTrip sends the request, and brings the answer whatever is wrong with it.
func (t *Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	beyond := req.Header.Get(Beyond) != ""
	var body []byte
	if req.Body != nil {
		var err error
		if body, err = io.ReadAll(req.Body); err != nil {
			return nil, fmt.Errorf("read the request's body: %w", err)
		}
		_ = req.Body.Close()
	}
	sent := req.Clone(req.Context())
	sent.Header.Del(Beyond)
	if req.Body != nil && req.Body != http.NoBody {
		sent.Body = io.NopCloser(bytes.NewReader(body))
		sent.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
	}
	base := t.Base
	if base == nil {
		base = http.DefaultTransport
	}
	res, err := base.RoundTrip(sent)
	if err != nil {
		return nil, err
	}
	l := Public
	if t.Listener != nil {
		l = t.Listener(req.URL.Host)
	}
	a := Answer{Status: res.StatusCode, Header: res.Header, Head: req.Method == http.MethodHead}
	if strings.HasPrefix(res.Header.Get("Content-Type"), eventStream) && !a.Head {
		res.Body = t.Document.events(l, sent, res.Body, t.Report)
	} else {
		defer res.Body.Close()
		if a.Body, err = io.ReadAll(res.Body); err != nil {
			return nil, fmt.Errorf("read the answer's body: %w", err)
		}
		res.Body = io.NopCloser(bytes.NewReader(a.Body))
	}
	if err := t.Document.exchange(l, sent, body, a, beyond); err != nil {
		t.Report(fmt.Errorf("%s %s %.200s → %d %.400s: %w", req.Method, req.URL, body, a.Status, a.Body, err))
	}
	return res, nil
}
