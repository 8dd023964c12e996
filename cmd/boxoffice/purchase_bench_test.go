package main_test

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	"boxoffice/persistence/embedded"
	"boxoffice/persistence/embedded/pgtest"
)

// bareFiberEnv makes the test binary the server that purchases are measured beside.
const bareFiberEnv = "BOXOFFICE_TEST_BARE_FIBER"

// bareFiber answers every POST with what a finalize answers, about, and does nothing else.
func bareFiber() {
	app := fiber.New(fiber.Config{DisableStartupMessage: true})
	body := make([]byte, 700)
	_, _ = rand.Read(body)
	body = fmt.Appendf(nil, `{"order":"%s"}`, base64.StdEncoding.EncodeToString(body))[:900]
	app.Post("/*", func(c *fiber.Ctx) error {
		c.Set(fiber.HeaderContentType, fiber.MIMEApplicationJSON)
		return c.Send(body)
	})
	if err := app.Listen(os.Getenv(bareFiberEnv)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

const (
	benchRows, benchRowSeats = 200, 200 // a hall; when it is sold out, the next event is made
	benchOrders              = 100      // a session
	// benchIdleMax is how long the client's cleaner may outlive its connections.
	benchIdleMax = 200 * time.Millisecond
)

// BenchmarkPurchase: the three POSTs of a purchase (create, confirm of a named seat, finalize) on 64 and 256 keep-alive
// connections, beside a bare Fiber POST by the same client on as many. Client, server and Postgres share the machine's
// cores. fsync is off but in the sub-benchmarks that say so. Reported: purchases a second, and how many of the bare posts
// the three posts of a purchase cost.
func BenchmarkPurchase(b *testing.B) {
	bare := startBareFiber(b)
	unsafe := start(b, pgtest.New(b))
	durable := start(b, durablePostgres(b))
	for _, conns := range []int{64, 256} {
		posts := 0.0
		b.Run(fmt.Sprintf("fiber/conns=%d", conns), func(b *testing.B) {
			posts = bare.posts(b, conns)
			b.ReportMetric(posts, "posts/s")
			b.ReportMetric(0, "ns/op")
		})
		for name, s := range map[string]*server{"purchase": unsafe, "purchase-fsync": durable} {
			b.Run(fmt.Sprintf("%s/conns=%d", name, conns), func(b *testing.B) {
				rate, waited := s.purchases(b, conns)
				for i, call := range []string{"create", "confirm", "finalize"} {
					b.ReportMetric(waited[i].Seconds()*1000/float64(b.N), "ms/"+call)
				}
				b.ReportMetric(rate, "purchases/s")
				b.ReportMetric(0, "ns/op")
				if posts > 0 {
					b.ReportMetric(100*3*rate/posts, "%-of-bare-posts")
				}
			})
		}
	}
	verify(b, unsafe.database)
	verify(b, durable.database)
}

// purchases makes b.N of them and says how many a second, and how long all of them together waited for each call.
func (s *server) purchases(b *testing.B, conns int) (rate float64, waited [3]time.Duration) {
	shop := &shop{s: s}
	shop.stock(b, b.N)
	public, _ := s.at()
	client := benchClient(public, conns)
	clerks := make([]*clerk, conns)
	for i := range clerks {
		clerks[i] = &clerk{shop: shop, client: client}
		must(b, clerks[i].join(0))
	}
	rate = inParallel(b, conns, func(worker, n int) error { return clerks[worker].purchase(n) }, client)
	for _, c := range clerks {
		for i := range waited {
			waited[i] += c.waited[i]
		}
	}
	return rate, waited
}

// inParallel does b.N things on so many goroutines and says how many a second.
func inParallel(b *testing.B, workers int, do func(worker, n int) error, client *fasthttp.HostClient) float64 {
	b.Helper()
	var next atomic.Int64
	var failed atomic.Pointer[error]
	var wg sync.WaitGroup
	b.ResetTimer()
	begun := time.Now()
	for worker := range workers {
		wg.Go(func() {
			for failed.Load() == nil {
				n := int(next.Add(1)) - 1
				if n >= b.N {
					return
				}
				if err := do(worker, n); err != nil {
					failed.Store(&err)
				}
			}
		})
	}
	wg.Wait()
	took := time.Since(begun)
	b.StopTimer()
	client.CloseIdleConnections()
	if err := failed.Load(); err != nil {
		b.Fatal(*err)
	}
	return float64(b.N) / took.Seconds()
}

func benchClient(url string, conns int) *fasthttp.HostClient {
	return &fasthttp.HostClient{
		Addr: url[len("http://"):], MaxConns: conns, MaxIdleConnDuration: benchIdleMax,
		// Its own dialer would leave a goroutine behind.
		Dial: func(addr string) (net.Conn, error) { return net.Dial("tcp", addr) },
	}
}

// shop has seats enough for one run: seat n is in event n / hall.
type shop struct {
	s      *server
	prefix string
}

func (s *shop) stock(b *testing.B, n int) {
	b.Helper()
	s.prefix = rand.Text()[:8]
	plan := hall(benchRows, benchRowSeats)
	for i := 0; i <= (n-1)/(benchRows*benchRowSeats); i++ {
		a := s.s.organise("POST", "", newEvent(s.event(i), plan, map[string]any{"maxOrdersPerSession": benchOrders}))
		must(b, a.is(201))
		must(b, s.s.organise("GET", "/"+s.event(i)+"/report", "").is(200)) // activates it
	}
}

func (s *shop) event(i int) string { return s.prefix + "-" + strconv.Itoa(i) }

// clerk buys on one connection, one seat after the other.
type clerk struct {
	*shop
	client *fasthttp.HostClient
	buyer  buyer
	event  int
	orders int
	waited [3]time.Duration
}

func (c *clerk) join(event int) (err error) {
	c.event, c.orders = event, 0
	c.buyer, err = c.s.join(c.shop.event(event))
	return err
}

func (c *clerk) purchase(n int) error {
	event, seat := n/(benchRows*benchRowSeats), n%(benchRows*benchRowSeats)
	if event != c.event || c.orders == benchOrders {
		if err := c.join(event); err != nil {
			return err
		}
	}
	c.orders++
	key := strconv.Itoa(n)
	body, err := c.post(0, "/api/orders", key, `{"eventId":"`+c.buyer.event+`"}`, 201)
	if err != nil {
		return err
	}
	// {"orderId":"…", and so on: parsing it would cost as much as the server's part.
	id, _, _ := strings.Cut(strings.TrimPrefix(string(body), `{"orderId":"`), `"`)
	wanted := pay(named(seatID(seat/benchRowSeats+1, seat%benchRowSeats+1)), "tok_visa")
	if _, err := c.post(1, "/api/orders/"+id+":confirm", key, wanted, 202); err != nil {
		return err
	}
	_, err = c.post(2, "/api/orders/"+id+":finalize", key, "{}", 200)
	return err
}

func (c *clerk) post(call int, path, key, body string, status int) ([]byte, error) {
	begun := time.Now()
	defer func() { c.waited[call] += time.Since(begun) }()
	return post(c.client, path, c.buyer.token, key, body, status)
}

func post(client *fasthttp.HostClient, path, token, key, body string, status int) ([]byte, error) {
	request, response := fasthttp.AcquireRequest(), fasthttp.AcquireResponse()
	defer fasthttp.ReleaseRequest(request)
	defer fasthttp.ReleaseResponse(response)
	request.Header.SetMethod("POST")
	request.SetRequestURI(path)
	request.Header.SetHost("boxoffice")
	request.Header.SetContentType("application/json")
	request.Header.Set("Authorization", "Bearer "+token)
	request.Header.Set("Idempotency-Key", key)
	request.SetBodyString(body)
	if err := client.DoTimeout(request, response, answerMax); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if response.StatusCode() != status {
		return nil, fmt.Errorf("%s: want %d, got %d: %s", path, status, response.StatusCode(), response.Body())
	}
	return append([]byte(nil), response.Body()...), nil
}

// bareServer is a bareFiber in a process of its own.
type bareServer struct{ url string }

func startBareFiber(b *testing.B) bareServer {
	b.Helper()
	address := freeAddress(b)
	cmd := exec.Command(os.Args[0])
	cmd.Env = environ(bareFiberEnv + "=" + address)
	cmd.Stderr = os.Stderr
	child, err := embedded.StartChild(cmd, syscall.SIGKILL)
	must(b, err)
	b.Cleanup(func() {
		_ = child.Signal(syscall.SIGKILL)
		<-child.Done()
	})
	s := bareServer{"http://" + address}
	client := benchClient(s.url, 1)
	until(b, patience, func() error {
		_, err := post(client, "/", "", "", "{}", 200)
		return err
	})
	client.CloseIdleConnections()
	return s
}

// posts makes b.N of them, with a confirm's body, and says how many a second.
func (s bareServer) posts(b *testing.B, conns int) float64 {
	client := benchClient(s.url, conns)
	token, body := rand.Text()+rand.Text()+rand.Text()+rand.Text(), pay(named("R100-100"), "tok_visa")
	return inParallel(b, conns, func(_, n int) error {
		_, err := post(client, "/api/orders/E1.o_AAAAAAAAAAAAAAAAAAAAAA:confirm", token, strconv.Itoa(n), body, 200)
		return err
	}, client)
}

// durablePostgres is on disk, with fsync on.
func durablePostgres(b *testing.B) string {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), time.Minute)
	defer cancel()
	p, err := embedded.StartPostgres(ctx, embedded.PostgresConfig{Dir: b.TempDir(), Durable: true})
	must(b, err)
	b.Cleanup(func() { must(b, p.Stop(context.WithoutCancel(b.Context()))) })
	return p.URL()
}
