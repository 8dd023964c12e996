package packaging

import (
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/types"
	"github.com/sirupsen/logrus"
)

const (
	// graceMin is more than a node takes to drain.
	graceMin = 15 * time.Second
	nodes    = 3
)

// secrets have no default.
var secrets = map[string]string{
	"POSTGRES_PASSWORD": "0123456789abcdef", "BOXOFFICE_ADMIN_TOKEN": "fedcba9876543210",
	"BOXOFFICE_TOKEN_KEYS": "k1:" + strings.Repeat("00", 32),
}

// Goal: docker compose takes compose.yaml, starts three nodes as they want to be started, and refuses to start any without
// secrets. Method: the library that Compose itself is made of, with and without each secret.
func TestCompose(t *testing.T) {
	logrus.SetLevel(logrus.ErrorLevel) // it warns of every variable that is not set, as is meant here
	hold(t, composeFaults,
		breakage{"no such key", "compose.yaml", "stop_grace_period", "stop_grace", "stop_grace"},
		breakage{"no yaml", "compose.yaml", "services:\n", "services\n", "compose.yaml"},
		breakage{"two nodes", "compose.yaml", "BOXOFFICE_NODE_NAME: node3, ", "", "3 nodes"},
		breakage{"known password", "compose.yaml", "${POSTGRES_PASSWORD:?", "${POSTGRES_PASSWORD:-", "POSTGRES_PASSWORD"},
		breakage{"known token", "compose.yaml", "${BOXOFFICE_ADMIN_TOKEN:?", "${BOXOFFICE_ADMIN_TOKEN:-", "BOXOFFICE_ADMIN_TOKEN"},
		breakage{"one name twice", "compose.yaml", "BOXOFFICE_NODE_NAME: node3", "BOXOFFICE_NODE_NAME: node2", "calls itself node2"},
		breakage{"wrong address", "compose.yaml", `"node3:8082"`, `"node2:8082"`, "can be reached at"},
		breakage{"short grace", "compose.yaml", "stop_grace_period: 20s", "stop_grace_period: 10s", "node1: has 10s to drain"},
		breakage{"plaintext", "compose.yaml", "BOXOFFICE_CLUSTER_ADDR: \":8082\"", "BOXOFFICE_CLUSTER_ADDR: \":8082\"\n  BOXOFFICE_CLUSTER_PLAINTEXT: trusted-network", "plaintext"},
		breakage{"no certificates", "compose.yaml", "BOXOFFICE_CLUSTER_TLS_CA", "BOXOFFICE_CA", "BOXOFFICE_CLUSTER_TLS_CA"},
		breakage{"root may write", "compose.yaml", "read_only: true\n  cap_drop", "cap_drop", "node1: may write"},
		breakage{"capabilities", "compose.yaml", "  cap_drop: [ALL]\n  #", "  #", "node1: keeps capabilities"},
		breakage{"no health", "compose.yaml", "[CMD, /boxoffice, health]", "[CMD, curl, localhost]", "node1: its health"},
		breakage{"few files", "compose.yaml", "nofile: 200000", "nofile: 1024", "node1: may open 1024 files"},
		breakage{"not again", "compose.yaml", "restart: unless-stopped", `restart: "no"`, "node1: does not come back"},
		breakage{"no limit", "compose.yaml", "memory: 2G, ", "", "node1: no limit of memory"},
		breakage{"limit below the collector's", "compose.yaml", "memory: 2G, ", "memory: 1G, ", "node1: GOMEMLIMIT"},
		breakage{"any Redis", "compose.yaml", "noeviction, --save", "allkeys-lru, --save", "noeviction"},
		breakage{"Postgres forgets", "compose.yaml", `volumes: ["postgres:/var/lib/postgresql/data"]`, "", "postgres: keeps nothing"},
		breakage{"few connections", "compose.yaml", "max_connections=150", "max_connections=100", "max_connections"},
		breakage{"open Postgres", "compose.yaml", "networks: [data]\n    healthcheck", "networks: [nodes]\n    healthcheck", "postgres: can be reached"},
		breakage{"no order", "compose.yaml", "condition: service_healthy", "condition: service_started", "node1: does not wait"},
		breakage{"organisers in public", "compose.yaml", `"127.0.0.1:${BOXOFFICE_PUBLISH_ADMIN:-8081}:8081"`, `"8081:8081"`, "8081 is open to all"},
	)
}

func load(dir string, env map[string]string) (*types.Project, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	return loader.LoadWithContext(context.Background(), types.ConfigDetails{
		WorkingDir: operate(dir, ""), ConfigFiles: []types.ConfigFile{{Filename: operate(dir, "compose.yaml")}}, Environment: maps.Clone(env), // it puts its own there
	})
}

func composeFaults(dir string) []string {
	var l list
	p, err := load(dir, secrets)
	if err != nil {
		return []string{fmt.Sprintf("compose.yaml: %v", err)}
	}
	for name := range secrets {
		env := maps.Clone(secrets)
		delete(env, name)
		if _, err := load(dir, env); err == nil || !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), "openssl rand") {
			l.add("without %s it should say what to do, but: %v", name, err)
		}
	}
	names := map[string]string{}
	for _, s := range p.Services {
		if s.Environment["BOXOFFICE_NODE_NAME"] != nil {
			l.node(s, names)
		}
	}
	l.need(len(names) == nodes, "there should be %d nodes of distinct names, but there are %v", nodes, names)
	l.services(p)
	return l
}

