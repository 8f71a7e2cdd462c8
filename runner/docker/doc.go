// Package docker makes sandboxes on a Docker engine, through its API, version 1.41 (Docker 20.10) or newer.
//
// # What Create does
//
//  1. It checks the specification and, once per process, asks the engine what it can do, and makes the network. For
//     a sandbox with services it makes the network runner-<id>.
//  2. It creates the container runner-<id>, with every mount it will ever have, in one call: the engine makes the
//     workspace's volume on the way.
//  3. Once per process, it looks whether the agent's volume holds the agent, and fills it if not.
//  4. Meanwhile it sets the firewall's rules, once per process, then creates and starts the services, the containers
//     runner-<id>-svc-<name>, and waits until they are ready.
//  5. It listens to the agent's standard error, then starts the container. That is the last step: a container that
//     was started tells that all the others were done.
//
// Every step may be repeated; a step that finds its work done goes on. Create of a sandbox that runs, or that has
// ended, changes nothing.
//
// # Two ways to show files
//
// With the overlay workspace the engine sees the daemon's files: the snapshot is the lower layer of an overlay
// mount, and the spool is a directory of the host, bound into the sandbox. With the copy workspace, for engines
// elsewhere, everything goes in as one tar stream before the container starts, and comes out the same way. Asked
// for "auto", the first sandbox tries the overlay. The engine refuses to bind a directory that it does not have, and
// the sandbox's directory is named by an id that was never used before, so the attempt itself is the probe.
//
// # Names and labels
//
// Containers, volumes and networks of a sandbox bear LabelInstance, LabelEngine and LabelSandbox, services LabelService
// besides, and no method touches one with another instance's label. The default network, the agent's volumes and two
// of the firewall's chains are shared by all instances on the engine.
package docker
