package docker

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/network"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

const (
	// bridgeEvery is how often it is looked whether the bridge is there, in case that the kernel's word of it was lost.
	bridgeEvery = 30 * time.Second
	// mendPatience bounds the wait for an engine that is removing the network.
	mendPatience = 20 * time.Second
)

// watchBridge makes the default network again when somebody prunes it while sandboxes are on its bridge: to the engine
// it is unused. Their cables, which hang in the air then, are put onto the new bridge, which has the old one's addresses,
// so that they notice no more than a pause.
func (e *Engine) watchBridge() {
	tick := time.NewTicker(bridgeEvery)
	defer tick.Stop()
	for e.life.Err() == nil {
		updates, done := make(chan netlink.LinkUpdate), make(chan struct{})
		if err := netlink.LinkSubscribe(updates, done); err != nil {
			e.log.Debug("watching interfaces", "error", err)
			e.watchLinks(nil, tick.C)
			return
		}
		e.watchLinks(updates, tick.C)
		close(done)
		for range updates { // until the subscription sees that it is over
			continue
		}
		select {
		case <-time.After(time.Second): // before it is asked for again
		case <-e.life.Done():
		}
	}
}

// watchLinks returns when the kernel's words end, or the engine's life does. Without any (nil) it looks by the clock.
func (e *Engine) watchLinks(updates <-chan netlink.LinkUpdate, tick <-chan time.Time) {
	for {
		select {
		case <-e.life.Done():
			return
		case u, ok := <-updates:
			if !ok {
				return
			}
			if w := e.wiring.Load(); w == nil || u.Header.Type != unix.RTM_DELLINK || u.Attrs().Name != w.bridge {
				continue
			}
		case <-tick:
		}
		if err := e.mendBridge(e.life); err != nil && e.life.Err() == nil {
			e.log.Warn("jobs that run have lost their network", "network", e.bridge, "because", err)
		}
	}
}

// mendBridge makes the network again where its bridge is gone and sandboxes were on it. Where none was, the next one
// has it made.
func (e *Engine) mendBridge(ctx context.Context) error {
	w := e.wiring.Load()
	if w == nil {
		return nil
	}
	if _, err := net.InterfaceByName(w.bridge); err == nil {
		return w.rehang()
	}
	loose, err := w.cables()
	if len(loose) == 0 || err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, mendPatience)
	defer cancel()
	if err := e.awaitRemoval(ctx, w); err != nil {
		return err
	}
	if loose, err = w.cables(); len(loose) == 0 || err != nil { // they ended
		return err
	}
	e.network.forget()
	if err := e.ensureNetwork(ctx); err != nil {
		return err
	}
	e.log.Warn("the network was removed while jobs were on it, and was made again", "network", e.bridge, "jobs", len(loose),
		"hint", "docker network prune takes it for unused; docker network prune --filter label!="+LabelNetwork+" leaves it")
	if err := w.rehang(); err != nil {
		return err
	}
	e.wiring.Store(w)
	return nil
}

// awaitRemoval waits until the engine has removed the network, the bridge of which it removes first, or until another daemon
// has made it again.
func (e *Engine) awaitRemoval(ctx context.Context, w *wiring) error {
	for {
		_, err := e.api.NetworkInspect(ctx, w.network, network.InspectOptions{})
		if _, nerr := net.InterfaceByName(w.bridge); nerr == nil || cerrdefs.IsNotFound(err) {
			return nil
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			return fmt.Errorf("the engine has the network, and its bridge is gone: %w", errors.Join(err, ctx.Err()))
		}
	}
}

// cables are the host's ends of the cables that hang on no bridge.
func (w *wiring) cables() (loose []netlink.Link, err error) {
	all, err := netlink.LinkList()
	for _, l := range all {
		addr, ok := linkAddress(l.Attrs().Name)
		if ok && w.pool.Contains(addr) && l.Attrs().MasterIndex == 0 && l.Attrs().Flags&net.FlagUp != 0 {
			loose = append(loose, l)
		}
	}
	return loose, err
}

// rehang puts cables that hang on no bridge onto the network's. Those that are not up are somebody's who is at it.
func (w *wiring) rehang() error {
	loose, err := w.cables()
	if len(loose) == 0 || err != nil {
		return err
	}
	h, err := netlink.NewHandle(unix.NETLINK_ROUTE)
	if err != nil {
		return err
	}
	defer h.Close()
	bridge, err := w.find(h)
	if err != nil {
		return err
	}
	errs := []error{h.LinkSetHardwareAddr(bridge, w.mac)} // which the sandboxes know
	for _, l := range loose {
		errs = append(errs, hang(h, l, bridge))
	}
	return errors.Join(errs...)
}