// node notes what is wrong with one; names are those of the nodes before it.
func (l *list) node(s types.ServiceConfig, names map[string]string) {
	env := func(name string) string {
		if v := s.Environment[name]; v != nil {
			return *v
		}
		return ""
	}
	name := env("BOXOFFICE_NODE_NAME")
	l.need(names[name] == "", "%s: calls itself %s, as %s does", s.Name, name, names[name])
	names[name] = s.Name
	l.need(env("BOXOFFICE_CLUSTER_ADVERTISE") == s.Name+env("BOXOFFICE_CLUSTER_ADDR"), "%s: says that it can be reached at %s", s.Name, env("BOXOFFICE_CLUSTER_ADVERTISE"))
	l.need(env("BOXOFFICE_CLUSTER_PLAINTEXT") == "", "%s: speaks plaintext with the others", s.Name)
	for _, file := range []string{"BOXOFFICE_CLUSTER_TLS_CERT", "BOXOFFICE_CLUSTER_TLS_KEY", "BOXOFFICE_CLUSTER_TLS_CA"} {
		l.need(slices.ContainsFunc(s.Volumes, func(v types.ServiceVolumeConfig) bool {
			return v.ReadOnly && filepath.Dir(env(file)) == v.Target
		}), "%s: %s is in no volume", s.Name, file)
	}
	l.need(s.StopGracePeriod != nil && time.Duration(*s.StopGracePeriod) >= graceMin, "%s: has %v to drain", s.Name, s.StopGracePeriod)
	l.need(s.ReadOnly, "%s: may write its image", s.Name)
	l.need(slices.Equal(s.CapDrop, []string{"ALL"}) && len(s.CapAdd) == 0 && !s.Privileged && s.User == "", "%s: keeps capabilities", s.Name)
	l.need(s.HealthCheck != nil && slices.Equal(s.HealthCheck.Test, []string{"CMD", "/boxoffice", "health"}), "%s: its health is %v", s.Name, s.HealthCheck)
	l.need(s.Restart == "unless-stopped", "%s: does not come back after a lost lease", s.Name)
	files := 0
	if u := s.Ulimits["nofile"]; u != nil {
		files = max(u.Single, u.Soft)
	}
	// The streams and connections that the defaults allow, and 800.
	l.need(files >= 150_800, "%s: may open %d files", s.Name, files)
	limit, memory := 0.0, 0.0
	if s.Deploy != nil && s.Deploy.Resources.Limits != nil {
		limit = float64(s.Deploy.Resources.Limits.MemoryBytes)
	}
	_, err := fmt.Sscanf(env("GOMEMLIMIT"), "%fMiB", &memory)
	l.need(limit > 0, "%s: no limit of memory", s.Name)
	l.need(err == nil && memory*(1<<20) < limit, "%s: GOMEMLIMIT %s is not below the limit %v", s.Name, env("GOMEMLIMIT"), limit)
	for on, condition := range map[string]string{"postgres": types.ServiceConditionHealthy, "redis": types.ServiceConditionHealthy, "certificates": types.ServiceConditionCompletedSuccessfully} {
		l.need(s.DependsOn[on].Condition == condition, "%s: does not wait until %s is there", s.Name, on)
	}
}

// services notes what is wrong with the services around the nodes.
func (l *list) services(p *types.Project) {
	images := map[string]bool{}
	for _, s := range p.Services {
		if s.Environment["BOXOFFICE_NODE_NAME"] != nil || s.Name == "certificates" {
			images[s.Image] = true
		}
		for _, port := range s.Ports {
			l.need(s.Name == "proxy", "%s: publishes a port", s.Name)
			l.need(port.Target != 8081 || port.HostIP == "127.0.0.1", "%s: 8081 is open to all", s.Name)
		}
		l.need(s.Name == "certificates" || s.Name == "proxy" || s.HealthCheck != nil, "%s: nobody knows its health", s.Name)
	}
	l.need(len(images) == 1, "nodes and certificates are of more than one image: %v", images)
	for _, name := range []string{"postgres", "redis"} {
		for network := range p.Services[name].Networks {
			l.need(bool(p.Networks[network].Internal), "%s: can be reached by more than nodes", name)
		}
	}
	postgres := p.Services["postgres"]
	l.need(len(postgres.Volumes) == 1 && postgres.Volumes[0].Type == types.VolumeTypeVolume, "postgres: keeps nothing")
	connections := 0
	_, err := fmt.Sscanf(postgres.Command[len(postgres.Command)-1], "max_connections=%d", &connections)
	l.need(err == nil && connections >= (nodes+1)*connectionsPerNode, "postgres: max_connections %d is too few for %d nodes and one more", connections, nodes)
	l.need(strings.Contains(strings.Join(p.Services["redis"].Command, " "), "--maxmemory-policy noeviction"), "redis: its policy is not noeviction")
}
