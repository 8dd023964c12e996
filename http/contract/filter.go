package contract

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
)

// filteredMax is how many exchanges of an operation and a status kin-openapi's own filter judges.
const filteredMax = 2

// register tells kin-openapi how to read what it does not know, once.
func init() {
	for _, media := range []string{"text/html", "text/css", "text/javascript", "image/svg+xml", eventStream} {
		openapi3filter.RegisterBodyDecoder(media, openapi3filter.PlainBodyDecoder)
	}
}

func (d *Document) first(op *Operation, status int) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	kind := fmt.Sprint(op.OperationID, status)
	d.judged[kind]++
	return d.judged[kind] <= filteredMax
}

// filter lets kin-openapi judge an exchange; allowed is what we think of the request.
func (d *Document) filter(r route, req *http.Request, body []byte, a Answer, allowed bool) error {
	again := req.Clone(context.Background())
	again.Body, again.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	input := &openapi3filter.RequestValidationInput{
		Request: again, PathParams: r.params,
		Route: &routers.Route{Spec: d.T, Path: r.op.Path, PathItem: r.op.Item, Method: r.op.Method, Operation: r.op.Operation},
		Options: &openapi3filter.Options{
			IncludeResponseStatus: true, SkipSettingDefaults: true, AuthenticationFunc: openapi3filter.NoopAuthenticationFunc,
		},
	}
	var errs []error
	if err := openapi3filter.ValidateRequest(context.Background(), input); err != nil && allowed {
		errs = append(errs, fmt.Errorf("kin-openapi forbids the request: %w", err))
	}
	if a.Header.Get("Content-Encoding") == "" && !a.Head {
		err := openapi3filter.ValidateResponse(context.Background(), &openapi3filter.ResponseValidationInput{
			RequestValidationInput: input, Status: a.Status, Header: a.Header, Body: io.NopCloser(bytes.NewReader(a.Body)),
			Options: input.Options,
		})
		if err != nil {
			errs = append(errs, fmt.Errorf("kin-openapi refuses the answer: %w", err))
		}
	}
	return errors.Join(errs...)
}
