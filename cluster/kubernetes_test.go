package cluster

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"

	"boxoffice/messages"
	"boxoffice/persistence/memory"
)

// Goal: those members own events whose pods Kubernetes calls ready; where it says nothing, all do. Method: the real provider
// of protoactor against an API server that serves what it asks for.

// podAPI serves the pods of one namespace.
type podAPI struct {
	*httptest.Server
	mu      sync.Mutex
	pods    map[string]*corev1.Pod
	watches map[chan metav1.WatchEvent]bool
	patched []string // the labels that pods were given
}

func newPodAPI(t *testing.T) *podAPI {
	a := &podAPI{pods: map[string]*corev1.Pod{}, watches: map[chan metav1.WatchEvent]bool{}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/v1/pods", a.watch) // of all namespaces, where the provider does not know its own
	mux.HandleFunc("GET /api/v1/namespaces/box/pods", a.watch)
	mux.HandleFunc("/api/v1/namespaces/box/pods/{name}", a.pod)
	a.Server = httptest.NewServer(mux)
	a.Config.SetKeepAlivesEnabled(false) // no connection outlives its request
	t.Cleanup(func() {
		a.drop()
		a.Close()
	})
	return a
}

// watch begins with the pods that there are.
func (a *podAPI) watch(w http.ResponseWriter, r *http.Request) {
	events := make(chan metav1.WatchEvent, 100)
	a.mu.Lock()
	for _, p := range a.pods {
		events <- event("ADDED", p)
	}
	a.watches[events] = true
	a.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	_ = http.NewResponseController(w).Flush()
	for {
		select {
		case e, more := <-events:
			if !more || json.NewEncoder(w).Encode(e) != nil {
				return
			}
			_ = http.NewResponseController(w).Flush()
		case <-r.Context().Done():
			return
		}
	}
}

// pod is read, or its labels are set.
func (a *podAPI) pod(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	p := &corev1.Pod{
		TypeMeta:   metav1.TypeMeta{Kind: "Pod", APIVersion: "v1"},
		ObjectMeta: metav1.ObjectMeta{Name: r.PathValue("name"), Namespace: "box", Labels: map[string]string{"app": "boxoffice"}},
	}
	if r.Method == http.MethodPatch {
		body, _ := io.ReadAll(r.Body)
		a.patched = append(a.patched, string(body))
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(p)
}

func event(kind string, p *corev1.Pod) (e metav1.WatchEvent) {
	e.Type = kind
	e.Object.Object = p.DeepCopy()
	return e
}

func (a *podAPI) send(e metav1.WatchEvent) {
	for w := range a.watches {
		w <- e
	}
}

// set a pod at an address 10.0.0.n:7000.
func (a *podAPI) set(n int, ready bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	name := fmt.Sprint("boxoffice-", n)
	p := &corev1.Pod{
		TypeMeta: metav1.TypeMeta{Kind: "Pod", APIVersion: "v1"},
		ObjectMeta: metav1.ObjectMeta{Name: name, UID: types.UID(name), Labels: map[string]string{
			"cluster.proto.actor/cluster": clusterName, "cluster.proto.actor/port": "7000", "cluster.proto.actor/member-id": name,
		}},
		Status: corev1.PodStatus{
			Phase: corev1.PodRunning, PodIP: fmt.Sprint("10.0.0.", n), PodIPs: []corev1.PodIP{{IP: fmt.Sprint("10.0.0.", n)}},
			ContainerStatuses: []corev1.ContainerStatus{{Ready: ready}},
		},
	}
	kind := "MODIFIED"
	if a.pods[name] == nil {
		kind = "ADDED"
	}
	a.pods[name] = p
	a.send(event(kind, p))
}

func (a *podAPI) remove(n int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	name := fmt.Sprint("boxoffice-", n)
	a.send(event("DELETED", a.pods[name]))
	delete(a.pods, name)
}

// drop all watches.
func (a *podAPI) drop() {
	a.mu.Lock()
	defer a.mu.Unlock()
	for w := range a.watches {
		close(w)
	}
	clear(a.watches)
}

// entitlement is what the node hears: the addresses that may own events, joined.
type entitlement struct {
	*testing.T
	heard chan string
	last  string
}

func (e *entitlement) changed(members []messages.Member) {
	var owners []string
	for _, m := range members {
		if !m.Leaving {
			owners = append(owners, m.Name)
		}
	}
	slices.Sort(owners)
	e.heard <- strings.Join(owners, " ")
}

// becomes waits until these own events.
func (e *entitlement) becomes(want string) {
	e.Helper()
	timeout := time.After(30 * time.Second) // of real time: the provider watches again 5 s after a watch broke
	for e.last != want {
		select {
		case e.last = <-e.heard:
		case <-timeout:
			e.Fatalf("%q own events, want %q", e.last, want)
		}
	}
}

// begins a member that Kubernetes has a say about, at 10.0.0.1, with others at 10.0.0.2 and .3.
func begins(t *testing.T, api *rest.Config) (*Kubernetes, *entitlement, *memory.Roster) {
	before := goleak.IgnoreCurrent()
	roster := memory.NewRoster(memory.New(func() int64 { return time.Now().UnixMilli() }))
	for n := 2; n <= 3; n++ {
		m := messages.Member{ID: fmt.Sprint("m", n), Name: fmt.Sprint("m", n), Address: fmt.Sprintf("10.0.0.%d:7000", n)}
		if _, err := roster.Join(t.Context(), m, time.Hour); err != nil {
			t.Fatal(err)
		}
	}
	e := &entitlement{T: t, heard: make(chan string, 1000)}
	k, err := newKubernetes(NewLeases(LeaseConfig{
		Roster: roster, Self: messages.Member{ID: "m1", Name: "m1", Address: "10.0.0.1:7000"},
		Ping: everyoneAnswers, Dial: everyoneListens, Changed: e.changed, Log: slog.New(slog.DiscardHandler),
	}), api)
	if err != nil {
		t.Fatal(err)
	}
	if err := k.StartMember(nil); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := k.Shutdown(true); err != nil {
			t.Error(err)
		}
		// The provider's goroutine sleeps 5 s after a watch that failed before it sees that it is over.
		for until := time.Now().Add(10 * time.Second); goleak.Find(before) != nil; {
			if time.Now().After(until) {
				t.Fatal("goroutines stay")
			}
		}
	})
	return k, e, roster
}

