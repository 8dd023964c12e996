package packaging

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// Goal: the proxy of compose.yaml starts, knows all nodes, and believes nobody about who he is.
// Method: HAProxy's own check; and what that does not judge, read from the file.
func TestHAProxy(t *testing.T) {
	hold(t, haproxyFaults,
		breakage{"no such word", "haproxy.cfg", "option redispatch", "option dispatch", "dispatch"},
		breakage{"no such backend", "haproxy.cfg", "default_backend nodes", "default_backend node", "node"},
		breakage{"believes", "haproxy.cfg", "set-header X-Forwarded-For", "add-header X-Forwarded-For", "X-Forwarded-For"},
		breakage{"whose trace", "haproxy.cfg", "\thttp-request del-header traceparent\n", "", "traceparent"},
		breakage{"a node less", "haproxy.cfg", "\tserver node3 node3:8080\n", "", "node3:8080"},
		breakage{"repeats payments", "haproxy.cfg", "retry-on conn-failure", "retry-on all-retryable-errors", "retry-on"},
		breakage{"not whether it is ready", "haproxy.cfg", "GET /readyz", "GET /livez", "/readyz"},
	)
}

func haproxyFaults(dir string) []string {
	var l list
	name := operate(dir, "haproxy.cfg")
	text, err := os.ReadFile(name)
	if err != nil {
		return []string{err.Error()}
	}
	program := "/usr/sbin/haproxy"
	if _, err := os.Stat(program); err != nil {
		program = "haproxy"
	}
	// It cannot resolve the nodes' names here, which is what init-addr none is for.
	if out, err := command(program, "-c", "-f", name); err != nil {
		l.add("haproxy -c: %v\n%s", err, out)
	}
	for _, line := range []string{"retry-on conn-failure", "option httpchk GET /readyz"} {
		l.need(strings.Contains(string(text), "\t"+line+"\n"), "haproxy.cfg: has no line %s", line)
	}
	frontends := strings.Count(string(text), "\nfrontend ")
	l.need(strings.Count(string(text), "\thttp-request set-header X-Forwarded-For %[src]\n") == frontends, "haproxy.cfg: a frontend believes a client's X-Forwarded-For")
	l.need(strings.Count(string(text), "\thttp-request del-header traceparent\n") == frontends, "haproxy.cfg: a frontend hands through a client's traceparent")
	for n := range nodes {
		for _, port := range []string{"8080", "8081"} {
			address := fmt.Sprintf("node%d:%s", n+1, port)
			l.need(strings.Count(string(text), address) == 2, "haproxy.cfg: %s is not there twice, as itself and as backup", address)
		}
	}
	return l
}
