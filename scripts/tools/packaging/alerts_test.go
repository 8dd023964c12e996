package packaging

import (
	"os"
	"strings"
	"testing"
)

// Goal: Prometheus takes the alert rules, and each fires when it should, and is explained. Method: promtool, on the rules and on
// their own tests.
func TestAlerts(t *testing.T) {
	hold(t, alertFaults,
		breakage{"no such field", "alerts.yml", "        expr:", "        expression:", "expression"},
		breakage{"no expression", "alerts.yml", "        expr: ", "        expr: ) + ", "parse"},
		breakage{"never fires", "alerts.yml", "        expr: ", "        expr: absent(vector(1)) and ", "FAILED"},
		breakage{"not explained", "alerts.md", "BoxofficeLeaseLost", "BoxofficeSomething", "BoxofficeLeaseLost"},
	)
}

func alertFaults(dir string) []string {
	var l list
	rules, err := os.ReadFile(operate(dir, "alerts.yml"))
	if err != nil {
		return []string{err.Error()}
	}
	words, err := os.ReadFile(operate(dir, "alerts.md"))
	l.need(err == nil, "%v", err)
	alerts := 0
	for line := range strings.Lines(string(rules)) {
		if name, ok := strings.CutPrefix(strings.TrimSpace(line), "- alert: "); ok {
			alerts++
			l.need(strings.Contains(string(words), name), "alerts.md: does not say what %s means", name)
		}
	}
	l.need(alerts > 0, "alerts.yml: no alert is found")
	for _, args := range [][]string{{"check", "rules", "alerts.yml"}, {"test", "rules", "alerts_test.yml"}} {
		args[2] = operate(dir, args[2])
		if out, err := command("promtool", args...); err != nil {
			l.add("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
	return l
}
