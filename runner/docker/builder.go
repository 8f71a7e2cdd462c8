package docker

import (
	"archive/tar"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"

	"github.com/runner-ci/runner/runner"
	"github.com/runner-ci/runner/runner/wire"
)

// LabelBuilder is on the volumes that keep layers of builders, and on the builders themselves, with the volume's name.
const LabelBuilder = "runner.builder"

// builderService is a builder's place among a sandbox's containers: no service has such a name, and it goes as they go.
const builderService = "builder of images"

// builderTmpfs holds build secrets: memory, which only the builder's root reads.
const builderTmpfs = "rw,noexec,nosuid,nodev,mode=700,size=16m"

// builderWait bounds the wait for a builder's engine, which takes three seconds where nothing else is done.
const builderWait = 2 * time.Minute

func builderName(id string) string { return containerName(id) + "-images" }

var _ runner.BuilderMaker = (*Engine)(nil)

// builder is one builder that runs.
type builder struct {
	e    *Engine
	name string
	free func() // lets the next one have the state
}

// StartBuilder makes a builder, in place of one that a daemon left which died.
func (e *Engine) StartBuilder(ctx context.Context, spec runner.BuilderSpec) (runner.Builder, error) {
	if err := checkID(spec.Sandbox); err != nil {
		return nil, err
	}
	box := runner.SandboxSpec{ID: spec.Sandbox, Network: spec.Network} // as the firewall judges it
	if err := e.checkReach(box); err != nil {
		return nil, err
	}
	f, err := e.ready(ctx)
	if err != nil {
		return nil, err
	}
	for _, fence := range []func() error{
		func() error { return e.ensurePrivate(ctx, box) },
		func() error { return e.raiseWall(ctx) },
		func() error { return e.wantWall(box) },
	} {
		if err := fence(); err != nil {
			return nil, err
		}
	}
	free, err := e.takeState(ctx, spec.State)
	if err != nil {
		return nil, err
	}
	b := &builder{e: e, name: builderName(spec.Sandbox), free: free}
	if err := b.start(ctx, spec, f); err != nil {
		return nil, errors.Join(e.builderFailed(ctx, spec, f, err), b.Close(removePatience))
	}
	return b, nil
}

func (e *Engine) builderFailed(ctx context.Context, spec runner.BuilderSpec, f facts, err error) error {
	if image := imageRefused(spec.Image, f, err); image != nil {
		return image
	}
	if says(err, "incompatible with user namespaces") {
		return fmt.Errorf("engine %s maps root to another user (userns-remap), so it makes no builders: build images on an engine without it: %w", e.opts.Engine, err)
	}
	return e.fail(ctx, "making the builder of sandbox "+spec.Sandbox, err)
}

// start makes and starts the container, and waits for its engine.
func (b *builder) start(ctx context.Context, spec runner.BuilderSpec, f facts) error {
	e := b.e
	e.made.forget(spec.Sandbox) // from here on there is more to it than one container
	if err := e.clearBuilders(ctx, b.name, e.builderVolume(spec.State)); err != nil {
		return err
	}
	for {
		caged := e.caged.Load()
		err := b.create(ctx, spec, f)
		if err == nil {
			err = e.api.ContainerStart(ctx, b.name, container.StartOptions{})
		}
		if err == nil {
			return b.await(ctx)
		}
		if caged || !says(err, "unable to apply caps", "unable to apply bounding set") {
			return err
		}
		e.caged.Store(true)
		if err := e.removeByID(ctx, b.name); err != nil {
			return err
		}
	}
}

func (b *builder) create(ctx context.Context, spec runner.BuilderSpec, f facts) error {
	e := b.e
	agent, err := e.binary(f)
	if err != nil {
		return err
	}
	labels := e.labels(spec.Sandbox, "")
	labels[LabelService] = builderService
	state := mount.Mount{Type: mount.TypeVolume, Target: engineDir, VolumeOptions: &mount.VolumeOptions{NoCopy: true, Labels: e.labels(spec.Sandbox, "")}}
	if name := e.builderVolume(spec.State); name != "" {
		labels[LabelBuilder] = name
		state.Source = name
		state.VolumeOptions.Labels = map[string]string{LabelInstance: e.opts.Instance, LabelEngine: e.opts.Engine, LabelBuilder: name}
	}
	config := &container.Config{
		Image: spec.Image.ID, Entrypoint: append([]string{agentPath, wire.BuilderEngine}, e.dnsArgs(spec.Network)...), User: "0:0",
		Env: e.environment(spec.Env), Labels: labels, Healthcheck: &container.HealthConfig{Test: []string{"NONE"}},
	}
	host := &container.HostConfig{
		Mounts: []mount.Mount{agent.mount(Root, true), state}, Tmpfs: map[string]string{runner.BuildSecrets: builderTmpfs},
		NetworkMode: container.NetworkMode(e.networkOf(runner.SandboxSpec{ID: spec.Sandbox, Network: spec.Network}, workspaceCopy)),
		IpcMode:     container.IPCModePrivate, LogConfig: serviceLog, OomScoreAdj: oomScore,
		ShmSize: shmSize(spec.Limits.MemoryBytes), Resources: resources(spec.Limits, f),
	}
	if e.ca != nil && e.local() {
		file, err := e.caPath()
		if err != nil {
			return err
		}
		host.Mounts = append(host.Mounts, bind(file, caFile, true))
	}
	host.Runtime = e.opts.Runtime
	e.privileged(host)
	settled, cancel := settle(ctx)
	defer cancel()
	if _, err := e.api.ContainerCreate(settled, config, host, nil, nil, b.name); err != nil {
		return fmt.Errorf("creating the builder: %w", err)
	}
	if err := e.ensureAgent(ctx, agent, b.name, spec.Image.ID); err != nil {
		return err
	}
	return b.configure(ctx, spec.StateBytes)
}

