package docker

import (
	"context"
	"strings"
	"sync"
	"testing"

	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/network"
)

func TestNetwork(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	one, two := start(t, e, newSpec(t, e, nil)), start(t, e, newSpec(t, e, nil))
	one.want("echo hello >/tmp/index.html; httpd -p 8080 -h /tmp; wget -q -O - http://127.0.0.1:8080/index.html", "hello")
	ip, _ := one.sh("hostname -i")
	one.want("wget -q -O - http://"+ip+":8080/index.html", "hello")
	two.refused("timeout 2 wget -q -O - http://" + ip + ":8080/index.html")
}

func TestNoNetwork(t *testing.T) {
	t.Parallel()
	e := newEngine(t, func(o *Options) { o.Network = networkNone })
	start(t, e, newSpec(t, e, nil)).want("ls /sys/class/net", "lo")
}

func TestNetworkThatIsMissing(t *testing.T) {
	t.Parallel()
	e := newEngine(t, func(o *Options) { o.Network = "none-" + randomID() })
	if err := e.Create(t.Context(), newSpec(t, e, nil)); err == nil || !strings.Contains(err.Error(), "docker network create") {
		t.Error(err)
	}
}

// TestNetworkIsMadeOnce tells of daemons that make the network at the same moment, and of an admin who prunes it.
func TestNetworkIsMadeOnce(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	name := "runner-test-" + randomID()
	ctx := t.Context()
	t.Cleanup(func() { _ = e.api.NetworkRemove(context.WithoutCancel(ctx), name) })
	var wg sync.WaitGroup
	for range 6 {
		wg.Go(func() {
			if err := e.makeNetwork(ctx, name); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	all, err := e.api.NetworkList(ctx, network.ListOptions{Filters: filters.NewArgs(filters.Arg("name", name))})
	if err != nil || len(all) != 1 || all[0].Options[enableICC] != "false" || all[0].Labels[LabelNetwork] != name {
		t.Errorf("networks %+v, %v", all, err)
	}

	mine := newEngine(t)
	mine.bridge = name
	spec := newSpec(t, mine, nil)
	start(t, mine, spec).want("true", "")
	if err := mine.Remove(ctx, spec.ID); err != nil {
		t.Fatal(err)
	}
	if w := mine.wiring.Load(); w != nil {
		noLinks(t, w) // or the network is made again for them
	}
	if err := e.api.NetworkRemove(ctx, name); err != nil {
		t.Fatal(err)
	}
	after := newSpec(t, mine, nil)
	start(t, mine, after).want("true", "")
	if err := mine.Remove(ctx, after.ID); err != nil {
		t.Fatal(err)
	}
	if w := mine.wiring.Load(); w != nil {
		noLinks(t, w)
	}
}

func TestNetworkThatIsOpenIsRefused(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	name := "runner-test-" + randomID()
	if _, err := e.api.NetworkCreate(t.Context(), name, network.CreateOptions{Driver: "bridge"}); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = e.api.NetworkRemove(t.Context(), name) }()
	if err := e.makeNetwork(t.Context(), name); err == nil || !strings.Contains(err.Error(), "lets containers reach each other") {
		t.Error(err)
	}
}