func TestKubernetesSaysWhoOwnsEvents(t *testing.T) {
	api := newPodAPI(t)
	_, e, roster := begins(t, &rest.Config{Host: api.URL})
	e.becomes("m1 m2 m3") // nothing is known
	api.set(1, false)
	api.set(2, true)
	e.becomes("m2")
	api.set(1, true)
	e.becomes("m1 m2")
	api.set(2, false)
	e.becomes("m1")
	api.set(2, true) // its id is not blocked for good
	api.set(3, true)
	e.becomes("m1 m2 m3")
	api.remove(3)
	e.becomes("m1 m2")

	api.drop()
	api.set(1, false)
	api.set(3, true)
	e.becomes("m2 m3") // told by the next watch

	if err := roster.Leave(t.Context(), "m3"); err != nil {
		t.Fatal(err)
	}
	e.becomes("m2")
	api.set(2, false)
	e.becomes("m1 m2") // none of the members is ready
}

// Without the API all own events.
func TestKubernetesIsAway(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close()
	k, e, _ := begins(t, &rest.Config{Host: server.URL})
	e.becomes("m1 m2 m3")
	if err := k.Ready(); err != nil {
		t.Error(err)
	}
}

func TestKubernetesOutsideOfIt(t *testing.T) {
	if os.Getenv("KUBERNETES_SERVICE_HOST") != "" {
		t.Skip("this is inside")
	}
	if _, err := NewKubernetes(NewLeases(LeaseConfig{})); err == nil || !strings.Contains(err.Error(), "kubernetes membership") {
		t.Error(err)
	}
}

func TestEntitled(t *testing.T) {
	members := []messages.Member{{ID: "a", Address: "a:1"}, {ID: "b", Address: "b:1", Leaving: true}, {ID: "c", Address: "c:1"}}
	for name, c := range map[string]struct {
		ready []string
		want  []string
	}{
		"nothing known":         {nil, []string{"a", "c"}},
		"one":                   {[]string{"c:1"}, []string{"c"}},
		"only who leaves":       {[]string{"b:1"}, []string{"a", "c"}},
		"who leaves and one":    {[]string{"a:1", "b:1"}, []string{"a"}},
		"only who is no member": {[]string{"z:1"}, []string{"a", "c"}},
	} {
		ready := map[string]bool{}
		for _, address := range c.ready {
			ready[address] = true
		}
		var got []string
		for _, m := range entitled(members, ready) {
			if !m.Leaving {
				got = append(got, m.ID)
			}
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %v own events, want %v", name, got, c.want)
		}
	}
}

func everyoneAnswers(context.Context, messages.Member) error { return nil }

func everyoneListens(context.Context, string) error { return nil }