// dnsArgs tells the engine of a builder of the host's name servers: that of its own network answers on an address which the
// containers inside cannot reach.
func (e *Engine) dnsArgs(reach runner.Network) (args []string) {
	if reach == runner.NetworkNone || !e.local() {
		return nil
	}
	servers, _, err := hostServers(resolvConf, systemdResolvConf)
	if err != nil {
		return nil
	}
	for _, s := range servers {
		if !s.IsLoopback() {
			args = append(args, "--dns="+s.String())
		}
	}
	return args
}

// local tells whether the engine's host is this machine.
func (e *Engine) local() bool { return strings.HasPrefix(e.api.DaemonHost(), "unix://") }

// configure bounds what the builder's engine keeps.
func (b *builder) configure(ctx context.Context, bytes int64) error {
	text, err := json.Marshal(map[string]any{"builder": map[string]any{"gc": map[string]any{
		"enabled": bytes > 0, "defaultKeepStorage": fmt.Sprintf("%dB", bytes),
	}}})
	if err != nil {
		return err
	}
	return b.Unpack(ctx, func(w io.Writer) error {
		t := tar.NewWriter(w)
		for _, h := range []*tar.Header{
			{Typeflag: tar.TypeDir, Name: "etc/docker/", Mode: 0o755},
			{Typeflag: tar.TypeReg, Name: "etc/docker/daemon.json", Mode: 0o644, Size: int64(len(text))},
		} {
			if err := t.WriteHeader(h); err != nil {
				return err
			}
		}
		if _, err := t.Write(text); err != nil {
			return err
		}
		return t.Close()
	})
}

// await waits until the engine inside answers.
func (b *builder) await(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, builderWait)
	defer cancel()
	for {
		if exit, err := b.Exec(ctx, []string{"docker", "version"}, nil, io.Discard); err == nil && exit == 0 {
			return nil
		}
		in, err := b.e.api.ContainerInspect(context.WithoutCancel(ctx), b.name)
		if err == nil && in.State != nil && !in.State.Running {
			return fmt.Errorf("the builder's engine ended with status %d: %s", in.State.ExitCode, b.said(ctx))
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			return fmt.Errorf("the builder's engine does not answer: %w: %s", context.Cause(ctx), b.said(ctx))
		}
	}
}

// said is the end of what the builder's engine printed.
func (b *builder) said(ctx context.Context) string {
	said, err := b.e.lastWords(context.WithoutCancel(ctx), b.name)
	if err != nil {
		return "its log cannot be read: " + err.Error()
	}
	return said
}

// Unpack writes a tar at the root.
func (b *builder) Unpack(ctx context.Context, pack func(io.Writer) error) error {
	err := b.e.sendTar(ctx, b.name, container.CopyToContainerOptions{}, pack)
	var content contentError
	if errors.As(err, &content) {
		return content.error
	}
	return err
}

// Exec runs a program, with both streams as one.
func (b *builder) Exec(ctx context.Context, argv []string, in io.Reader, out io.Writer) (int, error) {
	exit, _, err := b.run(ctx, append([]string{"sh", "-c", `exec "$@" 2>&1`, "sh"}, argv...), in, out)
	return exit, err
}

// Export runs a program for its standard output.
func (b *builder) Export(ctx context.Context, argv []string, out io.Writer) error {
	exit, said, err := b.run(ctx, argv, nil, out)
	if err == nil && exit != 0 {
		err = fmt.Errorf("%s ended with status %d: %s", argv[0], exit, said)
	}
	return err
}

func (b *builder) run(ctx context.Context, argv []string, in io.Reader, out io.Writer) (exit int, said string, err error) {
	made, err := b.e.api.ContainerExecCreate(ctx, b.name, container.ExecOptions{Cmd: argv, AttachStdin: in != nil, AttachStdout: true, AttachStderr: true})
	if err != nil {
		return 0, "", err
	}
	conn, err := b.e.api.ContainerExecAttach(ctx, made.ID, container.ExecAttachOptions{})
	if err != nil {
		return 0, "", err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, conn.Close)()
	if in != nil {
		if _, err := io.Copy(conn.Conn, in); err != nil {
			return 0, "", err
		}
		if err := conn.CloseWrite(); err != nil {
			return 0, "", err
		}
	}
	errs := new(tail)
	_, err = io.Copy(out, newDemuxer(conn.Reader, errs))
	if cause := context.Cause(ctx); cause != nil {
		return 0, "", cause
	}
	if err != nil {
		return 0, "", err
	}
	st, err := b.e.api.ContainerExecInspect(ctx, made.ID)
	return st.ExitCode, errs.String(), err
}

// Close removes the container.
func (b *builder) Close(within time.Duration) error {
	defer b.free()
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	err := b.e.removeByID(ctx, b.name)
	if cerrdefs.IsNotFound(err) {
		return nil
	}
	return err
}
