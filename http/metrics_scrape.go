package http

import (
	"errors"
	"log/slog"

	"github.com/gofiber/fiber/v2"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// scrapesMax run at once: each holds all that is shown in memory.
const scrapesMax = 4

var errNothingGathered = errors.New("metrics cannot be gathered")

// newScrape makes the handler of GET /metrics. What cannot be gathered is missing from the answer, the rest is shown.
func newScrape(from prometheus.Gatherer, log *slog.Logger) handler {
	adapted := adapt(promhttp.HandlerFor(from, promhttp.HandlerOpts{
		ErrorHandling: promhttp.ContinueOnError, ErrorLog: scrapeLog{log}, EnableOpenMetrics: true,
	}).ServeHTTP)
	slots := make(chan struct{}, scrapesMax)
	return func(c *fiber.Ctx) *problem {
		select {
		case slots <- struct{}{}:
			defer func() { <-slots }()
		default:
			return newProblem(codeOverloaded, "Enough scrapes are being answered.").retry(retryAfterSeconds)
		}
		if p := adapted(c); p != nil {
			return internal(errNothingGathered)
		}
		c.Response().Header.Del(fiber.HeaderVary) // promhttp's are two
		c.Set(fiber.HeaderVary, "Accept, Accept-Encoding")
		c.Set(fiber.HeaderXContentTypeOptions, "nosniff")
		return nil
	}
}

// scrapeLog hears what could not be gathered: what is missing from the answer.
type scrapeLog struct{ log *slog.Logger }

func (l scrapeLog) Println(v ...any) {
	l.log.Error("http: metrics are incomplete", slog.Any("cause", v))
}
