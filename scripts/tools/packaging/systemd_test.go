package packaging

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// exposureMax is systemd's measure of what a unit may do, times ten: from 0, nothing, to 100, everything.
const exposureMax = 15

// Goal: systemd takes the unit, hardened as it is, and brings back a node that has lost its lease.
// Method: systemd-analyze; and what it does not judge, read from the file.
func TestSystemd(t *testing.T) {
	hold(t, systemdFaults,
		breakage{"no such setting", "boxoffice.service", "LimitNOFILE", "LimitFiles", "LimitFiles"},
		breakage{"no such value", "boxoffice.service", "Restart=on-failure", "Restart=on-whim", "on-whim"},
		breakage{"no command", "boxoffice.service", "ExecStart=", "ExecStop=", "ExecStart"},
		breakage{"soft", "boxoffice.service", "SystemCallFilter=", "# SystemCallFilter=", "exposure"},
		breakage{"root", "boxoffice.service", "User=boxoffice\n", "", "User=boxoffice"},
		breakage{"stays away", "boxoffice.service", "Restart=on-failure\n", "", "Restart=on-failure"},
		breakage{"75 is no reason", "boxoffice.service", "RestartSec=1s", "RestartSec=1s\nRestartPreventExitStatus=75", "RestartPreventExitStatus"},
		breakage{"gives up", "boxoffice.service", "StartLimitIntervalSec=0\n", "", "StartLimitIntervalSec"},
		breakage{"cut short", "boxoffice.service", "TimeoutStopSec=15s", "TimeoutStopSec=5s", "TimeoutStopSec"},
		breakage{"few files", "boxoffice.service", "LimitNOFILE=200000\n", "", "LimitNOFILE"},
		breakage{"another user", "boxoffice.sysusers", "u boxoffice", "u box office", "sysusers"},
	)
}

func systemdFaults(dir string) []string {
	var l list
	unit, err := os.ReadFile(operate(dir, "boxoffice.service"))
	if err != nil {
		return []string{err.Error()}
	}
	const start = "ExecStart=/usr/local/bin/boxoffice serve"
	for _, line := range []string{
		start, "User=boxoffice", "Restart=on-failure", "StartLimitIntervalSec=0", "TimeoutStopSec=15s", "LimitNOFILE=200000",
		"EnvironmentFile=/etc/boxoffice/boxoffice.env",
	} {
		l.need(strings.Contains(string(unit), "\n"+line+"\n"), "boxoffice.service: has no line %s", line)
	}
	l.need(!strings.Contains(string(unit), "RestartPreventExitStatus"), "boxoffice.service: RestartPreventExitStatus keeps a node away: 75 is a lost lease, 2 a panic")
	// It looks whether the command is there.
	scratch, err := os.MkdirTemp("", "boxoffice-unit-")
	if err != nil {
		return []string{err.Error()}
	}
	defer os.RemoveAll(scratch)
	copied := filepath.Join(scratch, "boxoffice.service")
	if err := os.WriteFile(copied, []byte(strings.Replace(string(unit), start, "ExecStart=/bin/true serve", 1)), 0o600); err != nil {
		return []string{err.Error()}
	}
	// It warns of what it does not know, and succeeds.
	if out, err := command("systemd-analyze", "verify", "--man=no", "--recursive-errors=no", copied); err != nil || out != "" {
		l.add("systemd-analyze verify: %v\n%s", err, out)
	}
	if out, err := command("systemd-analyze", "security", "--offline=true", fmt.Sprintf("--threshold=%d", exposureMax), "--no-pager", copied); err != nil {
		l.add("boxoffice.service: its exposure is above %.1f: %v, %s", exposureMax/10.0, err, out[strings.LastIndex(out, "\n")+1:])
	}
	// In a system without users, lest there is such a one here.
	sysusers := exec.Command("systemd-sysusers", "--dry-run", "--root="+scratch, "-")
	if sysusers.Stdin, err = os.Open(operate(dir, "boxoffice.sysusers")); err != nil {
		return append(l, err.Error())
	}
	out, err := sysusers.CombinedOutput()
	l.need(err == nil && strings.Contains(string(out), "Creating user 'boxoffice'"), "sysusers: %v\n%s", err, out)
	return l
}
