package docker

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"
)

// AgentSource returns the agent's static Linux binary for one GOARCH. The bytes are not changed.
type AgentSource func(goarch string) ([]byte, error)

// agentFile is the agent's name in its volume, which holds the mount points of a sandbox beside it.
const agentFile = "runner-agent"

// agentBinary is the agent for one engine, and the volume that holds it there.
type agentBinary struct {
	data   []byte
	sum    string // SHA-256 of what the volume holds, hexadecimal
	volume string
}

// agentGate keeps the agent of an engine: loaded once, and seen to be in its volume once per process.
type agentGate struct {
	mu     sync.Mutex
	loaded *agentBinary
	there  bool
}

// binary returns the agent for the engine's architecture.
func (e *Engine) binary(f facts) (*agentBinary, error) {
	g := &e.agent
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.loaded != nil {
		return g.loaded, nil
	}
	data, err := e.opts.Agent(f.goarch)
	if err != nil {
		return nil, fmt.Errorf("engine %s needs an agent for linux/%s: %w", e.opts.Engine, f.goarch, err)
	}
	h := sha256.New()
	_, _ = h.Write(data)
	_, _ = io.WriteString(h, strings.Join(skeleton, "\n")) // another layout is another volume
	hexed := hex.EncodeToString(h.Sum(nil))
	g.loaded = &agentBinary{data: data, sum: hexed, volume: "runner-agent-" + hexed[:16]}
	return g.loaded, nil
}

// mount is the agent's volume, made by the engine when it is missing.
func (a *agentBinary) mount(target string, readOnly bool) mount.Mount {
	return mount.Mount{
		Type: mount.TypeVolume, Source: a.volume, Target: target, ReadOnly: readOnly,
		VolumeOptions: &mount.VolumeOptions{NoCopy: true, Labels: map[string]string{LabelAgent: a.sum}},
	}
}

// ensureAgent looks, once per process, through a container that mounts the volume at Root, whether the whole
// agent is in it, and fills it if not.
func (e *Engine) ensureAgent(ctx context.Context, a *agentBinary, name, imageID string) error {
	g := &e.agent
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.there {
		return nil
	}
	whole, err := e.agentWhole(ctx, a, name, Root)
	if !whole && !unavailable(err) {
		// The engine cannot even look into a container whose mount points are missing in an empty volume.
		err = e.fillAgent(ctx, a, imageID)
	}
	if err != nil {
		return e.fail(ctx, "putting the agent into volume "+a.volume, err)
	}
	g.there = true
	e.background(e.sweepAgents)
	return nil
}

// forget makes the next Create look again: someone may have pruned the volume.
func (g *agentGate) forget() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.there = false
}

// agentWhole compares sizes. The name appears only when the bytes are written, so a wrong size means a machine
// that lost power before they reached the disk.
func (e *Engine) agentWhole(ctx context.Context, a *agentBinary, name, dir string) (bool, error) {
	st, err := e.api.ContainerStatPath(ctx, name, dir+"/"+agentFile)
	if cerrdefs.IsNotFound(err) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("looking for the agent: %w", err)
	}
	return st.Mode.IsRegular() && st.Size == int64(len(a.data)), nil
}

// fillAgent writes the agent through a container that is never started, since the mount of a sandbox is read-only.
func (e *Engine) fillAgent(ctx context.Context, a *agentBinary, imageID string) error {
	const dir = "/runner-agent"
	helper := "runner-fill-" + a.sum[:12] + "-" + randomName()
	_, err := e.api.ContainerCreate(ctx,
		&container.Config{Image: imageID, Entrypoint: []string{dir + "/" + agentFile}, Labels: map[string]string{LabelAgent: a.sum}, NetworkDisabled: true},
		&container.HostConfig{Mounts: []mount.Mount{a.mount(dir, false)}, NetworkMode: networkNone, LogConfig: container.LogConfig{Type: "none"}},
		nil, nil, helper)
	if err != nil {
		return fmt.Errorf("making a container to fill it: %w", err)
	}
	defer e.discard(ctx, helper)
	pack, err := packAgent(a.data)
	if err != nil {
		return err
	}
	copyErr := e.api.CopyToContainer(ctx, helper, dir, pack, container.CopyToContainerOptions{})
	// Another daemon may have filled it at the same moment, and ours found its name taken.
	whole, err := e.agentWhole(ctx, a, helper, dir)
	switch {
	case err != nil:
		return err
	case whole:
		e.log.Info("the agent is in its volume", "volume", a.volume, "bytes", len(a.data))
		return nil
	case copyErr != nil:
		return fmt.Errorf("copying it: %w", copyErr)
	}
	return fmt.Errorf("after copying %d bytes it is not there", len(a.data))
}

// packAgent is a tar of the mount points, of the agent under a random name, then of a hard link from its real name:
// the name appears when all the rest is complete.
func packAgent(data []byte) (io.Reader, error) {
	temp := ".fill-" + randomName()
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	now := time.Now()
	var entries []*tar.Header
	for _, dir := range skeleton {
		entries = append(entries, &tar.Header{Typeflag: tar.TypeDir, Name: dir + "/", Mode: 0o755, ModTime: now})
	}
	entries = append(entries,
		&tar.Header{Typeflag: tar.TypeReg, Name: temp, Size: int64(len(data)), Mode: 0o755, ModTime: now},
		&tar.Header{Typeflag: tar.TypeLink, Name: agentFile, Linkname: temp, Mode: 0o755, ModTime: now})
	for _, h := range entries {
		if err := w.WriteHeader(h); err != nil {
			return nil, fmt.Errorf("packing the agent: %w", err)
		}
		if h.Typeflag != tar.TypeReg {
			continue
		}
		if _, err := w.Write(data); err != nil {
			return nil, fmt.Errorf("packing the agent: %w", err)
		}
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("packing the agent: %w", err)
	}
	return &buf, nil
}

func randomName() string {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}
