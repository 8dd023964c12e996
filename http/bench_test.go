package http_test

import (
	"net"
	"strings"
	"testing"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	"boxoffice/http"
	"boxoffice/messages"
)

func BenchmarkRender(b *testing.B) {
	reply := &messages.Reply{Outcome: messages.Outcome_OUTCOME_ORDER_AUTHORIZED, Order: orderMessage(messages.OrderStatus_ORDER_STATUS_AUTHORIZED)}
	b.ReportAllocs()
	for b.Loop() {
		http.Render(reply)
	}
}

func BenchmarkVerify(b *testing.B) {
	keys := must(http.ParseKeys(testSecret))
	token := keys.Sign(testClaims)
	b.ReportAllocs()
	for b.Loop() {
		keys.Verify(token)
	}
}

// Compare the two: what the order path costs beside a POST that Fiber answers with nothing done. The client and its
// system calls are in both.
func BenchmarkBarePost(b *testing.B) {
	app := fiber.New(fiber.Config{DisableStartupMessage: true})
	app.Post("/", func(c *fiber.Ctx) error { return c.SendString("{}") })
	ln := must(net.Listen("tcp", "127.0.0.1:0"))
	go func() { _ = app.Listener(ln) }()
	defer func() { _ = app.Shutdown() }()
	post(b, "http://"+ln.Addr().String()+"/", nil, 200)
}

func BenchmarkConfirmPost(b *testing.B) {
	s := start(b)
	reply := &messages.Reply{Outcome: messages.Outcome_OUTCOME_ORDER_AUTHORIZED, Order: orderMessage(messages.OrderStatus_ORDER_STATUS_AUTHORIZED)}
	reply.Answer = http.Render(reply)
	s.mu.Lock()
	s.ask = func(*messages.Request) *messages.Reply {
		s.asked = s.asked[:0]
		return reply
	}
	s.mu.Unlock()
	post(b, s.public+orderPath(":confirm"), map[string]string{
		"Authorization": "Bearer " + s.token(testNow+1000), "Idempotency-Key": strings.Repeat("k", 32),
	}, 202)
}

func post(b *testing.B, url string, headers map[string]string, want int) {
	const body = `{"seats":["D-14-1","D-14-2"],"paymentToken":"tok_visa"}`
	client := &fasthttp.Client{MaxConnsPerHost: 1024}
	defer client.CloseIdleConnections()
	b.SetParallelism(16)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		req, res := fasthttp.AcquireRequest(), fasthttp.AcquireResponse()
		defer fasthttp.ReleaseRequest(req)
		defer fasthttp.ReleaseResponse(res)
		req.SetRequestURI(url)
		req.Header.SetMethod("POST")
		req.Header.SetContentType("application/json")
		for k, v := range headers {
			req.Header.Set(k, v)
		}
		req.SetBodyString(body)
		for pb.Next() {
			if err := client.Do(req, res); err != nil || res.StatusCode() != want {
				b.Error(err, res.StatusCode())
				return
			}
		}
	})
}
