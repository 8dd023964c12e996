package http_test

import (
	"math/rand/v2"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

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

// Goal: what a hall's seats cost beside a body of the same size that Fiber sends as it stands: requests a second, and
// their ratio. Method: both in turns of a tenth of a second, so that both see the same machine; -benchtime=20x takes 4 s
// each. The client and its system calls are in both.
func BenchmarkAvailability(b *testing.B) {
	for _, seats := range []int{1252, 50_000} {
		b.Run(strconv.Itoa(seats), func(b *testing.B) {
			s := start(b)
			row := s.plan.Sections[1].Rows[0]
			for len(row.GetSeats()) < seats-3 {
				row.Seats = append(row.Seats, row.GetSeats()[0])
			}
			letters := make([]byte, seats)
			for i, r := 0, rand.New(rand.NewPCG(1, 1)); i < seats; i++ {
				letters[i] = "AAAHSSSS"[r.IntN(8)]
			}
			s.hall(1, string(letters))
			url := s.public + "/api/events/E1/availability"
			zstd := []string{"Accept-Encoding", "gzip, deflate, br, zstd"}
			plain, packed := static(b, s.do("GET", url, "").body), static(b, s.do("GET", url, "", zstd...).body)
			b.Run("plain", func(b *testing.B) { inTurns(b, plain, url, 200) })
			b.Run("zstd", func(b *testing.B) { inTurns(b, packed, url, 200, zstd...) })
			b.Run("304", func(b *testing.B) { inTurns(b, packed, url, 304, "If-None-Match", `W/"1"`) })
			ended, moved := make(chan struct{}), make(chan struct{})
			go func() {
				defer close(moved)
				ticks := time.NewTicker(time.Second / 100)
				defer ticks.Stop()
				for version := uint64(2); ; version++ {
					select {
					case <-ticks.C:
						s.heard(s.move(version, uint32(version%uint64(seats))))
					case <-ended:
						return
					}
				}
			}()
			b.Run("100-changes-plain", func(b *testing.B) { inTurns(b, plain, url, 200) })
			b.Run("100-changes-zstd", func(b *testing.B) { inTurns(b, packed, url, 200, zstd...) })
			close(ended)
			<-moved
		})
	}
}

// inTurns asks a static body and ours.
func inTurns(b *testing.B, static, ours string, want int, headers ...string) {
	client := &fasthttp.Client{MaxConnsPerHost: 1024}
	defer client.CloseIdleConnections()
	var asked [2]int64
	for b.Loop() {
		asked[0] += hammer(b, client, static, 200, headers)
		asked[1] += hammer(b, client, ours, want, headers)
	}
	perSecond := 1 / (float64(b.N) * turn.Seconds())
	b.ReportMetric(float64(asked[0])*perSecond, "static/s")
	b.ReportMetric(float64(asked[1])*perSecond, "ours/s")
	b.ReportMetric(float64(asked[1])/float64(asked[0]), "of-static")
	b.ReportMetric(0, "ns/op")
}

const turn = time.Second / 10

// hammer asks for a turn on 32 connections, and says how often it was answered.
func hammer(b *testing.B, client *fasthttp.Client, url string, want int, headers []string) int64 {
	var answered atomic.Int64
	var all sync.WaitGroup
	until := time.Now().Add(turn)
	for range 32 {
		all.Go(func() {
			req, res := fasthttp.AcquireRequest(), fasthttp.AcquireResponse()
			defer fasthttp.ReleaseRequest(req)
			defer fasthttp.ReleaseResponse(res)
			req.SetRequestURI(url)
			for i := 0; i < len(headers); i += 2 {
				req.Header.Set(headers[i], headers[i+1])
			}
			for time.Now().Before(until) {
				if err := client.Do(req, res); err != nil || res.StatusCode() != want {
					b.Error(err, res.StatusCode())
					return
				}
				answered.Add(1)
			}
		})
	}
	all.Wait()
	return answered.Load()
}

// static is a server whose body is always the same.
func static(b *testing.B, body string) string {
	app := fiber.New(fiber.Config{DisableStartupMessage: true})
	bytes := []byte(body)
	app.Get("/", func(c *fiber.Ctx) error { return c.Send(bytes) })
	ln := must(net.Listen("tcp", "127.0.0.1:0"))
	go func() { _ = app.Listener(ln) }()
	b.Cleanup(func() { _ = app.Shutdown() })
	return "http://" + ln.Addr().String() + "/"
}

// BenchmarkAvailabilityHandler is the handler alone, without a connection, and what it allocates.
func BenchmarkAvailabilityHandler(b *testing.B) {
	s := start(b)
	ctx := &fasthttp.RequestCtx{}
	var req fasthttp.Request
	req.SetRequestURI("/api/events/E1/availability")
	req.Header.Set("Accept-Encoding", "gzip, deflate, br, zstd")
	ctx.Init(&req, nil, nil)
	b.ReportAllocs()
	for b.Loop() {
		ctx.Response.Reset()
		s.handler(ctx)
	}
	if ctx.Response.StatusCode() != 200 {
		b.Error(ctx.Response.StatusCode())
	}
}

func get(b *testing.B, url string, want int, headers []string) {
	client := &fasthttp.Client{MaxConnsPerHost: 1024}
	defer client.CloseIdleConnections()
	b.SetParallelism(16)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		req, res := fasthttp.AcquireRequest(), fasthttp.AcquireResponse()
		defer fasthttp.ReleaseRequest(req)
		defer fasthttp.ReleaseResponse(res)
		req.SetRequestURI(url)
		for i := 0; i < len(headers); i += 2 {
			req.Header.Set(headers[i], headers[i+1])
		}
		for pb.Next() {
			if err := client.Do(req, res); err != nil || res.StatusCode() != want {
				b.Error(err, res.StatusCode())
				return
			}
		}
	})
}
